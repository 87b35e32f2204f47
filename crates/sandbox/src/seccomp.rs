//! Which system calls a function's processes may make.
//!
//! An allow list: [`calls`] says what, [`program`] turns it into the kernel's filter language. Written
//! here rather than taken from a library because the kernel walks the filter for each of its calls
//! once at every installation: a search tree of some seven steps costs a tenth of a list of
//! three hundred, and it answers "not permitted" and "no such call" in one filter.

mod calls;
mod confined;
mod options;
mod program;

pub(crate) use calls::filter;
pub(crate) use confined::filter as confined_filter;
