//! What can be set about a member.

use std::time::Duration;

/// See the module.
#[derive(Clone, Debug)]
pub struct Config {
    /// The group: `event-queues`, say.
    pub group: String,
    /// This member's name; no other may have it. A restarted process is another member.
    pub holder: String,
    /// A holder that is silent for this long counts as dead. Its work moves within about one and a third of it.
    pub term: Duration,
    /// Whether what is done under these leases is fenced where it is done. A holder that cannot renew a lease then
    /// keeps it until another one has taken it: while the table is away nobody can, and work that needs no table does not stop.
    pub fenced: bool,
}
