//! The folder of unpacked packages, on disk.
//!
//! ```text
//!   <account>/<sha256>/           a package
//!   <account>/<sha256>.bytes      how much room it takes
//!   <account>/layers-<sha256>/    several, one over the other; its files are those of the packages'
//!   <account>/layers-<sha256>.of  of which packages it was made
//!   <account>/new-7/              being made, or going
//! ```
//!
//! Each account has separate files, even of identical packages: otherwise a lock or a watch on a
//! file would be noticed by others.
//!
//! A package is unpacked into a fresh folder that is then renamed to its place, so that a reader
//! never sees half of one. Nothing here is fsynced: after a power loss a renamed folder may lack
//! data, so the cache is emptied whenever the machine has booted since it was filled. Whatever is
//! missing is made again, the cache itself as well.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use beneath::{Folder, Kind};
use types::AccountId;

use crate::Error;
use crate::leave::Leave;

/// Below `/proc`: changes with every boot of the kernel.
const BOOT_ID: &str = "sys/kernel/random/boot_id";
/// The file that says when, and in which shape, the cache was filled.
const MARKER: &str = "boot-id";
/// Changes with the shape of the cache.
const SHAPE: &str = "by account, unpacked by a user of its own, with sizes";
/// How the files' names end that say of which packages a folder was made. Its files are those of
/// the packages' own folders, so that it holds on to their room.
const NOTE: &str = ".of";
/// How the files' names end that say how much room a package's folder takes.
const BYTES: &str = ".bytes";
/// Others may pass through (the function's user must reach its code), not look around.
const PASS: u32 = 0o711;
/// Names in the cache, or in an account's part of it, at most.
const ENTRIES_MAX: usize = 10_000_000;
/// Bytes of a note or of the marker, at most.
const NOTE_BYTES_MAX: u64 = 4_096;

/// See the module.
pub(crate) struct Disk {
    /// The operator's or our own path.
    root: PathBuf,
    next: AtomicU64,
    /// Who owns what is unpacked; `None` for the user that this process is.
    user: Option<u32>,
    /// What is left of the disk, at least.
    leave: Leave,
}

/// Folders that nobody finds any more.
pub(crate) struct Gone {
    home: Folder,
    names: Vec<String>,
}

impl Disk {
    /// Opens the folder, which is created if missing, and removes what cannot be used.
    pub(crate) fn open(root: PathBuf, user: Option<u32>, leave: Leave) -> Result<Self, Error> {
        let disk = Self {
            root,
            next: AtomicU64::new(0),
            user,
            leave,
        };
        let folder = disk.folder()?;
        let marker = marker()?;
        let same = read(&folder, Path::new(MARKER)).ok().as_deref() == Some(marker.as_str());
        for (name, kind) in folder.entries(ENTRIES_MAX)? {
            let path = Path::new(&name);
            if !same {
                folder.remove_all(path)?;
            } else if kind == Kind::Folder {
                remove_unfinished(&folder.folder(path)?)?;
            }
        }
        if !same {
            write(&folder, Path::new(MARKER), &marker)?;
        }
        Ok(disk)
    }

    /// Each package's folder that is here: whose, its name, and its bytes.
    pub(crate) fn list(&self) -> Result<Vec<(AccountId, String, u64)>, Error> {
        let root = self.folder()?;
        let mut found = Vec::new();
        for (account, kind) in root.entries(ENTRIES_MAX)? {
            let known = account.to_str().and_then(|text| AccountId::new(text).ok());
            let (Some(known), Kind::Folder) = (known, kind) else {
                continue;
            };
            let home = root.folder(Path::new(&account))?;
            for (note, _) in home.entries(ENTRIES_MAX)? {
                let Some(name) = note.to_str().and_then(|note| note.strip_suffix(BYTES)) else {
                    continue;
                };
                let bytes = read(&home, Path::new(&note))?.parse();
                if let (Ok(bytes), Ok(_)) = (bytes, home.folder(Path::new(name))) {
                    found.push((known.clone(), name.to_owned(), bytes));
                }
            }
        }
        Ok(found)
    }

    /// Notes how much room a package's folder takes that is about to be made.
    pub(crate) fn note_bytes(
        &self,
        account: &AccountId,
        image: &str,
        bytes: u64,
    ) -> Result<(), Error> {
        self.put_note(account, &format!("{image}{BYTES}"), &bytes.to_string())
    }

    /// The cache's folder, created if missing: somebody may have removed it.
    fn folder(&self) -> io::Result<Folder> {
        match Folder::open(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let (Some(parent), Some(name)) = (self.root.parent(), self.root.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = enter(&Folder::open(parent)?, Path::new(name))?;
        match write(&folder, Path::new(MARKER), &marker()?) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(folder),
        }
    }

    fn path(&self, account: &AccountId, name: &str) -> PathBuf {
        self.root.join(account.as_str()).join(name)
    }

    /// The package's folder, if it is here.
    pub(crate) fn get(&self, account: &AccountId, image: &str) -> Option<PathBuf> {
        let inside = Path::new(account.as_str()).join(image);
        let there = Folder::open(&self.root).and_then(|root| root.folder(&inside));
        there.is_ok().then(|| self.path(account, image))
    }

    /// Makes a package's folder: `make` is given the account's folder, the fresh one, and its name. Two at
    /// once do the work twice; one of them wins. What fails leaves nothing.
    pub(crate) fn fill(
        &self,
        account: &AccountId,
        image: &str,
        make: impl FnOnce(&Folder, &Folder, &str) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let home = enter(&self.folder()?, Path::new(account.as_str()))?;
        self.leave.check(&home)?;
        let name = self.fresh_name();
        let fresh = Path::new(&name);
        home.make_folder(fresh, 0o755)?;
        let filled = self.fill_fresh(&home, (fresh, &name), image, make);
        // Still there if it failed or another was first.
        let cleared = home.remove_all(fresh);
        filled?;
        cleared?;
        Ok(self.path(account, image))
    }

    fn fill_fresh(
        &self,
        home: &Folder,
        (fresh, name): (&Path, &str),
        image: &str,
        make: impl FnOnce(&Folder, &Folder, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let folder = home.folder(fresh)?;
        // Whatever mask this process has.
        folder.set_mode(0o755)?;
        if let Some(user) = self.user {
            folder.give_to(user)?;
        }
        make(home, &folder, name)?;
        match home.rename(fresh, home, Path::new(image)) {
            Err(error) if home.folder(Path::new(image)).is_err() => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn fresh_name(&self) -> String {
        format!("new-{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes of which packages the account's folder `name` is to be made.
    pub(crate) fn note(
        &self,
        account: &AccountId,
        name: &str,
        images: &[String],
    ) -> Result<(), Error> {
        self.put_note(account, &format!("{name}{NOTE}"), &images.join("\n"))
    }

    fn put_note(&self, account: &AccountId, note: &str, text: &str) -> Result<(), Error> {
        let home = enter(&self.folder()?, Path::new(account.as_str()))?;
        home.remove_all(Path::new(note))?;
        match write(&home, Path::new(note), text) {
            // Another was as quick, with the same note.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes a package's folder out of its place, and those that were made of it and others: a reader finds
    /// each whole or not at all. What [`Gone`] has is left to be removed.
    pub(crate) fn take_out(&self, account: &AccountId, image: &str) -> Result<Gone, Error> {
        let home = enter(&self.folder()?, Path::new(account.as_str()))?;
        let mut names = Vec::new();
        names.extend(self.rename_away(&home, Path::new(image))?);
        home.remove_all(Path::new(&format!("{image}{BYTES}")))?;
        for (note, _) in home.entries(ENTRIES_MAX)? {
            let Some(made) = note.to_str().and_then(|note| note.strip_suffix(NOTE)) else {
                continue;
            };
            let of = read(&home, Path::new(&note))?;
            if of.lines().any(|line| line == image) {
                names.extend(self.rename_away(&home, Path::new(made))?);
                home.remove_all(Path::new(&note))?;
            }
        }
        Ok(Gone { home, names })
    }

    fn rename_away(&self, home: &Folder, name: &Path) -> Result<Option<String>, Error> {
        let away = self.fresh_name();
        match home.rename(name, home, Path::new(&away)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            renamed => Ok(renamed.map(|()| Some(away))?),
        }
    }
}

impl Gone {
    /// Removes what was taken out, file by file. Whatever a killed run leaves of it, the next start removes.
    pub(crate) fn remove(self) -> Result<(), Error> {
        let mut names = self.names.iter();
        Ok(names.try_for_each(|name| self.home.remove_all(Path::new(name)))?)
    }
}

/// The folder of that name, created if missing.
fn enter(folder: &Folder, name: &Path) -> io::Result<Folder> {
    match folder.make_folder(name, PASS) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => folder.folder(name),
    }
}

/// What is called new a killed run has left half done.
fn remove_unfinished(home: &Folder) -> io::Result<()> {
    for (name, _) in home.entries(ENTRIES_MAX)? {
        if name.to_string_lossy().starts_with("new-") {
            home.remove_all(Path::new(&name))?;
        }
    }
    Ok(())
}

fn marker() -> io::Result<String> {
    let boot = read(&Folder::open(Path::new("/proc"))?, Path::new(BOOT_ID))?;
    Ok(format!("{boot}{SHAPE}\n"))
}

fn read(folder: &Folder, name: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = folder.file(name)?;
    file.take(NOTE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn write(folder: &Folder, name: &Path, text: &str) -> io::Result<()> {
    folder.new_file(name, 0o600)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
