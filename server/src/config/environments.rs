//! Settings for execution environments: their sandboxes, the worker, and how long they live.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The sandboxes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sandbox {
    /// Network namespaces and cgroups kept ready.
    pub(crate) pool: usize,
    /// The first of the host's user ids that belong to sandboxes; 65 536 are taken. 0 chooses
    /// a range by the data folder, so that servers on one machine do not overlap.
    pub(crate) first_uid: u32,
    /// What functions reach: `none`, or `nat` for the world by address translation.
    pub(crate) network: String,
    pub(crate) nat: Nat,
}

/// The way out of sandboxes, where `network` is `nat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Nat {
    /// The first address of a `/15` net that is used nowhere else.
    pub(crate) subnet: Ipv4Addr,
    /// TCP ports of this machine that functions may reach: Lambent's own, say, if it listens on
    /// more than the loopback.
    pub(crate) allow_host_ports: Vec<u16>,
    /// Whether they may reach private networks.
    pub(crate) allow_private: bool,
}

/// The worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Worker {
    /// Memory for environments, MB; 0 for what the machine has.
    pub(crate) memory_mb: u64,
    /// The availability zone.
    pub(crate) zone: String,
    /// Milliseconds after which an idle environment is frozen.
    pub(crate) freeze_after_ms: u64,
    /// Megabytes that unpacked code takes at most while nothing runs it; 0 for a tenth of the disk.
    pub(crate) code_cache_mb: u64,
}

/// Assignment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Assignment {
    /// Partitions of functions.
    pub(crate) partitions: u32,
    /// Seconds after which an idle environment is ended.
    pub(crate) idle_seconds: u64,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            pool: 64,
            first_uid: 0,
            network: "none".to_owned(),
            nat: Nat::default(),
        }
    }
}

impl Default for Nat {
    fn default() -> Self {
        Self {
            subnet: Ipv4Addr::new(10, 212, 0, 0),
            allow_host_ports: Vec::new(),
            allow_private: false,
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            memory_mb: 0,
            zone: "local-1a".to_owned(),
            freeze_after_ms: 10,
            code_cache_mb: 0,
        }
    }
}

impl Default for Assignment {
    fn default() -> Self {
        Self {
            partitions: 8,
            idle_seconds: 600,
        }
    }
}
