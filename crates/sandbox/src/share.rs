//! Folders of the host that several sandboxes may have: how each is found and opened.
//!
//! ```text
//!   owner: find the folder, no link on the way ──▶ a detached copy of its mount ──▶ with Furnish to init
//!   init:  no setuid, no devices, read-only, whose files ──▶ attach at /mnt/<name>
//! ```
//!
//! It is done for each sandbox separately: what the operator mounted, created or removed meanwhile
//! counts. A function can write to such a folder, so nothing in a path may be a symbolic link: with a
//! folder below it that is shared too, a link would lead the next sandbox to wherever it wants. A
//! network file system may never answer; a caller waits no longer than [`MOUNT_WITHIN`], in a thread
//! that nobody else needs.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::error::Error;
use crate::message::Mount;
use crate::sys::{files, mounts};

/// How long a folder may take to be found: as long as a function's init phase.
const MOUNT_WITHIN: Duration = Duration::from_secs(10);
/// How many may be opened at once. One that does not answer keeps its thread for as long.
const THREADS_MAX: usize = 64;
/// Shares of one sandbox: as many descriptors as a message has room for in addition to those of code
/// and layers.
const SHARES_MAX: usize = 8;
/// "nobody", the user and group that stand in for root.
const NOBODY: u32 = 65_534;

/// A folder of the host that a sandbox has in addition to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Shown at `/mnt/<name>`: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The host's folder: absolute, and no part of it a symbolic link. What is mounted below it is
    /// not shown.
    pub folder: PathBuf,
    /// Whether nothing may be written to it.
    pub read_only: bool,
    /// The user to access it as.
    pub user: ShareUser,
}

/// As which of the host's users a function reads and writes a shared folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareUser {
    /// As the folder's owner and group; as nobody in place of root.
    Owner,
    /// As these. Neither may be 0.
    Numbers {
        /// The user.
        user: u32,
        /// The group.
        group: u32,
    },
    /// As each sandbox's own, which means nothing on the host: the file system's server makes all
    /// of them one. For file systems whose users the kernel cannot map.
    Unmapped,
}

impl Share {
    /// Refuses what could not work or would be unsafe.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |field, rule| Err(Error::Invalid { field, rule });
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let named = (1..=255).contains(&self.name.len()) && self.name.bytes().all(good);
        if !named || matches!(self.name.as_str(), "." | "..") {
            return invalid("shares.name", "1 to 255 of a-z, A-Z, 0-9, -, _ and .");
        }
        if below_root(&self.folder).is_none() {
            return invalid(
                "shares.folder",
                "an absolute path without . and .., not / itself",
            );
        }
        if matches!(self.user, ShareUser::Numbers { user, group }
            if [user, group].iter().any(|number| matches!(*number, 0 | u32::MAX)))
        {
            return invalid("shares.user", "neither root nor nobody at all");
        }
        Ok(())
    }
}

/// Refuses lists that could not be mounted together.
pub(crate) fn check_all(shares: &[Share]) -> Result<(), Error> {
    let again = |at: usize| {
        shares[..at]
            .iter()
            .any(|other| other.name == shares[at].name)
    };
    if shares.len() > SHARES_MAX || (0..shares.len()).any(again) {
        let rule = "at most eight, each with a name of its own";
        return Err(Error::Invalid {
            field: "shares",
            rule,
        });
    }
    shares.iter().try_for_each(Share::check)
}

/// What an absolute path names, as seen from the root.
fn below_root(path: &Path) -> Option<&Path> {
    let inside = path.strip_prefix("/").ok()?;
    let plain = inside
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    (plain && inside.components().next().is_some()).then_some(inside)
}

/// A folder that was found: what init is told about it, and its descriptors.
pub(crate) struct Opened {
    pub(crate) mount: Mount,
    tree: OwnedFd,
}

impl Opened {
    pub(crate) fn tree(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }
}

/// Looks for shared folders.
pub(crate) struct Opener(Arc<Semaphore>);

impl Opener {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(THREADS_MAX)))
    }

    /// Opens all of a sandbox's.
    pub(crate) async fn open(&self, shares: &[Share]) -> Result<Vec<Opened>, Error> {
        let mut opened = Vec::with_capacity(shares.len());
        for share in shares {
            let failed = |source| Error::Share {
                name: share.name.clone(),
                source,
            };
            let waited = tokio::time::timeout(MOUNT_WITHIN, self.open_one(share.clone())).await;
            let late = || io::Error::from_raw_os_error(libc::ETIMEDOUT);
            opened.push(waited.unwrap_or_else(|_| Err(late())).map_err(failed)?);
        }
        Ok(opened)
    }

    async fn open_one(&self, share: Share) -> io::Result<Opened> {
        let gone = |_| io::Error::other("the thread that opens a shared folder is gone");
        let turn = Arc::clone(&self.0).acquire_owned().await;
        let turn = turn.expect("this semaphore is never closed");
        let (done, opened) = oneshot::channel();
        // Not one of the runtime's: those are waited for at the end.
        let thread = std::thread::Builder::new().name("sandbox-share".to_owned());
        thread.spawn(move || {
            // The caller may have stopped waiting.
            let _ = done.send(open(&share));
            drop(turn);
        })?;
        opened.await.map_err(gone)?
    }
}

fn open(share: &Share) -> io::Result<Opened> {
    let inside =
        below_root(&share.folder).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    let root = files::open_directory(Path::new("/"))?;
    let folder = files::open_beneath(root.as_fd(), inside)?;
    let tree = mounts::clone_mount(folder.as_fd())?;
    let user = match share.user {
        ShareUser::Unmapped => None,
        ShareUser::Numbers { user, group } => Some((user, group)),
        ShareUser::Owner => {
            let metadata = File::from(folder).metadata()?;
            let not_root = |number| if number == 0 { NOBODY } else { number };
            Some((not_root(metadata.uid()), not_root(metadata.gid())))
        }
    };
    let mount = Mount {
        name: share.name.clone(),
        read_only: share.read_only,
        user,
    };
    Ok(Opened { mount, tree })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(name: &str, folder: &str, user: ShareUser) -> Share {
        Share {
            name: name.to_owned(),
            folder: PathBuf::from(folder),
            read_only: false,
            user,
        }
    }

    #[test]
    fn only_plain_names_and_paths_are_shared() {
        let check = |name: &str, folder: &str, good: bool| {
            let found = share(name, folder, ShareUser::Owner).check().is_ok();
            assert_eq!(found, good, "{name} {folder}");
        };
        check("a-B_9.x", "/srv/shared", true);
        check("..a", "/srv", true);
        check("..", "/srv", false);
        check(".", "/srv", false);
        check("", "/srv", false);
        check("a/b", "/srv", false);
        check("a\0", "/srv", false);
        check(&"x".repeat(256), "/srv", false);
        check("a", "/", false);
        check("a", "srv", false);
        check("a", "/srv/../etc", false);
        check("a", "", false);
    }

    #[test]
    fn nobody_writes_as_root() {
        let check = |user, group, good: bool| {
            let user = ShareUser::Numbers { user, group };
            assert_eq!(share("a", "/srv", user).check().is_ok(), good, "{user:?}");
        };
        check(1000, 1000, true);
        check(0, 1000, false);
        check(1000, 0, false);
        check(u32::MAX, 1, false);
    }

    #[test]
    fn names_are_shown_once() {
        let one = |name: &str| share(name, "/srv", ShareUser::Unmapped);
        assert!(check_all(&[one("a"), one("b")]).is_ok());
        assert!(check_all(&[one("a"), one("a")]).is_err());
        let many: Vec<Share> = (0..9).map(|n| one(&n.to_string())).collect();
        assert!(check_all(&many[..8]).is_ok());
        assert!(check_all(&many).is_err());
    }
}
