//! A sandbox's init: the first process of its pid namespace, and the only one of ours in there.
//!
//! ```text
//!   forked by the spawner ──▶ begin: network, /proc, a standby ──▶ wait in the pool for Furnish
//!     ──▶ finish: mounts, host name ──▶ give up: user namespace, rights ──▶ Ready
//!     ──▶ serve: Start, Signal, KillAll, [`interfaces`] ──▶ until the owner's socket closes, or SIGKILL
//! ```
//!
//! It is user 0 of a user namespace that owns nothing but itself: the mount, network, pid, ipc and uts
//! namespaces belong to the host's, so being 0 in here gives no right over any of them. The function
//! runs as yet another user, cannot look into this process, signal it, or reach its socket. Init never
//! executes a program itself and reads nothing that a function wrote: it sees only that its processes
//! ended, and how.

mod function;
mod furnish;
mod interfaces;
mod standby;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use libc::sock_filter;

use crate::channel::{Channel, Received};
use crate::error::Error;
use crate::message::{Event, Furnish, Request, Stage};
use crate::spec::Exit;
use crate::sys::processes::{self, Reaped, SingleThreaded};
use crate::sys::{files, signals};
use function::Forked;
use interfaces::Interfaces;
use standby::Standby;

/// What the spawner gives a new sandbox.
pub(crate) struct Setup<'a> {
    /// The host's user that is 0 inside.
    pub(crate) uid: u32,
    pub(crate) control: OwnedFd,
    /// For messages, allocated by the spawner: doing so here costs a dozen page faults.
    pub(crate) buffer: Vec<u8>,
    pub(crate) network: OwnedFd,
    /// The v2 cgroup of the function's processes.
    pub(crate) function: OwnedFd,
    /// What a process writes "0" to, to enter the v1 cgroups.
    pub(crate) entrances: Vec<OwnedFd>,
    pub(crate) users: &'a File,
    pub(crate) filter: &'a [sock_filter],
    pub(crate) alone: SingleThreaded,
}

/// The prefix of a failed step that was to mount a shared folder; the folder's name follows.
pub(crate) const SHARE_STEP: &str = "show the shared folder ";

/// The two parts of an error that fit a message.
pub(crate) fn step_and_errno(error: &Error) -> (String, i32) {
    match error {
        Error::Step { step, source } => (step.clone(), source.raw_os_error().unwrap_or(libc::EIO)),
        Error::Share { name, source } => (
            format!("{SHARE_STEP}{name}"),
            source.raw_os_error().unwrap_or(libc::EIO),
        ),
        other => (other.to_string(), libc::EPROTO),
    }
}

/// The error that descriptors are lost since this process can have no more.
pub(crate) fn lost(step: &'static str) -> Error {
    Error::step(step)(io::Error::from_raw_os_error(libc::EMFILE))
}

/// The init's whole life.
pub(crate) fn run(setup: Setup<'_>) {
    let Setup {
        uid,
        control,
        mut buffer,
        network,
        function,
        entrances,
        users,
        filter,
        alone,
    } = setup;
    let keep: Vec<i32> = [&control, &network, &function]
        .into_iter()
        .chain(&entrances)
        .map(|fd| fd.as_raw_fd())
        .chain([0, 1, 2, users.as_raw_fd()])
        .collect();
    // What any sandbox has, before it is known which this one will be.
    let begun = files::close_all_but(&keep)
        .map_err(Error::step("close the spawner's descriptors"))
        .and_then(|()| furnish::begin(network));
    let begun = begun.map(|null| function::Launch {
        cgroup: function,
        entrances,
        null,
        users,
        filter,
        alone,
    });
    // Without one the first start takes longer, and reports what is wrong.
    let standby = begun.as_ref().ok();
    let standby = standby.and_then(|launch| Standby::fork(launch, &mut buffer).ok());
    let mut channel = Channel::with_buffer(control, buffer);
    let (wanted, trees) = match channel.receive::<Furnish>() {
        Ok(Received::Message(wanted, trees)) => (wanted, Ok(trees)),
        Ok(Received::Cut(wanted)) => (wanted, Err(lost("take a sandbox's folders"))),
        Ok(Received::Closed) | Err(_) => return,
    };
    let finished = begun.and_then(|launch| {
        let trees = trees?;
        let tmp = furnish::finish(&wanted, trees, &launch, uid)?;
        Ok((tmp, launch))
    });
    let ready = match &finished {
        Ok(_) => Event::Ready,
        Err(error) => {
            let (step, errno) = step_and_errno(error);
            Event::Failed { step, errno }
        }
    };
    let tmp = finished.as_ref().ok().map(|(tmp, _)| tmp.as_fd());
    let sent = channel.send(&ready, tmp.as_slice());
    let (Ok(()), Ok((tmp, launch))) = (sent, finished) else {
        return;
    };
    drop(tmp);
    let Ok(children) = signals::watch_children() else {
        return;
    };
    let mut serving = Serving {
        channel: &mut channel,
        launch,
        open_files_max: wanted.open_files_max,
        standby,
        children,
        interfaces: Interfaces::new(),
        starting: BTreeMap::new(),
        started: BTreeSet::new(),
    };
    // An error means that the owner has ended; when this process ends, so does everything inside.
    let _ = serving.serve();
}

/// A process that has been forked and has not yet reported whether it could be executed.
struct Starting {
    request: u32,
    forked: Forked,
}

struct Serving<'a> {
    channel: &'a mut Channel,
    launch: function::Launch<'a>,
    open_files_max: u32,
    /// The process that waits to be the first program, until it is.
    standby: Option<Standby>,
    /// Readable when a child may have ended.
    children: OwnedFd,
    interfaces: Interfaces,
    starting: BTreeMap<i32, Starting>,
    started: BTreeSet<i32>,
}

impl Serving<'_> {
    fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        loop {
            let starting: Vec<i32> = self.starting.keys().copied().collect();
            let reports = self.starting.values();
            let reports = reports.map(|one| one.forked.report.as_raw_fd());
            let fds: Vec<i32> = [self.channel.as_raw_fd(), self.children.as_raw_fd()]
                .into_iter()
                .chain(reports)
                .chain(self.interfaces.descriptors())
                .collect();
            files::wait_readable(&fds, &mut ready)?;
            // Started is sent before Exited, whichever was seen first.
            for (pid, _) in starting
                .iter()
                .zip(&ready[2..])
                .filter(|(_, ready)| **ready)
            {
                self.conclude_start(*pid)?;
            }
            if ready[2 + starting.len()..].contains(&true) {
                self.interfaces.answer()?;
            }
            if ready[1] {
                self.reap_ended()?;
            }
            if ready[0] {
                match self.channel.receive::<Request>()? {
                    Received::Message(request, fds) => self.handle(request, fds)?,
                    // Only a start has some, and reports that it has not received them.
                    Received::Cut(request) => self.handle(request, Vec::new())?,
                    Received::Closed => return Ok(()),
                }
            }
        }
    }

    fn handle(&mut self, request: Request, fds: Vec<OwnedFd>) -> io::Result<()> {
        match request {
            Request::Start {
                request,
                argv,
                env,
                directory,
            } => {
                let Some(output) = fds.into_iter().next() else {
                    let (stage, step) = (Stage::Prepare, "take a process's output".to_owned());
                    let errno = libc::EMFILE;
                    return self.say(&Event::NotStarted {
                        request,
                        stage,
                        step,
                        errno,
                    });
                };
                let program = function::Program {
                    argv,
                    env,
                    directory,
                    open_files_max: self.open_files_max,
                    output,
                };
                let standby = self.standby.take();
                let started = standby.and_then(|standby| standby.start(&program).ok());
                match started.map_or_else(|| self.launch.fork(program), Ok) {
                    Ok(forked) => {
                        self.starting
                            .insert(forked.pid, Starting { request, forked });
                        Ok(())
                    }
                    Err(error) => {
                        let errno = error.raw_os_error().unwrap_or(libc::EIO);
                        let (stage, step) = (Stage::Prepare, "fork a process".to_owned());
                        self.say(&Event::NotStarted {
                            request,
                            stage,
                            step,
                            errno,
                        })
                    }
                }
            }
            Request::Signal {
                request,
                pid,
                signal,
            } => {
                let errno = self.signal(pid, signal);
                self.say(&Event::Signalled { request, errno })
            }
            Request::KillAll { request } => {
                self.kill_all()?;
                self.say(&Event::Killed { request })
            }
        }
    }

    /// Only processes that were started and not yet reaped: their numbers are theirs alone.
    fn signal(&self, pid: u32, signal: i32) -> i32 {
        match i32::try_from(pid) {
            Ok(pid) if self.started.contains(&pid) => match processes::signal(pid, signal) {
                Ok(()) => 0,
                Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
            },
            _ => libc::ESRCH,
        }
    }

    fn kill_all(&mut self) -> io::Result<()> {
        loop {
            processes::kill_everyone_else()?;
            match processes::reap(true)? {
                Reaped::Ended(pid, exit) => self.ended(pid, exit)?,
                Reaped::Nothing | Reaped::NoChild => return Ok(()),
            }
        }
    }

    fn reap_ended(&mut self) -> io::Result<()> {
        // One signal may stand for many children: empty the queue, then ask for all.
        let mut queue = File::from(self.children.try_clone()?);
        while queue.read(&mut [0; 128]).is_ok_and(|length| length > 0) {}
        while let Reaped::Ended(pid, exit) = processes::reap(false)? {
            self.ended(pid, exit)?;
        }
        Ok(())
    }

    /// A child was reaped. Those that were never started here are a function's orphans.
    fn ended(&mut self, pid: i32, exit: Exit) -> io::Result<()> {
        self.conclude_start(pid)?;
        if self.started.remove(&pid) {
            self.say(&Event::Exited {
                pid: pid as u32,
                exit,
            })?;
        }
        Ok(())
    }

    /// Reads how the start of `pid` went, if it is starting.
    fn conclude_start(&mut self, pid: i32) -> io::Result<()> {
        let Some(Starting {
            request,
            mut forked,
        }) = self.starting.remove(&pid)
        else {
            return Ok(());
        };
        match function::read_report(&mut forked.report)? {
            None => {
                if let Some(listener) = forked.listener() {
                    self.interfaces.listen(listener);
                }
                self.started.insert(pid);
                self.say(&Event::Started {
                    request,
                    pid: pid as u32,
                })
            }
            Some(failure) => {
                let (stage, step, errno) = failure;
                self.say(&Event::NotStarted {
                    request,
                    stage,
                    step: step.to_owned(),
                    errno,
                })
            }
        }
    }

    fn say(&self, event: &Event) -> io::Result<()> {
        self.channel.send(event, &[])
    }
}
