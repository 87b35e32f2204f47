//! One sandbox, as its callers hold it.

use std::ffi::CString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::Interest;
use tokio::sync::{OnceCell, oneshot, watch};

use super::connecting;
use super::cpu::Cpu;
use super::ending::{END_WITHIN, LIFT_AFTER};
use super::pool::{Prepared, Remains, Slot};
use super::spawning::gone_or;
use super::supervisor::{Inside, Readiness, Waiter, supervise};
use super::watching::Frozen;
use super::{Shared, locked};
use crate::cgroup::Limits;
use crate::channel::AsyncChannel;
use crate::connection::{Connection, Listener};
use crate::engine::{Instance, Usage};
use crate::error::Error;
use crate::init::SHARE_STEP;
use crate::message::{Furnish, MESSAGE_BYTES_MAX, Message as _, Request};
use crate::output::{self, Outlet, Output};
use crate::spec::{CpuWeight, Process, Signal, Spec, Started};
use crate::sys::reactor;

/// How long init may take to furnish a sandbox, which is a millisecond's work: a shared folder's file
/// system may not answer.
const FURNISH_WITHIN: Duration = Duration::from_secs(10);
/// How long killed processes may take to end where their sandbox lives on.
const KILL_WITHIN: Duration = Duration::from_secs(10);
/// How long a process may take from its fork to its program: on a machine that is very busy, seconds.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A sandbox: what is shared with its supervisor, and what only its end needs.
pub(super) struct Sandbox {
    number: u64,
    pub(super) inside: Arc<Inside>,
    pub(super) listener: Mutex<Option<TcpListener>>,
    pub(super) door: Mutex<Option<TcpListener>>,
    /// Its users are free for others once nothing is left of it.
    pub(super) slot: Mutex<Option<Slot>>,
    pub(super) destroyed: OnceCell<()>,
    /// Whether nothing is left of it.
    pub(super) removed: watch::Sender<bool>,
}

impl Sandbox {
    /// Takes over a prepared one and its supervision. It is not ready yet.
    pub(super) fn begin(
        spec: &Spec,
        number: u64,
        prepared: Prepared,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let Prepared {
            slot,
            group,
            listener,
            door,
            sockets,
            control,
            process,
        } = prepared;
        let watched = AsyncChannel::new(control)
            .and_then(|channel| Ok((channel, reactor::watch(process, Interest::READABLE)?)));
        let (channel, process) = match watched {
            Ok(watched) => watched,
            Err(error) => {
                // Its init ends with its control socket.
                shared.reaper.keep(Remains { group, slot }, Remains::gone);
                return Err(Error::step("watch a sandbox")(error));
            }
        };
        let inside = Arc::new(Inside {
            id: spec.id.clone(),
            channel,
            process,
            group,
            sockets,
            cpu: Mutex::new(Cpu::new(shared.host_cpu_millis)),
            memory_bytes: spec.memory_bytes,
            tmp: Mutex::new(None),
            frozen: Frozen::default(),
            ready: watch::Sender::new(Readiness::Making),
            out_of_memory: watch::Sender::new(false),
            dead: watch::Sender::new(false),
            waiters: Mutex::default(),
            next_request: AtomicU32::new(1),
            exits: Mutex::default(),
            memory_kills: AtomicU32::new(0),
            closed: AtomicBool::new(false),
        });
        // It ends by itself when init has, and nothing else ends it: it answers everyone who waits for
        // a message of init's.
        tokio::spawn(supervise(Arc::clone(&inside)));
        Ok(Self {
            number,
            listener: Mutex::new(Some(listener)),
            door: Mutex::new(door),
            inside,
            slot: Mutex::new(Some(slot)),
            destroyed: OnceCell::new(),
            removed: watch::Sender::new(false),
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Sets the limits and has init furnish the sandbox, with these folders in addition to its own.
    pub(super) async fn furnish(
        &self,
        wanted: &Furnish,
        shares: &[BorrowedFd<'_>],
        limits: &Limits,
    ) -> Result<(), Error> {
        let limited = self.inside.limit(limits);
        limited.map_err(Error::step("set the limits"))?;
        let furnished = async {
            let told = self.inside.channel.send(wanted, shares).await;
            told.map_err(gone_or("tell a sandbox what to be"))?;
            let mut ready = self.inside.ready.subscribe();
            let readiness = ready
                .wait_for(|readiness| *readiness != Readiness::Making)
                .await;
            Ok(readiness.map_err(|_| Error::Gone)?.clone())
        };
        match in_time(FURNISH_WITHIN, "furnish a sandbox", furnished).await? {
            Readiness::Failed { step, errno } => {
                let source = io::Error::from_raw_os_error(errno);
                Err(match step.strip_prefix(SHARE_STEP) {
                    Some(name) => Error::Share {
                        name: name.to_owned(),
                        source,
                    },
                    None => Error::Step { step, source },
                })
            }
            Readiness::Gone => Err(Error::Gone),
            Readiness::Making | Readiness::Ready => Ok(()),
        }
    }

    fn next_request(&self) -> u32 {
        self.inside.next_request.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request whose answer goes to `waiter`.
    async fn ask(
        &self,
        number: u32,
        request: &Request,
        fds: &[BorrowedFd<'_>],
        waiter: Waiter,
    ) -> Result<(), Error> {
        locked(&self.inside.waiters).insert(number, waiter);
        // Checked after the insertion: either we see it closed, or closing sees the waiter.
        let sent = if self.inside.closed.load(Ordering::SeqCst) {
            Err(Error::Gone)
        } else {
            self.inside
                .channel
                .send(request, fds)
                .await
                .map_err(gone_or("ask a sandbox's init"))
        };
        if sent.is_err() {
            locked(&self.inside.waiters).remove(&number);
        }
        if matches!(sent, Err(Error::Gone)) {
            // An init that closes its socket is about to end; the trait promises that it has.
            let mut dead = self.inside.dead.subscribe();
            let _ = tokio::time::timeout(END_WITHIN, dead.wait_for(|dead| *dead)).await;
            self.inside.close();
        }
        sent
    }

    async fn ask_done(&self, number: u32, request: Request) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(number, &request, &[], Waiter::Done(answer))
            .await?;
        answered.await.map_err(|_| Error::Gone)?
    }
}

/// A reference to a sandbox; the last one destroys it.
pub(super) struct Handle {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.sandbox.destroyed.initialized() {
            self.shared.destroy_dropped(Arc::clone(&self.sandbox));
        }
    }
}

/// The result of `work`, or an error that names `step` when it takes too long.
async fn in_time<T>(
    limit: Duration,
    step: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::step(step)(io::Error::from_raw_os_error(libc::ETIMEDOUT));
    tokio::time::timeout(limit, work).await.map_err(late)?
}

#[async_trait]
impl Instance for Handle {
    fn take_listener(&self) -> Result<Option<Listener>, Error> {
        connecting::take(&self.sandbox.listener)
    }

    fn take_door(&self) -> Result<Option<Listener>, Error> {
        connecting::take(&self.sandbox.door)
    }

    fn outlet(&self) -> Result<(Outlet, Output), Error> {
        output::pipe()
    }

    async fn connect(&self, port: u16) -> Result<Connection, Error> {
        connecting::connect(self.sandbox.inside.process.get_ref().as_fd(), port).await
    }

    async fn start(&self, process: Process) -> Result<Started, Error> {
        let Process {
            argv,
            env,
            directory,
            output,
        } = process;
        let Outlet::Pipe(output) = output else {
            let (field, rule) = ("output", "an outlet of this sandbox");
            return Err(Error::Invalid { field, rule });
        };
        let text = |text: &CString| text.to_string_lossy().into_owned();
        let rule = "at least the program's path";
        let program = argv.first().map(text).ok_or(Error::Invalid {
            field: "argv",
            rule,
        })?;
        let request = self.sandbox.next_request();
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter::Start(answer, program, text(&directory));
        let start = Request::Start {
            request,
            argv,
            env,
            directory,
        };
        if start.encode().len() > MESSAGE_BYTES_MAX {
            let rule = "below 128 KiB together";
            return Err(Error::Invalid {
                field: "argv and env",
                rule,
            });
        }
        self.sandbox
            .ask(request, &start, &[output.as_fd()], waiter)
            .await?;
        drop(output);
        // After the request, so that a kill for lack of memory on the way cannot leave it lifted.
        if let Err(error) = self.sandbox.inside.restore_cpu() {
            self.sandbox.inside.kill();
            return Err(Error::step("limit a sandbox's processor")(error));
        }
        let answered = async { answered.await.map_err(|_| Error::Gone)? };
        in_time(START_WITHIN, "start a process", answered).await
    }

    async fn signal(&self, process: u32, signal: Signal) -> Result<(), Error> {
        let request = self.sandbox.next_request();
        let signal = match signal {
            Signal::Terminate => libc::SIGTERM,
            Signal::Kill => libc::SIGKILL,
        };
        self.sandbox
            .ask_done(
                request,
                Request::Signal {
                    request,
                    pid: process,
                    signal,
                },
            )
            .await
    }

    async fn kill_all(&self) -> Result<(), Error> {
        self.thaw()?;
        let inside = &self.sandbox.inside;
        let request = self.sandbox.next_request();
        let killed = async {
            let killed = self.sandbox.ask_done(request, Request::KillAll { request });
            let mut killed = std::pin::pin!(killed);
            match tokio::time::timeout(LIFT_AFTER, killed.as_mut()).await {
                Ok(killed) => killed,
                Err(_) => {
                    inside.lift_cpu();
                    killed.await
                }
            }
        };
        in_time(KILL_WITHIN, "kill a sandbox's processes", killed).await?;
        inside.out_of_memory.send_replace(false);
        Ok(())
    }

    fn freeze(&self) -> Result<(), Error> {
        let inside = &self.sandbox.inside;
        inside
            .group
            .set_frozen(true)
            .map_err(Error::step("freeze a sandbox"))?;
        inside.frozen.set(true);
        Ok(())
    }

    fn limit_cpu(&self, cpu_millis: u32) -> Result<(), Error> {
        let limited = self.sandbox.inside.limit_cpu(cpu_millis);
        limited.map_err(Error::step("limit a sandbox's processor"))
    }

    fn weigh_cpu(&self, weight: CpuWeight) -> Result<(), Error> {
        let controllers = self.sandbox.inside.group.controllers();
        let weighed = controllers.weigh_cpu(weight);
        weighed.map_err(Error::step("weigh a sandbox's processor time"))
    }

    fn cpu_used(&self) -> Option<Duration> {
        self.sandbox.inside.group.cpu_used().ok()
    }

    fn thaw(&self) -> Result<(), Error> {
        let inside = &self.sandbox.inside;
        inside.frozen.set(false);
        inside
            .group
            .set_frozen(false)
            .map_err(Error::step("thaw a sandbox"))
    }

    fn memory_peak_bytes(&self) -> u64 {
        let inside = &self.sandbox.inside;
        let peak = inside.group.controllers().memory_peak().unwrap_or(0);
        peak.saturating_sub(inside.tmp_bytes())
    }

    fn usage(&self) -> Usage {
        let controllers = self.sandbox.inside.group.controllers();
        let memory = controllers.memory().unwrap_or_default();
        Usage {
            memory: memory.used.saturating_sub(memory.cache),
            kernel: controllers.memory_kernel().unwrap_or(0),
            processes: controllers.processes().unwrap_or(0),
        }
    }

    async fn exhaust(&self) {
        // Noted first: callers that see its processes end can see why.
        self.sandbox.inside.out_of_memory.send_replace(true);
        self.destroy().await;
    }

    fn out_of_memory(&self) -> watch::Receiver<bool> {
        self.sandbox.inside.out_of_memory.subscribe()
    }

    fn dead(&self) -> watch::Receiver<bool> {
        self.sandbox.inside.dead.subscribe()
    }

    fn removed(&self) -> watch::Receiver<bool> {
        self.sandbox.removed.subscribe()
    }

    async fn destroy(&self) {
        self.shared.destroy(&self.sandbox).await;
    }
}
