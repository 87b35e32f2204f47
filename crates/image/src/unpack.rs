//! Reading a zip archive that somebody sent.
//!
//! ```text
//!   directory ──▶ [`Plan`]: refused, or ──▶ folders ──▶ files ──▶ links
//! ```
//!
//! Modes are kept as the archive has them, as Lambda does: a file that others may not read cannot
//! be read by the function. Set-id bits are dropped. Symbolic links are made last, and every look-up
//! is by [`beneath`]: even if the plan were wrong, nothing would be made through one.

use std::io::{self, BufRead, Read, Seek};
use std::path::{Path, PathBuf};

use beneath::Folder;
use types::limits::UNZIPPED_BYTES_MAX;
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::error::{Error, Problem};
use crate::leave::Leave;
use crate::plan::{ENTRY_BYTES_MIN, Kind, Node, Plan};

/// Entries of an archive, at most: more could not be within the limit of bytes.
const ENTRIES_MAX: usize = (UNZIPPED_BYTES_MAX / ENTRY_BYTES_MIN) as usize;
/// A symbolic link's target, bytes (Linux's PATH_MAX, with its zero).
const LINK_BYTES_MAX: u64 = 4_095;
/// Read of an entry and written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Checks an archive's directory without unpacking it; returns what it claims to take unpacked, bytes.
pub(crate) fn check(zip: impl Read + Seek) -> Result<u64, Error> {
    Ok(plan(&mut open(zip)?)?.weight())
}

/// Unpacks an archive into an empty folder.
pub(crate) fn unpack(zip: impl BufRead + Seek, folder: &Folder, leave: Leave) -> Result<(), Error> {
    let mut archive = open(zip)?;
    let plan = plan(&mut archive)?;
    let mut making = Making {
        archive: &mut archive,
        plan: &plan,
        // What the plan knows; the sizes that files claim are only claims.
        left: UNZIPPED_BYTES_MAX.saturating_sub(plan.weight_without_files()),
        leave,
        links: Vec::new(),
        buffer: vec![0; BUFFER_BYTES],
    };
    making.fill(plan.root(), folder, &mut PathBuf::new())?;
    making.link(folder)
}

fn open<R: Read + Seek>(zip: R) -> Result<ZipArchive<R>, Error> {
    let archive = ZipArchive::new(zip).map_err(|_| Error::NotAZip)?;
    if archive.len() > ENTRIES_MAX {
        return Err(Error::bad_entry("", Problem::TooMany));
    }
    Ok(archive)
}

fn plan<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Plan, Error> {
    let mut plan = Plan::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|_| Error::NotAZip)?;
        let name = entry.name().map_err(|_| Error::NotAZip)?;
        if entry.encrypted() {
            return Err(Error::bad_entry(&name, Problem::Encrypted));
        }
        let (kind, bytes) = if entry.is_dir() {
            (Kind::Folder, 0)
        } else if entry.is_symlink() {
            (Kind::Link, 0)
        } else {
            (Kind::File, entry.size())
        };
        plan.add(&name, kind, index, bytes)?;
    }
    Ok(plan)
}

/// Making what a plan has.
struct Making<'a, R> {
    archive: &'a mut ZipArchive<R>,
    plan: &'a Plan,
    /// Bytes that may still be taken.
    left: u64,
    /// And how much of the disk may not.
    leave: Leave,
    /// The folders of links, their names and the entries that have their targets.
    links: Vec<(PathBuf, String, usize)>,
    buffer: Vec<u8>,
}

impl<R: Read + Seek> Making<'_, R> {
    /// Makes what is in a folder, but for links. As deep as the plan, which is bounded.
    fn fill(&mut self, node: &Node, folder: &Folder, path: &mut PathBuf) -> Result<(), Error> {
        for (name, child) in self.plan.children(node) {
            self.leave.check(folder)?;
            match (child.kind, child.entry) {
                (Kind::Folder, _) => {
                    folder.make_folder(Path::new(name), 0o755)?;
                    let inner = folder.folder(Path::new(name))?;
                    path.push(name);
                    self.fill(child, &inner, path)?;
                    path.pop();
                }
                (Kind::File, Some(index)) => self.write(index, folder, name)?,
                (Kind::Link, Some(index)) => {
                    self.links.push((path.clone(), name.to_owned(), index));
                }
                (Kind::File | Kind::Link, None) => {}
            }
        }
        Ok(())
    }

    /// Writes one file. Counts what is really there.
    fn write(&mut self, index: usize, folder: &Folder, name: &str) -> Result<(), Error> {
        let mut entry = entry(self.archive, index)?;
        // No mode at all comes from systems that have none; Lambda lets everybody read those.
        let mode = entry.unix_mode().map_or(0o644, |mode| mode & 0o777);
        let file = folder.new_file(Path::new(name), 0o600)?;
        let mut written = 0_u64;
        loop {
            let read = match entry.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(named(&entry, Problem::Damaged)),
            };
            written = written.saturating_add(read as u64);
            if written > self.left {
                return Err(Error::TooLarge {
                    limit: UNZIPPED_BYTES_MAX,
                });
            }
            self.leave.check(folder)?;
            io::Write::write_all(&mut &file, &self.buffer[..read])?;
        }
        self.left = self
            .left
            .checked_sub(written.max(ENTRY_BYTES_MIN))
            .ok_or(Error::TooLarge {
                limit: UNZIPPED_BYTES_MAX,
            })?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        file.set_permissions(mode)?;
        Ok(())
    }

    fn link(&mut self, folder: &Folder) -> Result<(), Error> {
        for (path, name, index) in std::mem::take(&mut self.links) {
            let mut entry = entry(self.archive, index)?;
            let mut target = String::new();
            let read = entry
                .by_ref()
                .take(LINK_BYTES_MAX + 1)
                .read_to_string(&mut target);
            let usable = read.is_ok()
                && (1..=LINK_BYTES_MAX).contains(&(target.len() as u64))
                && !target.contains('\0');
            if !usable {
                return Err(named(&entry, Problem::LinkTarget));
            }
            let inner = match path.as_os_str().is_empty() {
                true => None,
                false => Some(folder.folder(&path)?),
            };
            let place = inner.as_ref().unwrap_or(folder);
            place.make_link(Path::new(&target), Path::new(&name))?;
        }
        Ok(())
    }
}

fn entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
) -> Result<ZipFile<'_, R>, Error> {
    archive.by_index(index).map_err(|_| Error::NotAZip)
}

fn named<R: Read>(entry: &ZipFile<'_, R>, problem: Problem) -> Error {
    Error::bad_entry(&entry.name().unwrap_or_default(), problem)
}

#[cfg(test)]
pub(crate) mod tests;
