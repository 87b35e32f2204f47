//! Starting one of the function's processes: from a copy of init to a program without any rights.
//!
//! ```text
//!   fork into the cgroup ──▶ v1 cgroups, cgroup namespace, session, limits ──▶ user 993, no
//!     capabilities ──▶ seccomp ══ settled ══▶ streams, open files, directory ──▶ exec
//!                     └── a failure anywhere ──▶ five bytes through a pipe that exec closes
//! ```

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use libc::sock_filter;

use crate::channel;
use crate::message::Stage;
use crate::spec::{FUNCTION_GID, FUNCTION_UID};
use crate::sys::privileges::{self, Resource};
use crate::sys::processes::{self, Side, SingleThreaded};
use crate::sys::{files, namespaces, signals, sockets};

/// What all processes of a sandbox are started with.
pub(super) struct Launch<'a> {
    pub(super) cgroup: OwnedFd,
    pub(super) entrances: Vec<OwnedFd>,
    /// `/dev/null`, for standard input.
    pub(super) null: OwnedFd,
    pub(super) users: &'a File,
    pub(super) filter: &'a [sock_filter],
    pub(super) alone: SingleThreaded,
}

/// What one of them is.
pub(super) struct Program {
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) directory: CString,
    pub(super) open_files_max: u32,
    pub(super) output: OwnedFd,
}

/// The steps, by the number that a failing child reports. The first [`SETTLE_STEPS`] and
/// the filter are the same for every program.
const STEPS: &[&str] = &[
    "enter the cgroups",
    "hide the cgroups",
    "leave init's session",
    "set the limits",
    "enter the user namespace",
    "become the function's user",
    "filter system calls",
    "connect the streams",
    "limit open files",
    "enter the working directory",
    "execute the program",
];
const SETTLE_STEPS: usize = 6;
const FILTER: u8 = 6;
const CHANGE_DIRECTORY: u8 = 9;
const EXECUTE: u8 = 10;

/// Memory that a process may lock, as on Lambda: pinned for the kernel's own use, it is counted nowhere
/// else.
const LOCKED_BYTES: u64 = 64 << 10;

/// Processes and threads of the function's user, as on Lambda. The cgroup has a limit of its own beyond it.
const USER_PROCESSES: u64 = 742;

/// Why a process was not started: in which stage, at which step, with which error.
pub(super) type Failure = (Stage, &'static str, i32);

/// A process that is becoming a program.
pub(super) struct Forked {
    pub(super) pid: i32,
    /// Reports how it went, see [`read_report`].
    pub(super) report: PipeReader,
    /// Where it hands over the listener for its calls, before it becomes the program.
    pub(super) settled: OwnedFd,
}

impl Forked {
    /// The listener for its calls, once it is known that it has become the program.
    pub(super) fn listener(&self) -> Option<OwnedFd> {
        let fds = sockets::receive(self.settled.as_fd(), &mut [0], false)
            .ok()?
            .fds?;
        fds.into_iter().next()
    }
}

/// Hands init the listener for this process's calls.
pub(super) fn hand_over(to: BorrowedFd<'_>, listener: Option<OwnedFd>) -> io::Result<()> {
    let listener = listener.as_ref().map(OwnedFd::as_fd);
    sockets::send(to, &[1], listener.as_slice(), true)
}

impl Launch<'_> {
    /// Forks.
    pub(super) fn fork(&self, program: Program) -> io::Result<Forked> {
        let (report, mut reporter) = io::pipe()?;
        let (settled, teller) = channel::pair()?;
        match processes::fork(self.alone, 0, Some(self.cgroup.as_fd()))? {
            Side::Parent(child) => Ok(Forked {
                pid: child.pid,
                report,
                settled,
            }),
            Side::Child => {
                let settle = || {
                    let listener = self.settle(None)?;
                    hand_over(teller.as_fd(), listener).map_err(|error| (FILTER, error))
                };
                let work = std::panic::AssertUnwindSafe(|| match settle() {
                    Err(failed) => failed,
                    Ok(()) => program.become_it(self.null.as_fd()),
                });
                if let Ok((step, error)) = std::panic::catch_unwind(work) {
                    tell(&mut reporter, step, &error);
                }
                processes::exit_now(127)
            }
        }
    }

    /// Gives up everything that a function's process must not have. `users` if it still is in the
    /// host's user namespace. Returns the listener for its calls, for [`hand_over`].
    pub(super) fn settle(&self, users: Option<&File>) -> Result<Option<OwnedFd>, (u8, io::Error)> {
        let steps: [&dyn Fn() -> io::Result<()>; SETTLE_STEPS] = [
            &|| self.enter_cgroups(),
            // It then sees its own cgroup as the root, and no names of ours.
            &namespaces::unshare_cgroups,
            &processes::new_session,
            &set_limits,
            &|| users.map_or(Ok(()), enter_users),
            &drop_rights,
        ];
        in_order(0, &steps)?;
        privileges::install_filter(self.filter).map_err(|error| (FILTER, error))
    }

    fn enter_cgroups(&self) -> io::Result<()> {
        for entrance in &self.entrances {
            File::from(entrance.try_clone()?).write_all(b"0")?;
        }
        Ok(())
    }
}

impl Program {
    /// Makes a settled process this program. Returns only with the step that failed.
    pub(super) fn become_it(&self, null: BorrowedFd<'_>) -> (u8, io::Error) {
        let directory = OsStr::from_bytes(self.directory.as_bytes());
        let steps: [&dyn Fn() -> io::Result<()>; 3] = [
            &|| self.connect_streams(null),
            &|| privileges::limit(Resource::OpenFiles, u64::from(self.open_files_max)),
            &|| std::env::set_current_dir(directory),
        ];
        if let Err(failed) = in_order(FILTER + 1, &steps) {
            return failed;
        }
        let path = self.argv.first().map_or(c"", CString::as_c_str);
        (EXECUTE, processes::execute(path, &self.argv, &self.env))
    }

    fn connect_streams(&self, null: BorrowedFd<'_>) -> io::Result<()> {
        files::duplicate_onto(null, 0)?;
        files::duplicate_onto(self.output.as_fd(), 1)?;
        files::duplicate_onto(self.output.as_fd(), 2)?;
        files::close_on_exec_from(3)
    }
}

/// Takes steps until one fails; `first` is the number of the first.
fn in_order(first: u8, steps: &[&dyn Fn() -> io::Result<()>]) -> Result<(), (u8, io::Error)> {
    for (number, step) in (first..).zip(steps) {
        step().map_err(|error| (number, error))?;
    }
    Ok(())
}

fn set_limits() -> io::Result<()> {
    privileges::no_core_dumps()?;
    privileges::limit(Resource::LockedMemory, LOCKED_BYTES)?;
    privileges::limit(Resource::Processes, USER_PROCESSES)?;
    // The limits and settings that the owner itself was given.
    privileges::limit(Resource::RealTimePriority, 0)?;
    privileges::limit(Resource::Niceness, 0)
}

/// Enters the sandbox's user namespace, with rights there that cannot be regained once given up.
pub(super) fn enter_users(users: &File) -> io::Result<()> {
    namespaces::enter_users(users.as_fd())?;
    // Not before: entering a user namespace fills the set again.
    privileges::drop_bounding_set()?;
    privileges::lock_secure_bits()
}

fn drop_rights() -> io::Result<()> {
    signals::unblock_all();
    privileges::become_user(FUNCTION_UID, FUNCTION_GID)?;
    privileges::set_capabilities(0)?;
    privileges::no_new_privileges()?;
    // Until it executes something it still has init's memory.
    privileges::not_inspectable()
}

pub(super) fn tell(reporter: &mut PipeWriter, step: u8, error: &io::Error) {
    let errno = error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes();
    // If even this fails, the exit status 127 reports it.
    let _ = reporter.write_all(&[step, errno[0], errno[1], errno[2], errno[3]]);
}

/// How a start went: `None` when the program runs (or died as it began to). Blocks no longer than the
/// child takes to get that far.
pub(super) fn read_report(report: &mut PipeReader) -> io::Result<Option<Failure>> {
    let mut bytes = Vec::with_capacity(5);
    report.take(5).read_to_end(&mut bytes)?;
    let Ok([step, errno @ ..]) = <[u8; 5]>::try_from(bytes) else {
        return Ok(None);
    };
    let stage = match step {
        CHANGE_DIRECTORY => Stage::Directory,
        EXECUTE => Stage::Execute,
        _ => Stage::Prepare,
    };
    let step = STEPS
        .get(usize::from(step))
        .copied()
        .unwrap_or("start the program");
    Ok(Some((stage, step, i32::from_le_bytes(errno))))
}
