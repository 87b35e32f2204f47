//! Reading a zip archive that somebody sent.
//!
//! Modes are kept as the archive has them, as Lambda does: a file that others may not read cannot
//! be read by the function. Set-id bits are dropped. Symbolic links are made last, after all
//! files, so that no entry is ever written through one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use types::limits::UNZIPPED_BYTES_MAX;
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::Error;

/// Entries of an archive, at most. A made-up bound: ten times what large real packages hold.
const ENTRIES_MAX: usize = 400_000;
/// A symbolic link's target, bytes (Linux's PATH_MAX).
const LINK_BYTES_MAX: u64 = 4_096;

/// Checks an archive's directory without unpacking it; returns the bytes it claims to unpack to.
pub(crate) fn check(zip: &[u8]) -> Result<u64, Error> {
    let mut archive = open(zip)?;
    let mut total = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(Error::NotAZip)?;
        path_of(&entry)?;
        total = total.saturating_add(entry.size());
    }
    if total > UNZIPPED_BYTES_MAX {
        return Err(Error::TooLarge {
            limit: UNZIPPED_BYTES_MAX,
        });
    }
    Ok(total)
}

/// Unpacks an archive into an empty folder.
pub(crate) fn unpack(zip: &[u8], folder: &Path) -> Result<(), Error> {
    let mut archive = open(zip)?;
    let mut left = UNZIPPED_BYTES_MAX;
    let mut links = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(Error::NotAZip)?;
        let path = folder.join(path_of(&entry)?);
        let name = name_of(&entry)?;
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(|e| at(&path, e))?;
        } else if entry.is_symlink() {
            let mut target = String::new();
            let read = entry
                .by_ref()
                .take(LINK_BYTES_MAX)
                .read_to_string(&mut target);
            read.map_err(|_| bad(&name, "is a link whose target is no text"))?;
            links.insert(path, (name, target));
        } else {
            left = write_file(&mut entry, &path, left)?;
        }
    }
    for (path, (name, target)) in links {
        make_parent(&path)?;
        symlink(target, &path).map_err(|_| bad(&name, "is a link that stands twice"))?;
    }
    Ok(())
}

fn open(zip: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, Error> {
    let archive = ZipArchive::new(Cursor::new(zip)).map_err(Error::NotAZip)?;
    if archive.len() > ENTRIES_MAX {
        return Err(bad("", "is one of too many"));
    }
    Ok(archive)
}

/// Writes one file; returns how many bytes the rest of the archive may still fill. Counts what is
/// really there: the size an entry claims is only a claim.
fn write_file(
    entry: &mut ZipFile<'_, Cursor<&[u8]>>,
    path: &Path,
    left: u64,
) -> Result<u64, Error> {
    make_parent(path)?;
    // No mode at all comes from systems that have none; Lambda lets everybody read those.
    let mode = entry.unix_mode().map_or(0o644, |mode| mode & 0o777);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(|e| at(path, e))?;
    let name = name_of(entry)?;
    let copied = io::copy(&mut entry.take(left.saturating_add(1)), &mut file);
    let copied = copied.map_err(|_| bad(&name, "is damaged"))?;
    let left = left.checked_sub(copied).ok_or(Error::TooLarge {
        limit: UNZIPPED_BYTES_MAX,
    })?;
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(|e| at(path, e))?;
    Ok(left)
}

/// The entry's path below the folder: plain names only, nothing absolute, no `..`.
fn path_of(entry: &ZipFile<'_, Cursor<&[u8]>>) -> Result<PathBuf, Error> {
    let name = name_of(entry)?;
    let path = Path::new(&name);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.components().all(plain) {
        return Err(bad(&name, "leads out of the package"));
    }
    if entry.encrypted() {
        return Err(bad(&name, "is encrypted"));
    }
    Ok(path.to_owned())
}

fn name_of(entry: &ZipFile<'_, Cursor<&[u8]>>) -> Result<String, Error> {
    let name = entry.name().map_err(Error::NotAZip)?;
    if name.contains('\0') || name.is_empty() {
        return Err(bad(&name, "has no usable name"));
    }
    Ok(name.into_owned())
}

fn make_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().expect("a path below a folder has a parent");
    fs::create_dir_all(parent).map_err(|e| at(parent, e))
}

fn bad(name: &str, problem: &'static str) -> Error {
    Error::BadEntry {
        name: name.to_owned(),
        problem,
    }
}

fn at(path: &Path, source: io::Error) -> Error {
    // A file where a folder should be, or the other way round, is the archive's doing.
    match source.kind() {
        io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename => bad(
            &path.display().to_string(),
            "is both a file and a folder, or has too long a name",
        ),
        _ => Error::Cache {
            path: path.display().to_string(),
            source,
        },
    }
}

#[cfg(test)]
mod tests;
