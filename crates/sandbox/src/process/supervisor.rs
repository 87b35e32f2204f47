//! The task of one sandbox: receives its init's messages, watches its memory, sees it end.
//!
//! It holds everything the sandbox's callers share and ends by itself once init has: then every waiter
//! gets its answer. Nothing that a function does can prevent that.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::unix::AsyncFd;
use tokio::sync::{oneshot, watch};

use super::cpu::Cpu;
use super::locked;
use super::watching::{Frozen, Watching};
use crate::cgroup::Group;
use crate::channel::{AsyncChannel, Received};
use crate::error::Error;
use crate::message::{Event, Request, Stage};
use crate::spec::{Exit, Started};
use crate::sys::{files, processes};

/// The number of a request whose answer nobody waits for.
const NOBODY: u32 = 0;

/// What waits for an answer of init's.
pub(super) enum Waiter {
    /// For the start of this program in this directory.
    Start(oneshot::Sender<Result<Started, Error>>, String, String),
    /// For a signal or a killing.
    Done(oneshot::Sender<Result<(), Error>>),
}

/// What a sandbox's callers and its supervisor share.
pub(super) struct Inside {
    pub(super) id: String,
    pub(super) channel: AsyncChannel,
    /// Readable when init, and so everything in the sandbox, has ended.
    pub(super) process: AsyncFd<OwnedFd>,
    pub(super) group: Group,
    /// Says how many sockets there are.
    pub(super) sockets: File,
    pub(super) cpu: Mutex<Cpu>,
    /// The function's memory, without `/tmp`.
    pub(super) memory_bytes: u64,
    /// The root of the sandbox's `/tmp`, once it is ready. Taken away when it is destroyed.
    pub(super) tmp: Mutex<Option<OwnedFd>>,
    pub(super) frozen: Frozen,
    pub(super) ready: watch::Sender<Readiness>,
    pub(super) out_of_memory: watch::Sender<bool>,
    pub(super) dead: watch::Sender<bool>,
    pub(super) waiters: Mutex<BTreeMap<u32, Waiter>>,
    pub(super) next_request: AtomicU32,
    /// The started processes, by number inside.
    pub(super) exits: Mutex<BTreeMap<u32, oneshot::Sender<Exit>>>,
    /// How many processes the kernel had killed for lack of memory at the last check.
    pub(super) memory_kills: AtomicU32,
    /// Set when init has ended: nobody is to wait for it any more.
    pub(super) closed: AtomicBool,
}

/// How far a new sandbox is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Making,
    Ready,
    Failed {
        step: String,
        errno: i32,
    },
    /// Init has ended instead.
    Gone,
}

/// The task. Ends when init has.
pub(super) async fn supervise(inside: Arc<Inside>) {
    let mut hearing = true;
    let mut watching = Watching::begin(Arc::clone(&inside));
    loop {
        tokio::select! {
            biased;
            event = inside.channel.receive::<Event>(), if hearing => match event {
                Ok(Received::Message(event, fds)) => inside.handle(event, fds).await,
                Ok(Received::Cut(_)) => {
                    hearing = false;
                    inside.give_up(&io::Error::from_raw_os_error(libc::EMFILE));
                }
                Ok(Received::Closed) => hearing = false,
                Err(error) => {
                    hearing = false;
                    // An init that was killed with an unread message of ours also ends this way.
                    if error.kind() != io::ErrorKind::ConnectionReset {
                        inside.give_up(&error);
                    }
                }
            },
            _ = inside.process.readable() => break,
            () = watching.due() => watching.look().await,
        }
    }
    inside.close();
}

impl Inside {
    /// Kills everything in it. It ends by that; see [`Inside::process`].
    pub(super) fn kill(&self) {
        let killed = processes::signal_handle(self.process.get_ref().as_fd(), libc::SIGKILL);
        if let Err(error) = killed {
            let error = &error as &dyn std::error::Error;
            tracing::error!(sandbox = self.id, error, "cannot kill a sandbox");
        }
    }

    /// A message of init's is lost. Its waiter must not wait forever, and the content of the message is
    /// not known: the sandbox ends.
    fn give_up(&self, error: &io::Error) {
        let told = error as &dyn std::error::Error;
        tracing::error!(
            sandbox = self.id,
            error = told,
            "a word of a sandbox's init is lost; it is killed"
        );
        let failed = Readiness::Failed {
            step: "hear a sandbox's init".to_owned(),
            errno: error.raw_os_error().unwrap_or(libc::EPROTO),
        };
        self.ready.send_if_modified(|readiness| {
            let making = *readiness == Readiness::Making;
            if making {
                *readiness = failed;
            }
            making
        });
        self.kill();
    }

    /// Whether the kernel has killed since the last call.
    pub(super) fn kernel_killed(&self) -> io::Result<bool> {
        let kills = self.group.controllers().memory_kills()? as u32;
        Ok(self.memory_kills.swap(kills, Ordering::AcqRel) != kills)
    }

    /// Has init kill the function's processes. Nothing that is started later can be hit: a caller that
    /// killed all before starting again has received the answer from this task, and not before this was
    /// sent.
    pub(super) async fn kill_for_memory(&self) -> io::Result<()> {
        // Noted first, then done: callers that see the processes end can see why.
        self.out_of_memory.send_replace(true);
        self.lift_cpu();
        self.channel
            .send(&Request::KillAll { request: NOBODY }, &[])
            .await
    }

    /// What `/tmp` holds.
    pub(super) fn tmp_bytes(&self) -> u64 {
        let tmp = locked(&self.tmp);
        tmp.as_ref()
            .and_then(|tmp| files::bytes_used(tmp.as_fd()).ok())
            .unwrap_or(0)
    }

    async fn handle(&self, event: Event, fds: Vec<OwnedFd>) {
        match event {
            Event::Ready => {
                *locked(&self.tmp) = fds.into_iter().next();
                self.ready.send_replace(Readiness::Ready);
            }
            Event::Failed { step, errno } => {
                self.ready.send_replace(Readiness::Failed { step, errno });
            }
            Event::Started { request, pid } => {
                let (exit, exited) = oneshot::channel();
                locked(&self.exits).insert(pid, exit);
                self.started(request, Ok(Started { id: pid, exited }));
            }
            Event::NotStarted {
                request,
                stage,
                step,
                errno,
            } => {
                self.not_started(request, stage, step, errno);
            }
            Event::Signalled { request, errno } => self.done(
                request,
                match errno {
                    0 => Ok(()),
                    libc::ESRCH => Err(Error::NoSuchProcess),
                    errno => Err(Error::Step {
                        step: "signal a process".to_owned(),
                        source: io::Error::from_raw_os_error(errno),
                    }),
                },
            ),
            Event::Killed { request } => self.done(request, Ok(())),
            Event::Exited { pid, exit } => self.exited(pid, exit).await,
        }
    }

    async fn exited(&self, pid: u32, exit: Exit) {
        // The kernel's kill may become known only after this: check before answering.
        if exit == Exit::Signal(libc::SIGKILL) && self.kernel_killed().unwrap_or(false) {
            // If this fails, the check at the mark does it again.
            let _ = self.kill_for_memory().await;
        }
        if let Some(waiter) = locked(&self.exits).remove(&pid) {
            // The caller may ignore how a process ends.
            let _ = waiter.send(exit);
        }
    }

    fn not_started(&self, request: u32, stage: Stage, step: String, errno: i32) {
        let Some(Waiter::Start(answer, program, directory)) = self.take_waiter(request) else {
            return;
        };
        let error = match stage {
            Stage::Execute => Error::Exec {
                path: program,
                errno,
            },
            Stage::Directory => Error::Directory {
                path: directory,
                errno,
            },
            Stage::Prepare => Error::Step {
                step,
                source: io::Error::from_raw_os_error(errno),
            },
        };
        // The caller may have given up waiting; nothing was started.
        let _ = answer.send(Err(error));
    }

    fn started(&self, request: u32, started: Result<Started, Error>) {
        if let Some(Waiter::Start(answer, ..)) = self.take_waiter(request) {
            // The caller may have given up waiting; the process ends with the sandbox.
            let _ = answer.send(started);
        }
    }

    fn done(&self, request: u32, result: Result<(), Error>) {
        if let Some(Waiter::Done(answer)) = self.take_waiter(request) {
            // The caller may have given up waiting; it is done nevertheless.
            let _ = answer.send(result);
        }
    }

    fn take_waiter(&self, request: u32) -> Option<Waiter> {
        locked(&self.waiters).remove(&request)
    }

    /// Init has ended, or is given up: answers everybody.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Noted first: callers that see processes end can see why.
        self.dead.send_replace(true);
        // Dropping a waiter's sender tells it that the sandbox has ended.
        locked(&self.waiters).clear();
        for (_, exit) in std::mem::take(&mut *locked(&self.exits)) {
            let _ = exit.send(Exit::Signal(libc::SIGKILL));
        }
        self.ready.send_if_modified(|readiness| {
            let gone = *readiness == Readiness::Making;
            if gone {
                *readiness = Readiness::Gone;
            }
            gone
        });
    }
}
