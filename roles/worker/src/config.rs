//! A worker's settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::ShareUser;
use types::WorkerId;

/// What can be set about a worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it is, for one run of its process.
    pub worker: WorkerId,
    /// The host it runs on.
    pub host: String,
    /// Its availability zone.
    pub zone: String,
    /// Memory it may give to environments, MB.
    pub memory_mb: u64,
    /// Environments at a time: what this process's descriptors allow.
    pub environments_max: usize,
    /// Connections within environments beyond those that each may have in any case.
    pub lines_max: usize,
    /// Variables every function gets beneath its own.
    pub environment: BTreeMap<String, String>,
    /// The package that every environment finds at `/opt`, beneath its function's layers.
    pub opt: Option<String>,
    /// The folders that stand for file systems, by the ARN of their access point.
    pub file_systems: BTreeMap<String, Folder>,
    /// Where Lambent's own API is, if functions may speak to it: the worker then takes what they
    /// say to the sandbox's door there. With how many connections it takes.
    pub api: Option<(SocketAddr, usize)>,
    /// What the functions of one account may print in a second, bytes; more has to wait.
    pub log_bytes_per_second: u64,
    /// Whether functions reach anything beyond their sandboxes.
    pub way_out: bool,
    /// How long an idle environment keeps running before it is frozen. Short, since functions
    /// expect to be frozen between invokes; not zero, so that invokes that follow each other at
    /// once pay for no freezing and thawing.
    pub freeze_after: Duration,
    /// How often it looks which of its unpacked packages are kept no longer.
    pub packages_every: Duration,
    /// How long a lent environment whose last invoke is answered may take until its runtime asks
    /// for the next; then the invoke is refused and finds another environment.
    pub turn_patience: Duration,
}

/// A folder of this machine that stands for a file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// Where it is: absolute, without symbolic links.
    pub path: PathBuf,
    /// Whether functions may not write to it.
    pub read_only: bool,
    /// As whom they read and write.
    pub user: ShareUser,
}
