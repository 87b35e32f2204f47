//! Processes: forking, executing, waiting, killing.

use std::ffi::{CStr, CString};
use std::io;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::check;
use crate::spec::Exit;

/// Proof that this process had one thread when it was asked for. Forking is safe only then: a lock
/// that another thread held would stay locked in the child for ever.
#[derive(Clone, Copy)]
pub(crate) struct SingleThreaded(PhantomData<*const ()>);

impl SingleThreaded {
    /// Checks. `None` when there are more threads.
    pub(crate) fn prove() -> io::Result<Option<Self>> {
        let threads = std::fs::read_dir("/proc/self/task")?.count();
        Ok((threads == 1).then_some(Self(PhantomData)))
    }
}

/// Which of the two processes this is, after a fork.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The old one.
    Parent(Child),
}

/// A process that was forked.
pub(crate) struct Child {
    /// As this process's pid namespace numbers it.
    pub(crate) pid: i32,
    /// Readable when the process has ended; names it even then.
    pub(crate) handle: OwnedFd,
}

/// New namespaces for a sandbox's first process.
pub(crate) const SANDBOX_NAMESPACES: u64 =
    (libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64;
/// A new user namespace alone.
pub(crate) const USER_NAMESPACE: u64 = libc::CLONE_NEWUSER as u64;
const CLEAR_HANDLERS: u64 = 0x1_0000_0000;
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks, with new namespaces and straight into a cgroup (of the v2 tree) if asked to.
pub(crate) fn fork(
    _: SingleThreaded,
    namespaces: u64,
    cgroup: Option<BorrowedFd<'_>>,
) -> io::Result<Side> {
    let mut handle: libc::c_int = -1;
    // SAFETY: an all-zero clone_args is valid.
    let mut arguments: libc::clone_args = unsafe { MaybeUninit::zeroed().assume_init() };
    arguments.flags = namespaces | CLEAR_HANDLERS | libc::CLONE_PIDFD as u64;
    arguments.pidfd = &raw mut handle as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child gets a copy of all memory and continues with this stack. No
    // other thread exists (the proof), so no lock of the library is held by one that no longer exists.
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<libc::clone_args>(),
        )
    })?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: in the parent the kernel has stored a new descriptor that nobody else owns.
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    Ok(Side::Parent(Child {
        pid: pid as i32,
        handle,
    }))
}

/// Ends this process at once, without anybody's clean-up.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(status) }
}

/// Replaces this process's program. Returns only when that failed.
pub(crate) fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts
            .iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with null and point to terminated strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Makes this process the leader of a new session, without a terminal.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: takes nothing.
    check(unsafe { libc::setsid() })?;
    Ok(())
}

/// The handle of a child that has not been reaped: only then is its number certainly its own.
pub(crate) fn handle_of_child(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes integers.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal to a process by its handle. That it has ended already is no error.
pub(crate) fn signal_handle(handle: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: takes integers; the kernel makes the signal's information itself when given null.
    let sent = check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            handle.as_raw_fd(),
            signal,
            none,
            0,
        )
    });
    ignore_ended(sent)
}

/// Sends a signal to a process by number. That it has ended already is no error.
pub(crate) fn signal(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes integers.
    ignore_ended(check(unsafe { libc::kill(pid, signal) }))
}

/// Kills every process of this pid namespace but this one, which is its first.
pub(crate) fn kill_everyone_else() -> io::Result<()> {
    signal(-1, libc::SIGKILL)
}

fn ignore_ended(sent: io::Result<i64>) -> io::Result<()> {
    match sent {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error),
        _ => Ok(()),
    }
}

/// What [`reap`] found.
pub(crate) enum Reaped {
    /// This child has ended.
    Ended(i32, Exit),
    /// There are children and none has ended.
    Nothing,
    /// There is no child.
    NoChild,
}

/// Collects one child that has ended; `wait` says whether to wait for one.
pub(crate) fn reap(wait: bool) -> io::Result<Reaped> {
    let flags = if wait { 0 } else { libc::WNOHANG };
    let mut status = 0;
    loop {
        // SAFETY: status is a valid place for the kernel to write to.
        return match check(unsafe { libc::waitpid(-1, &raw mut status, flags | libc::__WALL) }) {
            Ok(0) => Ok(Reaped::Nothing),
            Ok(pid) if libc::WIFSIGNALED(status) => Ok(Reaped::Ended(
                pid as i32,
                Exit::Signal(libc::WTERMSIG(status)),
            )),
            Ok(pid) => Ok(Reaped::Ended(
                pid as i32,
                Exit::Status(libc::WEXITSTATUS(status)),
            )),
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => continue,
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(Reaped::NoChild),
            Err(error) => Err(error),
        };
    }
}
