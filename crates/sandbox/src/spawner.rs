//! A spawner: the small process that sandboxes are forked from.
//!
//! It is forked from the owner before any thread exists, so that it may fork in turn at the price of
//! a few pages; it lives in the root that its sandboxes will have, so that they need no pivot; it does
//! one thing after another and ends when the owner's socket does.
//!
//! ```text
//!   wait for Create ──▶ user namespace of that uid (made once, kept) ──▶ clone3 ──▶ [`crate::init`]
//!                   ◀── Created, with the process's handle
//! ```

mod etc;
mod root;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use libc::sock_filter;

use crate::channel::{self, Channel, Received};
use crate::config::{Config, Network, Root};
use crate::error::Error;
use crate::init;
use crate::message::{Create, MESSAGE_BYTES_MAX, Spawned};
use crate::nat;
use crate::seccomp;
use crate::sys::processes::{self, Side, SingleThreaded};
use crate::sys::{files, privileges, signals};
use crate::users::{self, Maps};

pub(crate) use root::{EMPTY, PRIVATE};

/// The spawners of one run, for [`crate::ProcessEngine::start`]. Dropping it ends them.
pub struct Spawners {
    pub(crate) spawners: Vec<Spawner>,
}

/// The owner's end of one.
pub(crate) struct Spawner {
    pub(crate) root: String,
    /// The host folders whose directories it can show, as configured.
    pub(crate) images: PathBuf,
    pub(crate) runtimes: PathBuf,
    pub(crate) socket: OwnedFd,
}

/// Forks a spawner for each root and waits until all their roots stand. Must run before the process
/// has a second thread, and refuses otherwise. Best before secrets are read: the spawners, and the
/// sandboxes' inits, keep a copy of this process's memory (which no function can read). Raises this process's
/// limit of open files as far as it may.
pub fn fork_spawners(config: &Config) -> Result<Spawners, Error> {
    config.check()?;
    let proof = SingleThreaded::prove().map_err(Error::step("count this process's threads"))?;
    let alone = proof.ok_or(Error::Threads)?;
    // Each sandbox takes some fifteen of this process's, and one of its spawner's.
    privileges::raise_open_files().map_err(Error::step("raise the limit of open files"))?;
    let mut spawners = Vec::new();
    for root in &config.roots {
        let (ours, theirs) = channel::pair().map_err(Error::step("make a spawner's socket"))?;
        match processes::fork(alone, 0, None).map_err(Error::step("fork a spawner"))? {
            Side::Child => {
                let work = AssertUnwindSafe(|| run(theirs, root, config, alone));
                // The owner's code must not go on in this process, whatever happens.
                let _ = std::panic::catch_unwind(work);
                processes::exit_now(1);
            }
            Side::Parent(_) => spawners.push(Spawner {
                root: root.name.clone(),
                images: config.images.clone(),
                runtimes: root.runtimes.clone(),
                socket: ours,
            }),
        }
    }
    for spawner in &spawners {
        let socket = spawner
            .socket
            .try_clone()
            .map_err(Error::step("copy a socket"))?;
        match Channel::new(socket).receive::<Spawned>() {
            Ok(Received::Message(Spawned::Created { .. }, _)) => {}
            Ok(Received::Message(Spawned::Failed { step, errno, .. }, _)) => {
                return Err(Error::Step {
                    step,
                    source: io::Error::from_raw_os_error(errno),
                });
            }
            Ok(Received::Closed) => return Err(Error::Gone),
            Err(source) => return Err(Error::step("hear from a spawner")(source)),
        }
    }
    Ok(Spawners { spawners })
}

/// The spawner's life.
fn run(socket: OwnedFd, root: &Root, config: &Config, alone: SingleThreaded) {
    let mut channel = Channel::new(socket);
    let resolvers = match config.network {
        Network::None => Vec::new(),
        Network::Nat(_) => nat::resolvers(),
    };
    let settled = settle(&channel).and_then(|()| root::build(root, &config.images, &resolvers));
    let first = match &settled {
        Ok(()) => Spawned::Created { request: 0 },
        Err(error) => failed(0, error),
    };
    // A failure to speak means that the owner is gone: so is the reason to live.
    if channel.send(&first, &[]).is_err() || settled.is_err() {
        return;
    }
    let mut spawning = Spawning {
        alone,
        users: BTreeMap::new(),
        filter: seccomp::filter(),
        buffer: vec![0; MESSAGE_BYTES_MAX],
    };
    while let Ok(Received::Message(create, fds)) = channel.receive::<Create>() {
        let request = create.request;
        let answered = match spawning.create(create, fds) {
            Ok(handle) => channel.send(&Spawned::Created { request }, &[handle.as_fd()]),
            Err(error) => channel.send(&failed(request, &error), &[]),
        };
        if answered.is_err() {
            return;
        }
    }
}

fn failed(request: u32, error: &Error) -> Spawned {
    let (step, errno) = init::step_and_errno(error);
    Spawned::Failed {
        request,
        step,
        errno,
    }
}

/// Cuts this process loose from what it inherited, all but its life.
fn settle(channel: &Channel) -> Result<(), Error> {
    privileges::die_with_parent().map_err(Error::step("tie a spawner's life to its owner's"))?;
    processes::new_session().map_err(Error::step("leave the owner's session"))?;
    privileges::set_process_name(c"lambent-spawner").map_err(Error::step("name a spawner"))?;
    signals::reset();
    signals::forget_children();
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(Error::step("open /dev/null"))?;
    for stream in 0..=2 {
        files::duplicate_onto(null.as_fd(), stream).map_err(Error::step("drop a stream"))?;
    }
    files::close_all_but(&[0, 1, 2, channel.as_raw_fd()])
        .map_err(Error::step("close inherited descriptors"))?;
    std::mem::forget(null);
    // Half the scale: where the machine runs out of memory, sandboxes go before their owner.
    fs::write("/proc/self/oom_score_adj", "500")
        .map_err(Error::step("offer to be killed first"))?;
    files::set_creation_mask(0o022);
    Ok(())
}

/// What making sandboxes needs.
struct Spawning {
    alone: SingleThreaded,
    /// User namespaces by the host's user that is 0 inside. Kept, as they are nothing but a map of
    /// numbers; a sandbox that comes later under the same number finds nothing in it.
    users: BTreeMap<u32, File>,
    filter: Vec<sock_filter>,
    /// Never used here: each init takes its copy.
    buffer: Vec<u8>,
}

impl Spawning {
    fn create(&mut self, create: Create, fds: Vec<OwnedFd>) -> Result<OwnedFd, Error> {
        if !self.users.contains_key(&create.uid) {
            let proc = Path::new(PRIVATE).join("proc");
            let made = users::make(self.alone, &proc, &Maps::of_sandbox(create.uid));
            let (made, _) = made.map_err(Error::step("make a user namespace"))?;
            self.users.insert(create.uid, made);
        }
        let mut fds = fds.into_iter();
        let mut next = || fds.next().ok_or(Error::Protocol);
        let (control, network, home, function) = (next()?, next()?, next()?, next()?);
        let entrances: Vec<OwnedFd> = fds.collect();
        let forked = processes::fork(
            self.alone,
            processes::SANDBOX_NAMESPACES,
            Some(home.as_fd()),
        );
        match forked.map_err(Error::step("fork a sandbox"))? {
            Side::Parent(child) => Ok(child.handle),
            Side::Child => {
                let users = &self.users[&create.uid];
                let (filter, alone) = (&self.filter, self.alone);
                let setup = init::Setup {
                    uid: create.uid,
                    control,
                    buffer: std::mem::take(&mut self.buffer),
                    network,
                    function,
                    entrances,
                    users,
                    filter,
                    alone,
                };
                let _ = std::panic::catch_unwind(AssertUnwindSafe(|| init::run(setup)));
                processes::exit_now(1);
            }
        }
    }
}
