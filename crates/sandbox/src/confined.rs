//! Processes input from untrusted clients, in a process that sees one folder and may do nothing else.
//!
//! ```text
//!   owner ──exec──▶ guard (its own program, one thread; still the host's root)
//!                     │ a user namespace of one number, a copy of the folder's mount
//!                     │ clone3: new mount, pid, net, ipc, uts namespaces
//!                     ▼
//!                   worker: the folder is its root ──▶ user without rights ──▶ limits, seccomp ──▶ work
//!                     └── its report through a pipe, which closes when all work has ended
//! ```
//!
//! What [`confine`] runs is no sandbox of a function: it has no network interface, no `/proc`, no
//! program to execute and some sixty system calls. When its owner ends, the kernel ends it, like
//! everything else.

mod inside;

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sys::confinement;

pub use inside::become_confined_if_asked;

/// A guard's name: the first word of its command line.
const CALLED: &str = "lambent-confined";
/// This program, even if its file has been replaced since it was started.
const MYSELF: &str = "/proc/self/exe";
/// How long a killed one may take to exit.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// What a confined process is to do, and within which bounds.
#[derive(Debug)]
pub struct Confined<'a> {
    /// Arguments for the work that [`become_confined_if_asked`] was given. Others on the machine may
    /// see them.
    pub words: &'a [String],
    /// The folder that will be the process's root. It must be `user`'s, or let `user` pass.
    pub root: BorrowedFd<'a>,
    /// A file it may read.
    pub input: OwnedFd,
    /// The host's user, and group, that it becomes. Not 0, and used by nothing else.
    pub user: u32,
    /// How long it may take. Its processor time has the same bound, in whole seconds.
    pub within: Duration,
    /// Bytes of each file that it writes.
    pub file_bytes_max: u64,
    /// Bytes of its report that are read.
    pub report_bytes_max: usize,
}

/// Has the work done and returns its report, which is empty if it crashed. Blocks; when it returns,
/// nothing of the work is still running. `TimedOut` if it was killed for taking too long. The report is
/// to be trusted no more than the input of the work.
pub fn confine(task: Confined<'_>) -> io::Result<Vec<u8>> {
    if task.user == 0 || inside::asked() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let deadline = Instant::now() + task.within;
    let (mut reader, writer) = io::pipe()?;
    let bounds = [
        u64::from(task.user),
        task.within.as_secs().max(1),
        task.file_bytes_max,
    ];
    let mut guard = {
        let mut command = Command::new(MYSELF);
        command.arg0(CALLED).env_clear();
        command.args(bounds.map(|bound| bound.to_string()));
        command.args(task.words);
        // Three descriptors are all it needs, and a program is started with three.
        command.stdin(Stdio::from(task.input));
        command.stdout(Stdio::from(OwnedFd::from(writer)));
        command.stderr(Stdio::from(task.root.try_clone_to_owned()?));
        command.spawn()?
        // Our own ends are closed with the command.
    };
    let mut report = Vec::new();
    let read = read_until(&mut reader, deadline, task.report_bytes_max, &mut report);
    if read.is_err() {
        end(&mut guard, &mut reader);
    }
    // It has ended, or was killed.
    guard.wait()?;
    read.map(|()| report)
}

/// Kills a guard, and with it its worker, and waits until both have exited.
fn end(guard: &mut Child, reader: &mut PipeReader) {
    // It may have ended by itself.
    let _ = guard.kill();
    let gone = read_until(reader, Instant::now() + GONE_WITHIN, 0, &mut Vec::new());
    if let Err(error) = gone {
        tracing::error!(%error, "a killed confined process has not exited");
    }
}

/// Reads until all writers have closed. Keeps at most `most` bytes.
fn read_until(
    reader: &mut PipeReader,
    deadline: Instant,
    most: usize,
    report: &mut Vec<u8>,
) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        if !confinement::readable_until(reader.as_fd(), deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                let room = most.saturating_sub(report.len()).min(read);
                report.extend_from_slice(&buffer[..room]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
