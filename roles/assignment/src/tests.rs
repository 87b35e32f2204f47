//! What assignment promises: its parts' rules, the service's behaviour, random histories.

mod ahead;
mod histories;
mod leases;
mod lending;
mod moves;
mod parts;
mod restarts;
mod retiring;
mod serving;
mod waiting;

pub(crate) use parts::{created, environment, function};
