//! Which processes a cluster has, over a [`Table`](storage::Table).
//!
//! ```text
//!   cluster/member/<process>     {member, beat}    written at every beat, or for a worker by whom it announces itself to
//!   cluster/drain/<host>                           an operator has told its workers to drain
//!   cluster/revoked/<serial>                       a certificate that is valid no more
//!   lease/assignment/held/<partition>              who leads it: leasing's own rows, read here
//! ```
//!
//! A process with access to the table has a [`Keeper`]; one without, a worker, an [`Announcer`], which speaks to a
//! keeper. Both give a view of all that are alive, by which calls find their way; if the table or the keepers cannot be
//! reached, the last view stays.
//!
//! [`Ledger`](ledger::Ledger) is the pure part: who is silent. No clock is compared with another machine's.

mod announcer;
mod drains;
mod keeper;
mod ledger;

pub use announcer::Announcer;
pub use drains::Drains;
pub use keeper::{DRAIN, Keeper, MEMBER, REVOKED};
pub use ledger::BEAT;

use std::sync::Arc;

use api::membership::View;
use tokio::sync::watch;

/// The processes that are alive, as they change.
pub type Views = watch::Receiver<Arc<View>>;

/// The group of the leases by which partitions of assignment are led; a holder is its process's id.
pub const ASSIGNMENT: &str = "assignment";
