//! What assignment promises: its parts' rules, the service's behaviour, random histories.

mod ahead;
mod histories;
mod leases;
mod lending;
mod moves;
mod moving;
mod parts;
mod restarts;
mod retiring;
mod serving;
mod waiting;
mod workers;

pub(crate) use parts::{created, environment, function};
