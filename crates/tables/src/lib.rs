//! The metadata table as the roles that answer requests use it: typed rows, changed by compare-and-set.
//!
//! Every write names the revision that the row must still have. A change that loses the race is decided
//! again on the new row, up to [`TRIES_MAX`] times. What the rows are, `records` says.
//!
//! Read [`Rows`] first; [`Quota`] limits how many of a kind an account may have, [`Failure`] is what
//! can go wrong and what a caller learns about it, [`answering`] and [`log`] what the operator learns.

mod failure;
mod quotas;
mod request;
mod rows;

pub use failure::Failure;
pub use quotas::Quota;
pub use request::{answering, log};
pub use rows::{Rows, TRIES_MAX, decode};
