//! Files below a folder whose content cannot be trusted.
//!
//! What a package, a layer or an image put into a folder are names, and any of them may be a link to
//! anywhere. A process with more rights than the one that filled the folder must never look such a name up by a
//! plain path. So here a folder is a descriptor, each path is relative to it, and the kernel
//! itself sees to it (`openat2`) that a look-up neither leaves the folder nor follows a link.
//!
//! [`Folder::in_root`] alone follows links, and takes the folder for the root of all paths, as `chroot`
//! would.
//!
//! Architecture invariant: no function here but [`Folder::open`], whose path is the operator's, hands
//! the kernel a path without saying where it must end.

mod tree;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};

/// Never out of the folder, never through a link.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);
/// What every descriptor is opened with.
const ALWAYS: OFlags = OFlags::CLOEXEC
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NOCTTY);
/// Longest target of a link that is read, bytes: the kernel's own bound.
const LINK_BYTES_MAX: usize = 4_096;

/// What is behind a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A plain file.
    File,
    /// A symbolic link, wherever it leads.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// What those who are not root may still write to a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Files that can still be made, and all it can have. `None` where they are not counted.
    pub files: Option<(u64, u64)>,
}

/// What is known of something without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
    /// Its size, bytes.
    pub bytes: u64,
    /// Its owner.
    pub user: u32,
}

/// An open folder. All paths given to it are relative to it.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder by a path of the machine, which must be the operator's or our own: links on the
    /// way are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// Takes a descriptor for a folder. `ENOTDIR` if it is none.
    pub fn of(descriptor: OwnedFd) -> io::Result<Self> {
        let folder = Self(descriptor);
        match folder.facts()?.kind {
            Kind::Folder => Ok(folder),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A folder below. `ELOOP` if there is a link on the way, `EXDEV` if the path leads out.
    pub fn folder(&self, path: &Path) -> io::Result<Self> {
        let flags = ALWAYS | OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Self(self.reach(path, flags, Mode::empty())?))
    }

    /// A plain file below, to read. Anything else than a file is refused (`EINVAL`) and not waited for.
    pub fn file(&self, path: &Path) -> io::Result<File> {
        let flags = ALWAYS | OFlags::RDONLY | OFlags::NONBLOCK;
        let file = self.reach(path, flags, Mode::empty())?;
        match facts(&fs::fstat(&file)?).kind {
            Kind::File => Ok(File::from(file)),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Creates a file, to write. `EEXIST` if anything has that name.
    pub fn new_file(&self, path: &Path, mode: u32) -> io::Result<File> {
        let flags = ALWAYS | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = self.reach(path, flags, Mode::from_raw_mode(mode))?;
        Ok(File::from(file))
    }

    /// Creates a folder directly in this one; it must not exist yet.
    pub fn make_folder(&self, name: &Path, mode: u32) -> io::Result<()> {
        Ok(fs::mkdirat(
            &self.0,
            plain(name)?,
            Mode::from_raw_mode(mode),
        )?)
    }

    /// Makes a symbolic link directly in this folder. Nothing is asked about where it leads.
    pub fn make_link(&self, target: &Path, name: &Path) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, plain(name)?)?)
    }

    /// Where a symbolic link directly in this folder leads.
    pub fn link_target(&self, name: &Path) -> io::Result<PathBuf> {
        let target = fs::readlinkat(&self.0, plain(name)?, Vec::with_capacity(256))?;
        if target.as_bytes().len() > LINK_BYTES_MAX {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// Gives a file directly in this folder (or a link, itself) another name in `to`.
    pub fn hard_link(&self, name: &Path, to: &Self, new: &Path) -> io::Result<()> {
        // Without AT_SYMLINK_FOLLOW a link is linked and not where it leads.
        let flags = AtFlags::empty();
        Ok(fs::linkat(
            &self.0,
            plain(name)?,
            &to.0,
            plain(new)?,
            flags,
        )?)
    }

    /// Moves what has this name to another in `to`; the kernel's rules of `rename` hold.
    pub fn rename(&self, name: &Path, to: &Self, new: &Path) -> io::Result<()> {
        Ok(fs::renameat(&self.0, plain(name)?, &to.0, plain(new)?)?)
    }

    /// Removes what has this name directly in this folder and is not a folder.
    pub fn remove_file(&self, name: &Path) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, plain(name)?, AtFlags::empty())?)
    }

    /// Names in this folder and what is behind them, in no order. `most` bounds them: more is
    /// `EFBIG`.
    pub fn entries(&self, most: usize) -> io::Result<Vec<(OsString, Kind)>> {
        let mut found = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if found.len() >= most {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let name = OsString::from_vec(name.to_vec());
            let kind = match entry.file_type() {
                // Some file systems do not say.
                FileType::Unknown => self.look(Path::new(&name))?.kind,
                known => kind_of(known),
            };
            found.push((name, kind));
        }
        Ok(found)
    }

    /// What has this name directly in this folder; a link itself, not where it leads.
    pub fn look(&self, name: &Path) -> io::Result<Facts> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(facts(&fs::statat(&self.0, plain(name)?, flags)?))
    }

    /// What is known of this folder itself.
    pub fn facts(&self) -> io::Result<Facts> {
        Ok(facts(&fs::fstat(&self.0)?))
    }

    /// What a path of a file system whose root is this folder leads to. Links are followed, all of them
    /// within the folder.
    pub fn in_root(&self, path: &Path) -> io::Result<Facts> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let found = fs::openat2(&self.0, path, flags, Mode::empty(), resolve)?;
        Ok(facts(&fs::fstat(&found)?))
    }

    /// The room that its file system has left.
    pub fn room(&self) -> io::Result<Room> {
        let room = fs::fstatvfs(&self.0)?;
        Ok(Room {
            bytes: room.f_bavail.saturating_mul(room.f_frsize),
            files: (room.f_files > 0).then_some((room.f_favail, room.f_files)),
        })
    }

    /// Sets the permission bits of this folder.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(fs::fchmod(&self.0, Mode::from_raw_mode(mode))?)
    }

    /// Gives this folder to a user and the group of the same number.
    pub fn give_to(&self, user: u32) -> io::Result<()> {
        let (user, group) = (
            rustix::fs::Uid::from_raw(user),
            rustix::fs::Gid::from_raw(user),
        );
        Ok(fs::fchown(&self.0, Some(user), Some(group))?)
    }

    fn reach(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        Ok(fs::openat2(&self.0, path, flags, mode, INSIDE)?)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Folder> for OwnedFd {
    fn from(folder: Folder) -> Self {
        folder.0
    }
}

/// One name, which says nothing of a way. Calls that have no `openat2` of their own take only those.
fn plain(name: &Path) -> io::Result<&Path> {
    let mut parts = name.components();
    match (parts.next(), parts.next()) {
        // The comparison refuses `a/` and `a/.`, whose components are the same.
        (Some(Component::Normal(part)), None) if part == name.as_os_str() => Ok(name),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Directory => Kind::Folder,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

fn facts(stat: &fs::Stat) -> Facts {
    Facts {
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
        mode: stat.st_mode & 0o7777,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        user: stat.st_uid,
    }
}

#[cfg(test)]
mod tests;
