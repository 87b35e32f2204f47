//! What a confined process has and may not do, in addition to what holds for every process of ours.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::Instant;

use super::check;

/// New namespaces for a confined process. Its user namespace is entered later, when nothing is left to
/// be done that needs rights over the others.
pub(crate) const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS) as u64;

/// Bounds this process's processor time (then it is killed), the bytes of a file it writes, and its
/// address space.
pub(crate) fn limit(seconds: u64, file_bytes: u64, memory_bytes: u64) -> io::Result<()> {
    for (resource, value) in [
        (libc::RLIMIT_CPU, seconds),
        (libc::RLIMIT_FSIZE, file_bytes),
        (libc::RLIMIT_AS, memory_bytes),
    ] {
        let limit = libc::rlimit {
            rlim_cur: value,
            rlim_max: value,
        };
        // SAFETY: limit is a valid rlimit for the whole call.
        check(unsafe { libc::setrlimit(resource, &raw const limit) })?;
    }
    Ok(())
}

/// Whether a descriptor becomes readable, or its other end is closed, by then.
pub(crate) fn readable_until(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    let mut polled = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up: a wait of less than a millisecond must not become a busy wait.
        let millis = i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        // SAFETY: polled is one valid pollfd for the whole call.
        match check(unsafe { libc::poll(&raw mut polled, 1, millis) }) {
            Ok(ready) => return Ok(ready > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
