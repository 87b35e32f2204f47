//! The root that a spawner's sandboxes share: built once, read-only from then on.
//!
//! ```text
//!   /                 a small file system in memory
//!   /usr ...          the host's or an image's, read-only, no setuid, no devices
//!   /etc              made for it: see [`super::etc`]
//!   /lambda-entrypoint.sh /var/lang/bin    what programs expect as on AWS: see [`super::lambda`]
//!   /dev              five harmless devices
//!   /proc /tmp /opt /mnt /var/task /var/runtime    empty: each sandbox mounts its own
//!   /.private         the folder that runtimes' mounts come from; covered by /.empty before a sandbox's
//!                     init speaks, and not to be entered by a function even if it were not
//! ```
//!
//! Deliberately absent: the host's `/etc`, `/root`, `/home`, `/var`, `/run`, `/sys`, `/dev/shm`.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{etc, lambda};
use crate::config::RootKind;
use crate::error::Error;
use crate::message::Build;
use crate::sys::{files, mounts};

/// Where a spawner keeps what its sandboxes' mounts come from.
pub(crate) const PRIVATE: &str = "/.private";
/// An empty folder that nobody inside may read, to cover [`PRIVATE`] with.
pub(crate) const EMPTY: &str = "/.empty";

/// What is shown of a host's root in addition to `/usr`: since Debian 12 these are links into it.
const HOST_ENTRIES: &[&str] = &["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// What is not shown of an image's root, since it is ours to create or has no meaning.
const OURS: &[&str] = &[
    "dev", "etc", "proc", "sys", "tmp", "run", "var", "opt", "mnt", ".private", ".empty",
];
/// What is not shown of an image's `/var`, for the same reason.
const OURS_IN_VAR: &[&str] = &["task", "run", "tmp", "log", "cache", "lock"];
/// `/dev`: name and device number. A sandbox has no terminal and no shared memory, as on Lambda.
const DEVICES: &[(&str, u32, u32)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
];
const DEVICE_LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// One entry of the new root.
enum Entry {
    Link(PathBuf),
    Tree(OwnedFd),
}

/// Moves this process into a mount namespace of its own whose root is the one described.
pub(super) fn build(build: &Build) -> Result<(), Error> {
    let Build {
        kind,
        runtimes,
        resolvers,
    } = build;
    mounts::unshare_into_private().map_err(Error::step("make a mount namespace"))?;
    // All trees are taken before anything is covered.
    let entries = collect(kind).map_err(Error::step("read the root's folders"))?;
    let runtimes_tree = hardened(runtimes).map_err(Error::step("show the runtimes' folder"))?;
    let proc = Error::step("write the sandboxes' /etc");
    let etc_source = match kind {
        RootKind::Host => etc::Source::Host,
        RootKind::Directory(folder) => etc::Source::Image(folder.join("etc")),
    };
    // Any directory can serve as mount point; this one surely exists, and is covered only in here.
    let new = runtimes;
    mounts::mount("tmpfs", new, 0, "mode=0755,size=64m").map_err(Error::step("make a root"))?;
    lay(new, &entries).map_err(Error::step("lay out the root"))?;
    etc::write(&new.join("etc"), &etc_source, resolvers).map_err(proc)?;
    lambda::write(new).map_err(Error::step("write what functions of Lambda find in a root"))?;
    devices(&new.join("dev")).map_err(Error::step("make devices"))?;
    private(new, runtimes_tree).map_err(Error::step("keep the folder to mount from"))?;
    mounts::pivot(new).map_err(Error::step("enter the root"))?;
    lambda::have_bash().map_err(Error::step("show bash as the shell"))?;
    mounts::make_file_system_read_only(Path::new("/"))
        .and_then(|()| mounts::make_read_only(Path::new("/"), 0))
        .map_err(Error::step("make the root read-only"))
}

fn hardened(path: &Path) -> io::Result<OwnedFd> {
    let tree = mounts::clone_tree(path)?;
    mounts::harden_tree(tree.as_fd())?;
    Ok(tree)
}

/// What is shown, by its path in the new root.
fn collect(kind: &RootKind) -> io::Result<Vec<(PathBuf, Entry)>> {
    let mut entries = Vec::new();
    match kind {
        RootKind::Host => {
            for name in HOST_ENTRIES {
                collect_one(&Path::new("/").join(name), Path::new(name), &mut entries)?;
            }
        }
        RootKind::Directory(folder) => {
            collect_all(folder, Path::new(""), OURS, &mut entries)?;
            let var = folder.join("var");
            // A link would lead to the host's.
            if fs::symlink_metadata(&var).is_ok_and(|var| var.is_dir()) {
                collect_all(&var, Path::new("var"), OURS_IN_VAR, &mut entries)?;
            }
        }
    }
    Ok(entries)
}

fn collect_all(
    folder: &Path,
    to: &Path,
    but: &[&str],
    entries: &mut Vec<(PathBuf, Entry)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !but.iter().any(|name| entry.file_name() == *name) {
            collect_one(&entry.path(), &to.join(entry.file_name()), entries)?;
        }
    }
    Ok(())
}

/// Files at the top of a root are not shown: none is needed, and each would be a mount to copy.
fn collect_one(from: &Path, to: &Path, entries: &mut Vec<(PathBuf, Entry)>) -> io::Result<()> {
    let kind = match fs::symlink_metadata(from) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if kind.is_symlink() {
        entries.push((to.to_owned(), Entry::Link(fs::read_link(from)?)));
    } else if kind.is_dir() {
        entries.push((to.to_owned(), Entry::Tree(hardened(from)?)));
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
}

fn lay(new: &Path, entries: &[(PathBuf, Entry)]) -> io::Result<()> {
    for name in [
        "dev",
        "etc",
        "proc",
        "tmp",
        "opt",
        "mnt",
        "var/task",
        "var/runtime",
    ] {
        make_folder(&new.join(name))?;
    }
    for (path, entry) in entries {
        let path = new.join(path);
        match entry {
            Entry::Link(target) => symlink(target, path)?,
            Entry::Tree(tree) => {
                make_folder(&path)?;
                mounts::attach(tree.as_fd(), &path)?;
            }
        }
    }
    Ok(())
}

fn devices(folder: &Path) -> io::Result<()> {
    for (name, major, minor) in DEVICES {
        let path = folder.join(name);
        files::make_character_device(&path, *major, *minor)?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, folder.join(name))?;
    }
    Ok(())
}

fn private(new: &Path, runtimes: OwnedFd) -> io::Result<()> {
    let folder = new.join(PRIVATE.trim_start_matches('/'));
    for folder in [&folder, &new.join(EMPTY.trim_start_matches('/'))] {
        fs::DirBuilder::new().mode(0o700).create(folder)?;
    }
    mounts::mount("tmpfs", &folder, 0, "mode=0700,size=64k")?;
    make_folder(&folder.join("runtimes"))?;
    mounts::attach(runtimes.as_fd(), &folder.join("runtimes"))?;
    // This pid namespace's, for the maps of user namespaces.
    make_folder(&folder.join("proc"))?;
    mounts::mount(
        "proc",
        &folder.join("proc"),
        libc::MS_NODEV | libc::MS_NOEXEC,
        "",
    )
}
