//! One sandbox without a kernel.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::unfold;
use sandbox::{
    Connection, CpuWeight, Error, Instance, Listener, Outlet, Output, Printed, Process, Signal,
    Started, Usage,
};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};

use super::Script;
use super::processes::Processes;
use crate::function::Ledger;
use crate::process;

/// Bytes that a connection holds.
const CONNECTION_BYTES: usize = 64 * 1024;

/// One sandbox.
pub(super) struct Sandbox {
    parts: Arc<Parts>,
    /// What each of its processes is to do.
    script: Box<dyn Fn() -> Script + Send + Sync>,
    ledger: Arc<Ledger>,
    listener: Mutex<Option<mpsc::UnboundedReceiver<Connection>>>,
}

/// What its processes can touch.
struct Parts {
    id: String,
    connections: mpsc::UnboundedSender<Connection>,
    processes: Arc<Processes>,
    out_of_memory: watch::Sender<bool>,
    dead: watch::Sender<bool>,
    ledger: Arc<Ledger>,
}

/// A sandbox, as a process inside sees it.
pub(crate) struct Inside {
    pub(crate) id: String,
    pub(crate) script: Script,
    pub(crate) ledger: Arc<Ledger>,
    parts: Arc<Parts>,
}

impl Inside {
    /// Connects to the Runtime API.
    pub(crate) fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(CONNECTION_BYTES);
        // Where nobody listens, the connection ends at once.
        let _ = self
            .parts
            .connections
            .send(Connection::Other(Box::new(theirs)));
        ours
    }

    /// Uses more memory than there is; every process ends.
    pub(crate) fn run_out_of_memory(&self) {
        self.parts.out_of_memory.send_replace(true);
        self.parts.kill_all();
    }

    /// The sandbox ends.
    pub(crate) fn vanish(&self) {
        self.parts.end();
    }
}

impl Parts {
    fn kill_all(&self) {
        self.processes.kill_all();
        self.ledger.end(&self.id);
    }

    fn end(&self) {
        self.dead.send_replace(true);
        self.kill_all();
    }

    fn alive(&self) -> Result<(), Error> {
        match *self.dead.borrow() {
            true => Err(Error::Gone),
            false => Ok(()),
        }
    }
}

impl Sandbox {
    pub(super) fn new(
        id: String,
        ledger: Arc<Ledger>,
        script: Box<dyn Fn() -> Script + Send + Sync>,
    ) -> Arc<Self> {
        let (connections, listener) = mpsc::unbounded_channel();
        Arc::new(Self {
            parts: Arc::new(Parts {
                id,
                connections,
                processes: Arc::default(),
                out_of_memory: watch::Sender::new(false),
                dead: watch::Sender::new(false),
                ledger: Arc::clone(&ledger),
            }),
            script,
            ledger,
            listener: Mutex::new(Some(listener)),
        })
    }

    /// Every process ends, and the sandbox.
    pub(super) fn end(&self) {
        self.parts.end();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.parts.end();
    }
}

/// Nothing is ever printed.
struct Silence;

impl Printed for Silence {
    fn try_read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[async_trait]
impl Instance for Sandbox {
    fn take_listener(&self) -> Result<Option<Listener>, Error> {
        let listener = self.listener.lock();
        let listener = listener.unwrap_or_else(PoisonError::into_inner).take();
        Ok(listener.map(|listener| {
            Listener::Other(Box::pin(unfold(listener, async |mut listener| {
                let connection = listener.recv().await?;
                Some((Ok(connection), listener))
            })))
        }))
    }

    fn take_door(&self) -> Result<Option<Listener>, Error> {
        Ok(None)
    }

    fn outlet(&self) -> Result<(Outlet, Output), Error> {
        Ok((Outlet::Numbered(0), Output::Other(Box::new(Silence))))
    }

    async fn connect(&self, _: u16) -> Result<Connection, Error> {
        Err(Error::Gone)
    }

    async fn start(&self, _: Process) -> Result<Started, Error> {
        self.parts.alive()?;
        assert!(
            !self.parts.processes.are_frozen(),
            "{} starts a process while it is frozen",
            self.parts.id
        );
        let inside = Arc::new(Inside {
            id: self.parts.id.clone(),
            script: (self.script)(),
            ledger: Arc::clone(&self.ledger),
            parts: Arc::clone(&self.parts),
        });
        Ok(self.parts.processes.start(process::run(inside)))
    }

    async fn signal(&self, process: u32, _: Signal) -> Result<(), Error> {
        self.parts.alive()?;
        let killed = sandbox::Exit::Signal(9);
        self.parts.processes.end(process, killed);
        Ok(())
    }

    async fn kill_all(&self) -> Result<(), Error> {
        self.parts.alive()?;
        self.parts.processes.set_frozen(false);
        self.parts.kill_all();
        self.parts.out_of_memory.send_replace(false);
        Ok(())
    }

    fn freeze(&self) -> Result<(), Error> {
        self.parts.processes.set_frozen(true);
        Ok(())
    }

    fn thaw(&self) -> Result<(), Error> {
        self.parts.processes.set_frozen(false);
        Ok(())
    }

    fn limit_cpu(&self, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn weigh_cpu(&self, _: CpuWeight) -> Result<(), Error> {
        Ok(())
    }

    fn cpu_used(&self) -> Option<Duration> {
        None
    }

    fn memory_peak_bytes(&self) -> u64 {
        0
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    async fn exhaust(&self) {
        self.parts.out_of_memory.send_replace(true);
        self.parts.end();
    }

    fn out_of_memory(&self) -> watch::Receiver<bool> {
        self.parts.out_of_memory.subscribe()
    }

    fn dead(&self) -> watch::Receiver<bool> {
        self.parts.dead.subscribe()
    }

    fn removed(&self) -> watch::Receiver<bool> {
        // Nothing is left of it as soon as it ends.
        self.parts.dead.subscribe()
    }

    async fn destroy(&self) {
        self.parts.end();
    }
}
