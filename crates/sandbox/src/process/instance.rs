//! One sandbox, as its callers hold it.

use std::ffi::CString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::Interest;
use tokio::sync::{OnceCell, oneshot, watch};
use tokio::task::JoinHandle;

use super::pool::{Prepared, Slot};
use super::spawning::gone_or;
use super::supervisor::{Inside, Readiness, Waiter, supervise};
use super::watching::Frozen;
use super::{Shared, locked};
use crate::cgroup::Limits;
use crate::channel::AsyncChannel;
use crate::engine::{Instance, Usage};
use crate::error::Error;
use crate::init::SHARE_STEP;
use crate::message::{Furnish, MESSAGE_BYTES_MAX, Message as _, Request};
use crate::spec::{Process, Signal, Spec, Started};
use crate::sys::{namespaces, processes, reactor};

/// How long a killed init may take to end: it waits for every process inside, the kernel for none.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long cgroups may stay busy after their last process ended.
const REMOVE_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection into a sandbox may take: nobody is further away than the loopback.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How often busy ones are tried.
const REMOVE_EVERY: Duration = Duration::from_micros(500);

/// A sandbox: what is shared with its supervisor, and what only its end needs.
pub(super) struct Sandbox {
    number: u64,
    inside: Arc<Inside>,
    listener: Mutex<Option<TcpListener>>,
    door: Mutex<Option<TcpListener>>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    /// Its users are free for others once it is destroyed.
    slot: Mutex<Option<Slot>>,
    destroyed: OnceCell<()>,
}

impl Sandbox {
    /// Takes over a prepared one and its supervision. It is not ready yet.
    pub(super) fn begin(spec: &Spec, number: u64, prepared: Prepared) -> Result<Self, Error> {
        let Prepared {
            slot,
            group,
            listener,
            door,
            sockets,
            control,
            process,
        } = prepared;
        let channel = AsyncChannel::new(control).map_err(Error::step("listen to a sandbox"))?;
        let inside = Arc::new(Inside {
            id: spec.id.clone(),
            channel,
            process: reactor::watch(process, Interest::READABLE)
                .map_err(Error::step("watch a sandbox's end"))?,
            group,
            sockets,
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
        Ok(Self {
            number,
            listener: Mutex::new(Some(listener)),
            door: Mutex::new(door),
            supervisor: Mutex::new(Some(tokio::spawn(supervise(Arc::clone(&inside))))),
            inside,
            slot: Mutex::new(Some(slot)),
            destroyed: OnceCell::new(),
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Sets the limits and has init furnish the sandbox, with these folders beside its own.
    pub(super) async fn furnish(
        &self,
        wanted: &Furnish,
        shares: &[BorrowedFd<'_>],
        limits: &Limits,
    ) -> Result<(), Error> {
        let limited = self.inside.group.controllers().limit(limits);
        limited.map_err(Error::step("set the limits"))?;
        let told = self.inside.channel.send(wanted, shares).await;
        told.map_err(gone_or("tell a sandbox what to be"))?;
        let mut ready = self.inside.ready.subscribe();
        let readiness = ready
            .wait_for(|readiness| *readiness != Readiness::Making)
            .await;
        match readiness.map_err(|_| Error::Gone)?.clone() {
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

    /// Ends it. Whoever comes while another does waits for that one.
    pub(super) async fn destroy(&self) {
        self.destroyed.get_or_init(|| self.end()).await;
    }

    async fn end(&self) {
        let inside = &self.inside;
        let killed = processes::signal_handle(inside.process.get_ref().as_fd(), libc::SIGKILL);
        if let Err(error) = killed {
            let error = &error as &dyn std::error::Error;
            tracing::error!(sandbox = inside.id, error, "cannot kill a sandbox");
        }
        let mut dead = inside.dead.subscribe();
        if tokio::time::timeout(END_WITHIN, dead.wait_for(|dead| *dead))
            .await
            .is_err()
        {
            tracing::error!(sandbox = inside.id, "a killed sandbox does not end");
        }
        let supervisor = locked(&self.supervisor).take();
        if let Some(supervisor) = supervisor {
            supervisor.abort();
            // Its end by a panic was reported by the panic; by this abort, it is meant.
            let _ = supervisor.await;
        }
        drop(locked(&self.listener).take());
        drop(locked(&self.door).take());
        drop(locked(&inside.tmp).take());
        self.remove_cgroups().await;
        drop(locked(&self.slot).take());
    }

    async fn remove_cgroups(&self) {
        let remove = async {
            loop {
                match self.inside.group.remove() {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        tokio::time::sleep(REMOVE_EVERY).await;
                    }
                    done => return done,
                }
            }
        };
        let sandbox = &self.inside.id;
        match tokio::time::timeout(REMOVE_WITHIN, remove).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(sandbox, error, "cannot remove a sandbox's cgroups");
            }
            Err(_) => tracing::warn!(sandbox, "a sandbox's cgroups stay busy"),
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
        // Looked at after the insertion: either we see it closed, or closing sees the waiter.
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

/// Connects from within the network of a sandbox's init. This thread is there afterwards.
fn connect_inside(init: BorrowedFd<'_>, port: u16) -> io::Result<TcpStream> {
    namespaces::enter_network(init)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

#[async_trait]
impl Instance for Handle {
    fn take_listener(&self) -> Option<TcpListener> {
        locked(&self.sandbox.listener).take()
    }

    fn take_door(&self) -> Option<TcpListener> {
        locked(&self.sandbox.door).take()
    }

    async fn connect(&self, port: u16) -> Result<TcpStream, Error> {
        let init = self.sandbox.inside.process.get_ref().as_fd();
        let init = init.try_clone_to_owned();
        let init = init.map_err(Error::step("copy a process's handle"))?;
        let (done, connected) = oneshot::channel();
        // A thread of its own, which ends in the namespace it went into.
        let thread = std::thread::Builder::new().name("sandbox-connect".to_owned());
        let spawned = thread.spawn(move || {
            let _ = done.send(connect_inside(init.as_fd(), port));
        });
        spawned.map_err(Error::step("start a thread"))?;
        let connected = connected.await.map_err(|_| Error::Gone)?;
        connected.map_err(Error::step("connect to a port inside"))
    }

    async fn start(&self, process: Process) -> Result<Started, Error> {
        let Process {
            argv,
            env,
            directory,
            output,
        } = process;
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
        answered.await.map_err(|_| Error::Gone)?
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
        let request = self.sandbox.next_request();
        self.sandbox
            .ask_done(request, Request::KillAll { request })
            .await?;
        self.sandbox.inside.out_of_memory.send_replace(false);
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
        let controllers = self.sandbox.inside.group.controllers();
        let limited = controllers.limit_cpu(cpu_millis);
        limited.map_err(Error::step("limit a sandbox's processor"))
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
        // First said: whoever sees its processes end can see why.
        self.sandbox.inside.out_of_memory.send_replace(true);
        self.destroy().await;
    }

    fn out_of_memory(&self) -> watch::Receiver<bool> {
        self.sandbox.inside.out_of_memory.subscribe()
    }

    fn dead(&self) -> watch::Receiver<bool> {
        self.sandbox.inside.dead.subscribe()
    }

    async fn destroy(&self) {
        self.shared.destroy(&self.sandbox).await;
    }
}
