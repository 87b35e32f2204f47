//! Signals of the small processes: which are blocked, which are ignored.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use super::check;

/// Has the kernel collect ended children by itself.
pub(crate) fn forget_children() {
    set(libc::SIGCHLD, libc::SIG_IGN);
}

/// Undoes what Rust's start-up and [`forget_children`] set, so that no program inherits it.
pub(crate) fn reset() {
    set(libc::SIGCHLD, libc::SIG_DFL);
    set(libc::SIGPIPE, libc::SIG_DFL);
}

fn set(signal: libc::c_int, disposition: libc::sighandler_t) {
    // SAFETY: both dispositions are the kernel's own, no code of ours runs on a signal. The call
    // cannot fail for these signals.
    unsafe { libc::signal(signal, disposition) };
}

/// Blocks SIGCHLD and gives a descriptor that is readable when one waits; it does not block.
pub(crate) fn watch_children() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: set is a valid place for a signal set; sigemptyset initialises it before its use.
    let fd = check(unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Lets every signal through.
pub(crate) fn unblock_all() {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: set is a valid place for a signal set; sigemptyset initialises it before its use.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}
