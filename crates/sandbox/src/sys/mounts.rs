//! Mounts, by the calls that take descriptors where they say more than `mount(2)` can.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::ptr::null;

use super::{c_path, c_text, check};

const READ_ONLY: u64 = 0x1;
const NO_SETUID: u64 = 0x2;
const NO_DEVICES: u64 = 0x4;
const MAPPED: u64 = 0x10_0000;
const AT_RECURSIVE: u32 = 0x8000;
const OPEN_TREE_CLONE: u32 = 1;
const MOVE_MOUNT_FROM_EMPTY_PATH: u32 = 4;

/// Moves this process into a mount namespace of its own, a copy of the present one without ties.
pub(crate) fn unshare_into_private() -> io::Result<()> {
    super::namespaces::unshare_mounts()?;
    mount_raw(
        None,
        Path::new("/"),
        None,
        libc::MS_REC | libc::MS_PRIVATE,
        "",
    )
}

/// Mounts a file system that has no device. Never honours setuid bits.
pub(crate) fn mount(
    kind: &str,
    target: &Path,
    flags: libc::c_ulong,
    options: &str,
) -> io::Result<()> {
    mount_raw(
        Some(Path::new(kind)),
        target,
        Some(kind),
        flags | libc::MS_NOSUID,
        options,
    )
}

/// Mounts one file or directory at another place too, with the flags of the mount it comes from.
pub(crate) fn bind(source: &Path, target: &Path) -> io::Result<()> {
    mount_raw(Some(source), target, None, libc::MS_BIND, "")
}

/// Makes one mount read-only, whatever else it was.
pub(crate) fn make_read_only(target: &Path, flags: libc::c_ulong) -> io::Result<()> {
    let flags = flags | libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_NOSUID;
    mount_raw(None, target, None, flags, "")
}

/// Makes the file system itself read-only, for every mount of it.
pub(crate) fn make_file_system_read_only(target: &Path) -> io::Result<()> {
    mount_raw(
        None,
        target,
        None,
        libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_NOSUID,
        "",
    )
}

fn mount_raw(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: &str,
) -> io::Result<()> {
    let source = source.map(c_path).transpose()?;
    let target = c_path(target)?;
    let kind = kind.map(c_text).transpose()?;
    let options = c_text(options)?;
    // SAFETY: every pointer is null or to a terminated string that outlives the call.
    check(unsafe {
        libc::mount(
            source.as_ref().map_or(null(), |text| text.as_ptr()),
            target.as_ptr(),
            kind.as_ref().map_or(null(), |text| text.as_ptr()),
            flags,
            options.as_ptr().cast(),
        )
    })?;
    Ok(())
}

/// A detached copy of the mount that holds `path`, from there on, with the mounts below it.
pub(crate) fn clone_tree(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = OPEN_TREE_CLONE | AT_RECURSIVE | libc::O_CLOEXEC as u32;
    // SAFETY: path is a terminated string that outlives the call.
    let fd =
        check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A detached copy of the mount at an open directory, without the mounts below it. It keeps the
/// flags of the mount it is copied from.
pub(crate) fn clone_mount(place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as u32 | libc::AT_EMPTY_PATH as u32;
    // SAFETY: the empty path is a terminated string.
    let fd = check(unsafe {
        libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags)
    })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Makes a detached tree read-only, without setuid programs and without devices.
pub(crate) fn harden_tree(tree: BorrowedFd<'_>) -> io::Result<()> {
    let set = READ_ONLY | NO_SETUID | NO_DEVICES;
    set_attributes(tree, AT_RECURSIVE, set, None)
}

/// Makes a detached mount one without setuid programs and devices, read-only if so asked, whose
/// files belong to whom a user namespace maps their owners to. File systems that cannot have that
/// are refused as `EINVAL`.
pub(crate) fn restrict(
    mount: BorrowedFd<'_>,
    read_only: bool,
    users: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let read_only = if read_only { READ_ONLY } else { 0 };
    set_attributes(mount, 0, NO_SETUID | NO_DEVICES | read_only, users)
}

fn set_attributes(
    tree: BorrowedFd<'_>,
    flags: u32,
    set: u64,
    users: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set | users.map_or(0, |_| MAPPED),
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: users.map_or(0, |users| users.as_raw_fd() as u64),
    };
    let flags = flags | libc::AT_EMPTY_PATH as u32;
    // SAFETY: the empty path is terminated; attributes outlives the call and the size is its own.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}

/// Attaches a detached tree at `target`.
pub(crate) fn attach(tree: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: both paths are terminated strings that outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            MOVE_MOUNT_FROM_EMPTY_PATH,
        )
    })?;
    Ok(())
}

/// Makes `new_root` the root of this mount namespace and drops the old one altogether.
pub(crate) fn pivot(new_root: &Path) -> io::Result<()> {
    std::env::set_current_dir(new_root)?;
    // SAFETY: both paths are terminated strings. "." twice stacks the old root on the new one.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    unmount(Path::new("."))?;
    std::env::set_current_dir("/")
}

/// Takes a mount and all below it out of this namespace at once.
pub(crate) fn unmount(target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: target is a terminated string that outlives the call.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) })?;
    Ok(())
}
