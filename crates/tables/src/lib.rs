//! The metadata table as those who answer requests use it: typed rows, changed by compare-and-set.
//!
//! Every write names the revision that the row must still have. A change that loses the race is decided anew
//! on what the row has become, [`TRIES_MAX`] times. What the rows are, `records` says.
//!
//! Read [`Rows`] first; [`Quota`] is how many of a kind an account may have, [`Failure`] what can go wrong and
//! what a caller is told of it, [`answering`] and [`log`] what the operator is.

mod failure;
mod quotas;
mod request;
mod rows;

pub use failure::Failure;
pub use quotas::Quota;
pub use request::{answering, log};
pub use rows::{Rows, TRIES_MAX, decode};
