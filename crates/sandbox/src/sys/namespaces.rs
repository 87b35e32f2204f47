//! Namespaces: making, entering and naming them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use super::check;

/// Moves this thread into a new mount namespace, a copy of the present one.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    unshare(libc::CLONE_NEWNS)
}

/// Moves this thread into a new, empty network namespace.
pub(crate) fn unshare_network() -> io::Result<()> {
    unshare(libc::CLONE_NEWNET)
}

/// Makes this thread's cgroup the root of the part of the tree that it can see.
pub(crate) fn unshare_cgroups() -> io::Result<()> {
    unshare(libc::CLONE_NEWCGROUP)
}

fn unshare(what: libc::c_int) -> io::Result<()> {
    // SAFETY: takes flags; none of ours shares memory or descriptors differently.
    check(unsafe { libc::unshare(what) })?;
    Ok(())
}

/// Moves this thread into another network namespace: a namespace's descriptor, or that of a
/// process's handle for the one it is in.
pub(crate) fn enter_network(namespace: BorrowedFd<'_>) -> io::Result<()> {
    enter(namespace, libc::CLONE_NEWNET)
}

/// Moves this process, which has one thread, into another user namespace, with all capabilities
/// there and none anywhere else.
pub(crate) fn enter_users(namespace: BorrowedFd<'_>) -> io::Result<()> {
    enter(namespace, libc::CLONE_NEWUSER)
}

fn enter(namespace: BorrowedFd<'_>, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: takes integers; the descriptor is borrowed for the call.
    check(unsafe { libc::setns(namespace.as_raw_fd(), kind) })?;
    Ok(())
}

/// Sets the host name, in this process's UTS namespace.
pub(crate) fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: the pointer and the length are of one valid string.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}

/// Brings up the loopback interface of this thread's network namespace.
pub(crate) fn loopback_up() -> io::Result<()> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes integers.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: request is a valid ifreq for the whole call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })?;
    Ok(())
}
