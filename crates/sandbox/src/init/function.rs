//! Starting one of the function's processes: from a copy of init to a program without any right.
//!
//! ```text
//!   fork into the cgroup ──▶ v1 cgroups, cgroup namespace ──▶ session, streams, limits
//!     ──▶ user 993, no capabilities ──▶ seccomp ──▶ exec
//!                     └── a failure anywhere ──▶ five bytes through a pipe that exec closes
//! ```

use std::ffi::CString;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use libc::sock_filter;

use crate::message::Stage;
use crate::spec::{FUNCTION_GID, FUNCTION_UID};
use crate::sys::privileges::{self, Resource};
use crate::sys::processes::{self, Side, SingleThreaded};
use crate::sys::{files, namespaces, signals};

/// What all processes of a sandbox are started with.
pub(super) struct Launch<'a> {
    pub(super) cgroup: OwnedFd,
    pub(super) entrances: Vec<OwnedFd>,
    pub(super) null: OwnedFd,
    pub(super) open_files_max: u32,
    pub(super) filter: &'a [sock_filter],
    pub(super) alone: SingleThreaded,
}

/// What one of them is.
pub(super) struct Program {
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) directory: CString,
    pub(super) output: OwnedFd,
}

/// The steps, by the number that a failing child reports.
const STEPS: &[&str] = &[
    "enter the cgroups",
    "hide the cgroups",
    "leave init's session",
    "connect the streams",
    "set the limits",
    "become the function's user",
    "enter the working directory",
    "filter system calls",
    "execute the program",
];
const CHANGE_DIRECTORY: u8 = 6;
const EXECUTE: u8 = 8;

/// Why a process was not started: in which stage, at which step, with which error.
pub(super) type Failure = (Stage, &'static str, i32);

impl Launch<'_> {
    /// Forks. The pipe tells how it went, see [`read_report`].
    pub(super) fn fork(&self, program: Program) -> io::Result<(i32, PipeReader)> {
        let (report, mut reporter) = io::pipe()?;
        match processes::fork(self.alone, 0, Some(self.cgroup.as_fd()))? {
            Side::Parent(child) => Ok((child.pid, report)),
            Side::Child => {
                let work = std::panic::AssertUnwindSafe(|| self.become_program(&program));
                if let Ok((step, error)) = std::panic::catch_unwind(work) {
                    tell(&mut reporter, step, &error);
                }
                processes::exit_now(127)
            }
        }
    }

    /// Returns only with the step that failed.
    fn become_program(&self, program: &Program) -> (u8, io::Error) {
        let steps: [&dyn Fn() -> io::Result<()>; 8] = [
            &|| self.enter_cgroups(),
            // It then sees its own cgroup as the root, and no names of ours.
            &namespaces::unshare_cgroups,
            &processes::new_session,
            &|| self.connect_streams(program),
            &|| self.set_limits(),
            &|| self.drop_rights(),
            &|| {
                std::env::set_current_dir(std::ffi::OsStr::from_bytes(program.directory.as_bytes()))
            },
            &|| privileges::install_filter(self.filter),
        ];
        for (number, step) in (0..).zip(steps) {
            if let Err(error) = step() {
                return (number, error);
            }
        }
        let path = program.argv.first().map_or(c"", CString::as_c_str);
        (
            EXECUTE,
            processes::execute(path, &program.argv, &program.env),
        )
    }

    fn enter_cgroups(&self) -> io::Result<()> {
        for entrance in &self.entrances {
            File::from(entrance.try_clone()?).write_all(b"0")?;
        }
        Ok(())
    }

    fn connect_streams(&self, program: &Program) -> io::Result<()> {
        files::duplicate_onto(self.null.as_fd(), 0)?;
        files::duplicate_onto(program.output.as_fd(), 1)?;
        files::duplicate_onto(program.output.as_fd(), 2)?;
        files::close_on_exec_from(3)
    }

    fn set_limits(&self) -> io::Result<()> {
        privileges::limit(Resource::OpenFiles, u64::from(self.open_files_max))?;
        privileges::limit(Resource::Core, 0)?;
        // Whatever the owner itself was given.
        privileges::limit(Resource::RealTimePriority, 0)?;
        privileges::limit(Resource::Niceness, 0)
    }

    fn drop_rights(&self) -> io::Result<()> {
        signals::unblock_all();
        privileges::become_user(FUNCTION_UID, FUNCTION_GID)?;
        privileges::set_capabilities(0)
    }
}

fn tell(reporter: &mut PipeWriter, step: u8, error: &io::Error) {
    let errno = error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes();
    // If even this fails, the exit status 127 says the rest.
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
