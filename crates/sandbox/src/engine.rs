//! What every kind of sandbox offers: the interface between the worker and isolation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::connection::{Connection, Listener};
use crate::error::Error;
use crate::output::{Outlet, Output};
use crate::spec::{CpuWeight, Process, Signal, Spec, Started};

/// What all sandboxes use together, and what this machine has left. In bytes, and in processes and
/// threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// In use by all sandboxes: by their processes, their `/tmp`s, their sockets, and the kernel on
    /// their behalf. Without cached files.
    pub memory_used: u64,
    /// What the machine could give without harming anything else.
    pub memory_available: u64,
    /// All that the machine has.
    pub memory_total: u64,
    /// Processes and threads of all sandboxes.
    pub processes: u64,
    /// The maximum of these.
    pub processes_max: u64,
}

/// What one sandbox uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of memory, with its `/tmp`, without cached files.
    pub memory: u64,
    /// The part of them that the kernel took for what processes had it do.
    pub kernel: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// Makes sandboxes.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Makes one. If the caller stops waiting, it is destroyed.
    async fn create(&self, spec: Spec) -> Result<Arc<dyn Instance>, Error>;

    /// What all sandboxes use, however many there are: a few small files are read.
    fn load(&self) -> Result<Load, Error>;

    /// Sandboxes that were killed and have not ended.
    fn lingering(&self) -> Lingering;

    /// Stops making more, destroys what still lives and removes what is shared. Harmless twice. Takes
    /// half a minute at most: what has not ended then is ended by the kernel when this process is.
    async fn shutdown(&self);
}

/// Sandboxes that were killed and did not end within some seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lingering {
    /// That have not ended yet: their memory is still taken.
    pub now: u64,
    /// Since the engine was started.
    pub ever: u64,
}

/// One sandbox. Dropping the last reference destroys it, in the background. Once a call has returned
/// [`Error::Gone`], [`Instance::dead`] is true.
#[async_trait]
pub trait Instance: Send + Sync {
    /// The connections made to the Runtime API, which is at 127.0.0.1:9001 inside. Can be taken once.
    /// Must be called within a runtime.
    fn take_listener(&self) -> Result<Option<Listener>, Error>;

    /// The connections made to [`crate::Config::door`] inside, if there is one. Can be taken once.
    /// Must be called within a runtime.
    fn take_door(&self) -> Result<Option<Listener>, Error>;

    /// Where processes can print to, and what they print there. Must be called within a runtime.
    fn outlet(&self) -> Result<(Outlet, Output), Error>;

    /// Connects to a port on the loopback inside. Takes no longer than a second, whatever listens
    /// there or doesn't.
    async fn connect(&self, port: u16) -> Result<Connection, Error>;

    /// Starts a process as the function's user. Must not be called while frozen.
    async fn start(&self, process: Process) -> Result<Started, Error>;

    /// Sends a signal to a started process, by the number that [`Started`] gave.
    async fn signal(&self, process: u32, signal: Signal) -> Result<(), Error>;

    /// Thaws, kills every process but the sandbox's own init, and returns when they are gone. What
    /// is in `/tmp` stays.
    async fn kill_all(&self) -> Result<(), Error>;

    /// Freezes all of the function's processes. Twice is harmless.
    fn freeze(&self) -> Result<(), Error>;

    /// Thaws them. Twice is harmless.
    fn thaw(&self) -> Result<(), Error>;

    /// Changes its share of the processor, thousandths of one CPU: an init may have more than what
    /// follows.
    fn limit_cpu(&self, cpu_millis: u32) -> Result<(), Error>;

    /// Changes its priority over other sandboxes, see [`crate::Spec::cpu_weight`].
    fn weigh_cpu(&self, weight: CpuWeight) -> Result<(), Error>;

    /// The processor time it has used. `None` if it is not known.
    fn cpu_used(&self) -> Option<Duration>;

    /// The most memory that was in use at once, minus what `/tmp` now holds. Zero if not known.
    fn memory_peak_bytes(&self) -> u64;

    /// What it uses now. Zeros if not known.
    fn usage(&self) -> Usage;

    /// Destroys it because some resource has run out for all sandboxes: its processes first fail for
    /// lack of memory, then it ends.
    async fn exhaust(&self);

    /// True once the sandbox has used more memory than it may; every process of the function has been
    /// killed. [`Instance::kill_all`] makes it false again.
    fn out_of_memory(&self) -> watch::Receiver<bool>;

    /// True once the sandbox as such has ended, or was killed and did not end within some seconds.
    fn dead(&self) -> watch::Receiver<bool>;

    /// True once nothing is left of the sandbox: its memory is free for others.
    fn removed(&self) -> watch::Receiver<bool>;

    /// Kills everything inside and removes the sandbox. Harmless twice. Returns when it is done, or
    /// after some seconds if killed processes take longer to end: [`Instance::removed`] then says when.
    async fn destroy(&self);
}
