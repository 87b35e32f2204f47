//! What a sandbox is to be, and what runs in it. Plain data.

use std::ffi::CString;
use std::path::PathBuf;

use tokio::sync::oneshot;

use crate::config::is_name;
use crate::error::Error;
use crate::output::Outlet;
use crate::share::{self, Share};

/// The user that functions run as, inside: Lambda's.
pub(crate) const FUNCTION_UID: u32 = 993;
/// The group that functions run as, inside: Lambda's.
pub(crate) const FUNCTION_GID: u32 = 990;

/// The least memory a sandbox can be given, so that a program can be loaded at all.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// The specification of one sandbox.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Names it in logs: `[a-z0-9-]`, 64 at most, unique.
    pub id: String,
    /// The name of a [`crate::Root`].
    pub root: String,
    /// The host directory shown at `/var/task`, read-only. Below [`crate::Config::images`].
    pub task: PathBuf,
    /// The host directory shown at `/opt`, read-only. Below [`crate::Config::images`].
    pub opt: Option<PathBuf>,
    /// The host directory shown at `/var/runtime`, read-only. Below [`crate::Root::runtimes`].
    pub runtime: Option<PathBuf>,
    /// Folders of the host shown below `/mnt`. Eight at most.
    pub shares: Vec<Share>,
    /// What the function's processes may use together, without `/tmp` and page cache.
    pub memory_bytes: u64,
    /// Processor time, in thousandths of one CPU.
    pub cpu_millis: u32,
    /// Its priority over other sandboxes when there are not enough processors for all.
    pub cpu_weight: CpuWeight,
    /// Processes and threads at once.
    pub processes_max: u32,
    /// Open descriptors of each process.
    pub open_files_max: u32,
    /// The size of the private `/tmp`.
    pub tmp_bytes: u64,
    /// The sandbox's host name.
    pub hostname: String,
}

/// How a sandbox shares the processors with others when there are not enough for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuWeight {
    /// In proportion to this, in thousandths of a processor: one of 2000 gets twice what one of 1000 does.
    Share(u32),
    /// What the others leave. Whenever one of them has something to do, it runs first, at once: with a
    /// share alone it would wait for the kernel's next tick. Before Linux 5.15 it is the smallest
    /// share.
    Rest,
}

impl Spec {
    /// Refuses what could not work or would be unsafe.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |field, rule| Err(Error::Invalid { field, rule });
        if !is_name(&self.id, 64) {
            return invalid("id", "1 to 64 of a-z, 0-9 and -");
        }
        if !is_name(&self.hostname, 63) {
            return invalid("hostname", "1 to 63 of a-z, 0-9, . and -");
        }
        if self.memory_bytes < MEMORY_BYTES_MIN {
            return invalid("memory_bytes", "at least 16 MiB");
        }
        if self.cpu_millis < 10 {
            return invalid(
                "cpu_millis",
                "at least 10: the kernel's quota has that grain",
            );
        }
        if self.processes_max == 0 || self.open_files_max < 16 {
            return invalid("processes_max and open_files_max", "at least 1 and 16");
        }
        if self.tmp_bytes < 4096 || self.memory_bytes.checked_add(self.tmp_bytes).is_none() {
            return invalid("tmp_bytes", "at least a page");
        }
        share::check_all(&self.shares)
    }
}

/// One process to start in a sandbox.
#[derive(Debug)]
pub struct Process {
    /// The program's path, as the sandbox sees it, then its arguments. Never empty.
    pub argv: Vec<CString>,
    /// Its whole environment, each `NAME=value`.
    pub env: Vec<CString>,
    /// Its working directory, as the sandbox sees it.
    pub directory: CString,
    /// Where its standard output and standard error go: an outlet of the same sandbox, or a pipe's.
    pub output: Outlet,
}

/// A process that was started.
#[derive(Debug)]
pub struct Started {
    /// Its number inside the sandbox.
    pub id: u32,
    /// How it ended, once it has. When the whole sandbox ends first: by signal 9.
    pub exited: oneshot::Receiver<Exit>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// What can be sent to a started process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: it may still tidy up.
    Terminate,
    /// SIGKILL.
    Kill,
}
