//! Signals of the small processes: which are blocked, which are ignored.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use super::check;

/// Has the kernel collect ended children by itself.
pub(crate) fn forget_children() {
    // SAFETY: the disposition is the kernel's own, no code of ours runs on the signal. The call
    // cannot fail for this signal.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Undoes [`forget_children`].
pub(crate) fn heed_children() {
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// The highest signal number.
const LAST_SIGNAL: libc::c_int = 64;
/// How many bytes the kernel's own signal set has.
const SIGNAL_SET_BYTES: usize = 8;

/// Undoes what the owner's parents, Rust's start-up and [`forget_children`] set, so that no program
/// inherits it: ignored signals stay ignored through exec.
pub(crate) fn reset() {
    // The kernel's sigaction: a handler (0 is the default), flags, a restorer, a set.
    let default = [0_u64; 4];
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: default is a valid sigaction of the kernel's, zero in every field whichever their
        // order. The library's own function would refuse the numbers it keeps to itself. It fails
        // for SIGKILL and SIGSTOP alone, which are never anything but default.
        unsafe {
            let none = std::ptr::null_mut::<u64>();
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                none,
                SIGNAL_SET_BYTES,
            )
        };
    }
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

/// Unblocks every signal.
pub(crate) fn unblock_all() {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: set is a valid place for a signal set; sigemptyset initialises it before its use.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}
