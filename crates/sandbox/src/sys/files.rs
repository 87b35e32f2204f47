//! Files and descriptors.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use super::{c_path, check};

/// Opens a directory below `directory`, for use as a path only (`O_PATH`). Nothing in `path` may lead
/// out of `directory` or be a symbolic link.
pub(crate) fn open_beneath(directory: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: an all-zero open_how is valid; its fields are plain integers.
    let mut how: libc::open_how = unsafe { MaybeUninit::zeroed().assume_init() };
    how.flags = (libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: path and how outlive the call, and the size is how's own.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            directory.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Opens a directory for use as a path only (`O_PATH`).
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: path is a terminated string that outlives the call.
    let fd = check(unsafe { libc::open(path.as_ptr(), flags) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Makes a character device readable and writable by all.
pub(crate) fn make_character_device(path: &Path, major: u32, minor: u32) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: path is a terminated string that outlives the call.
    check(unsafe {
        libc::mknod(
            path.as_ptr(),
            libc::S_IFCHR | 0o666,
            libc::makedev(major, minor),
        )
    })?;
    Ok(())
}

/// How many bytes of the file system that holds `file` are in use.
pub(crate) fn bytes_used(file: BorrowedFd<'_>) -> io::Result<u64> {
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: answer is a valid place for the kernel to write a statfs to.
    check(unsafe { libc::fstatfs(file.as_raw_fd(), answer.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the kernel has filled it (and zeroes are valid too).
    let answer = unsafe { answer.assume_init() };
    Ok(answer.f_blocks.saturating_sub(answer.f_bfree) * answer.f_bsize as u64)
}

/// How many bytes a page of memory has.
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: takes an integer.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Makes `target` another name for what `source` is. It stays open across exec.
pub(crate) fn duplicate_onto(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: dup2 takes integers; callers give the standard streams' numbers, which nobody owns.
    check(unsafe { libc::dup2(source.as_raw_fd(), target) })?;
    Ok(())
}

/// Closes every descriptor but those in `keep`. For a process that has just been forked and will
/// never return to the code that owns the closed ones.
pub(crate) fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep
        .iter()
        .filter_map(|fd| u32::try_from(*fd).ok())
        .collect();
    keep.sort_unstable();
    let mut first = 0;
    for fd in keep {
        if fd > first {
            close_range(first, fd - 1, 0)?;
        }
        first = first.max(fd + 1);
    }
    close_range(first, u32::MAX, 0)
}

/// Marks every descriptor from `first` on to be closed by exec.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: takes integers. Owners of what it closes never run again (see the callers' docs).
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) })?;
    Ok(())
}

/// Sets the mode bits that new files must not have.
pub(crate) fn set_creation_mask(mask: libc::mode_t) {
    // SAFETY: takes an integer and cannot fail.
    unsafe { libc::umask(mask) };
}

/// Waits until one of the descriptors is readable or closed; says which are.
pub(crate) fn wait_readable(fds: &[RawFd], ready: &mut Vec<bool>) -> io::Result<()> {
    poll(fds, -1, ready)
}

/// Whether the descriptor is readable or closed at this moment.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    is_readable_within(fd, Duration::ZERO)
}

/// Waits until the descriptor is readable or closed, for at most this long; says whether it is.
pub(crate) fn is_readable_within(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let mut ready = Vec::new();
    let limit_ms = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    poll(&[fd.as_raw_fd()], limit_ms, &mut ready)?;
    Ok(ready.contains(&true))
}

/// Waits at most this many milliseconds, and forever if the number is negative.
fn poll(fds: &[RawFd], limit_ms: i32, ready: &mut Vec<bool>) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> = fds
        .iter()
        .map(|fd| libc::pollfd {
            fd: *fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    loop {
        // SAFETY: polled is a valid array of the given length for the whole call.
        let polled_now =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, limit_ms) };
        match check(polled_now) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    ready.clear();
    ready.extend(polled.iter().map(|entry| entry.revents != 0));
    Ok(())
}
