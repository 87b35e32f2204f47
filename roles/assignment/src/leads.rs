//! What a process is to lead, and which workers there are: what others tell assignment about the cluster.

use std::collections::BTreeSet;

use tokio::sync::watch;
use types::WorkerId;

/// The name of a partition: that of its journal and of its lease.
pub fn partition_name(number: u32) -> String {
    format!("assignment-{number}")
}

/// The names of this many partitions: the works that processes share among them.
pub fn partition_names(partitions: u32) -> BTreeSet<String> {
    (0..partitions.max(1)).map(partition_name).collect()
}

/// Which partitions a process leads, by their names.
pub struct Leads {
    /// Those that it is to lead. None, once nobody is left to say which.
    pub(crate) held: watch::Receiver<BTreeSet<String>>,
    /// Where it says which it leads: from before it begins until it has let go.
    pub(crate) led: watch::Sender<BTreeSet<String>>,
    /// Keeps `held` of who leads all.
    _all: Option<watch::Sender<BTreeSet<String>>>,
}

impl Leads {
    /// All partitions, for as long as the process lives: there is no other.
    pub fn all(partitions: u32) -> Self {
        let (all, held) = watch::channel(partition_names(partitions));
        Self {
            held,
            led: watch::Sender::default(),
            _all: Some(all),
        }
    }

    /// Those whose leases it has (`leasing::Held`). `led` is told which it still uses: no other process should get a
    /// lease before that (`leasing::Member::until_let_go`).
    pub fn of(
        held: watch::Receiver<BTreeSet<String>>,
        led: watch::Sender<BTreeSet<String>>,
    ) -> Self {
        Self {
            held,
            led,
            _all: None,
        }
    }
}

/// The workers there are, as the cluster's membership has them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveWorkers {
    /// All that live, those that drain included. One that is no longer among them has taken its environments with it.
    pub alive: BTreeSet<WorkerId>,
    /// Those that are to be rid of their environments.
    pub draining: BTreeSet<WorkerId>,
}
