//! A spawner: the small process that sandboxes are forked from.
//!
//! It is the owner's own program, executed again: so it has one thread and may fork at the price of a
//! few pages, it holds none of the owner's memory, and it can be started whenever one is missing. It
//! lives in the root that its sandboxes will have, so that they need no pivot; it does one thing after
//! another and ends when the owner's socket closes.
//!
//! ```text
//!   wait for Build ──▶ the root ──▶ Created, request 0
//!   wait for Create ──▶ user namespace of that uid (made once, kept) ──▶ clone3 ──▶ [`crate::init`]
//!                   ◀── Created, with the process's handle
//! ```

mod etc;
mod lambda;
mod root;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use libc::sock_filter;

use crate::channel::{Channel, Received};
use crate::error::Error;
use crate::init;
use crate::message::{Build, Create, MESSAGE_BYTES_MAX, Spawned};
use crate::seccomp;
use crate::sys::processes::{self, Side, SingleThreaded};
use crate::sys::{files, privileges, signals};
use crate::users::{self, Maps};

pub(crate) use root::{EMPTY, PRIVATE};

/// A spawner's name: the first word of its command line. The second says whose it is.
const CALLED: &str = "lambent-spawner";
/// This program, even if its file has been replaced since it was started.
const MYSELF: &str = "/proc/self/exe";

/// In a process that [`start`] made, does a spawner's work and does not return; in any other, does
/// nothing. A program that makes sandboxes has to call it before everything else: a spawner must have
/// one thread, and needs nothing of what the program otherwise does.
pub fn become_spawner_if_asked() {
    if !asked() {
        return;
    }
    let work = || {
        // The owner's socket came as the standard input.
        let socket = io::stdin().as_fd().try_clone_to_owned();
        let alone = SingleThreaded::prove();
        if let (Ok(socket), Ok(alone)) = (socket, alone) {
            run(socket, alone);
        }
    };
    // The program's own code must not continue in this process, whatever happens.
    let _ = std::panic::catch_unwind(work);
    processes::exit_now(1);
}

fn asked() -> bool {
    let mut words = std::env::args_os();
    words.next().as_deref() == Some(OsStr::new(CALLED)) && words.count() == 1
}

/// Hides this process's memory from others: it leaves no core dump, and only a process that may look
/// into any process may look into it. The same for what it starts, as far as dumps are concerned.
pub fn keep_secrets() -> Result<(), Error> {
    privileges::no_core_dumps()
        .and_then(|()| privileges::not_inspectable())
        .map_err(Error::step("keep this process's memory to itself"))
}

/// Starts a spawner whose end of the socket is `socket`. It lives for as long as the calling thread at
/// most, and has nothing of this process's environment. `label` is shown in lists of processes.
pub(crate) fn start(socket: OwnedFd, label: &str) -> Result<Child, Error> {
    if asked() {
        // It would start another, and that one too.
        return Err(Error::NotFirst);
    }
    let mut command = Command::new(MYSELF);
    command.arg0(CALLED).arg(label).env_clear();
    command.stdin(Stdio::from(socket));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(Error::step("start a spawner"))
}

/// The spawner's life.
fn run(socket: OwnedFd, alone: Option<SingleThreaded>) {
    let mut channel = Channel::new(socket);
    let Ok(Received::Message(build, _)) = channel.receive::<Build>() else {
        return;
    };
    let settled = alone.ok_or(Error::NotFirst).and_then(|alone| {
        settle(&channel)?;
        root::build(&build)?;
        Ok(alone)
    });
    let first = match &settled {
        Ok(_) => Spawned::Created { request: 0 },
        Err(error) => failed(0, error),
    };
    // A failure to send means that the owner has ended: so this process ends too.
    let (Ok(()), Ok(alone)) = (channel.send(&first, &[]), settled) else {
        return;
    };
    let mut spawning = Spawning {
        alone,
        users: BTreeMap::new(),
        filter: seccomp::filter(),
        buffer: vec![0; MESSAGE_BYTES_MAX],
    };
    loop {
        let (request, created) = match channel.receive::<Create>() {
            Ok(Received::Message(create, fds)) => (create.request, spawning.create(create, fds)),
            Ok(Received::Cut(create)) => (
                create.request,
                Err(init::lost("take a sandbox's descriptors")),
            ),
            Ok(Received::Closed) | Err(_) => return,
        };
        let answered = match created {
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

/// Detaches this process from what it inherited; it still ends with its owner.
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
    // Half the scale: if the machine runs out of memory, sandboxes are killed before their owner.
    fs::write("/proc/self/oom_score_adj", "500")
        .map_err(Error::step("offer to be killed first"))?;
    files::set_creation_mask(0o022);
    // Here, where the host's rights are: what is forked from this process no longer has them.
    privileges::lift_limits().map_err(Error::step("lift the limits that were inherited"))
}

/// What making sandboxes needs.
struct Spawning {
    alone: SingleThreaded,
    /// User namespaces by the host's user that is 0 inside. Kept, as they are nothing but a map of
    /// numbers; a later sandbox with the same number finds nothing in it.
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
