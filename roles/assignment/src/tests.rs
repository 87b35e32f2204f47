//! What assignment promises: its parts' rules, the service's behaviour, random histories.

mod ahead;
mod histories;
mod leases;
mod lending;
mod parts;
mod serving;

pub(crate) use parts::{created, environment, function};
