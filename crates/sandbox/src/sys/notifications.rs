//! System calls that wait until another process decides their outcome (`seccomp_unotify(2)`).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::check;

/// A call that waits.
pub(crate) struct Call {
    id: u64,
    /// As the caller gave them.
    pub(crate) arguments: [u64; 6],
}

/// The state of a filter's listener.
pub(crate) enum Pending {
    /// A call waits.
    Call,
    /// None does.
    Nothing,
    /// No process with this filter is left, so none ever will.
    Over,
}

/// Checks, without waiting.
pub(crate) fn pending(listener: BorrowedFd<'_>) -> io::Result<Pending> {
    let mut polled = libc::pollfd {
        fd: listener.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: polled is one valid entry for the whole call.
    check(unsafe { libc::poll(&raw mut polled, 1, 0) })?;
    Ok(match polled.revents {
        0 => Pending::Nothing,
        seen if seen & libc::POLLIN != 0 => Pending::Call,
        _ => Pending::Over,
    })
}

/// Takes the waiting call; `None` if its caller has been killed meanwhile.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Call>> {
    // SAFETY: an all-zero notification is valid, and the kernel demands it.
    let mut notification: libc::seccomp_notif = unsafe { MaybeUninit::zeroed().assume_init() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: notification is a valid place for the kernel to write to, of the size in the request.
    let received =
        check(unsafe { libc::ioctl(listener.as_raw_fd(), request as _, &raw mut notification) });
    match received {
        Ok(_) => Ok(Some(Call {
            id: notification.id,
            arguments: notification.data.args,
        })),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the call end with an error. A caller that has been killed is no error.
pub(crate) fn refuse(listener: BorrowedFd<'_>, call: &Call, errno: i32) -> io::Result<()> {
    let mut response = libc::seccomp_notif_resp {
        id: call.id,
        val: 0,
        error: -errno,
        flags: 0,
    };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: response is a valid record of the size in the request.
    let sent = check(unsafe { libc::ioctl(listener.as_raw_fd(), request as _, &raw mut response) });
    match sent {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Makes the call end with a descriptor of its own for what `given` is.
pub(crate) fn give(
    listener: BorrowedFd<'_>,
    call: &Call,
    given: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    let mut addition = libc::seccomp_notif_addfd {
        id: call.id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: given.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec {
            libc::O_CLOEXEC as u32
        } else {
            0
        },
    };
    let request = libc::SECCOMP_IOCTL_NOTIF_ADDFD;
    // SAFETY: addition is a valid record of the size in the request.
    let added =
        check(unsafe { libc::ioctl(listener.as_raw_fd(), request as _, &raw mut addition) });
    match added {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::EINTR | libc::ENOTCONN)
    )
}
