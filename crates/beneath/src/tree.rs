//! Removes whole trees, whatever is in them.

use std::io;
use std::path::Path;

use rustix::fs::{self, AtFlags};

use crate::{Folder, Kind};

/// Folders held open at once while a tree is removed. What lies deeper is moved up first, so that no
/// depth uses up descriptors or stack.
pub(crate) const DEPTH_AT_ONCE: usize = 32;
/// Names read at once.
const BATCH: usize = 4_096;

impl Folder {
    /// Removes what has this name directly in this folder, and all below it. No link is followed. It is not an
    /// error if it does not exist.
    pub fn remove_all(&self, name: &Path) -> io::Result<()> {
        match self.remove_file(name) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => return Err(error),
        }
        let top = self.folder(name)?;
        let mut moved = 0;
        top.empty(&top, DEPTH_AT_ONCE, &mut moved)?;
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes all that is in this folder, which is `top` or below it. Folders deeper than `depth` are
    /// moved to `top`, whose own call finds them there.
    fn empty(&self, top: &Self, depth: usize, moved: &mut u64) -> io::Result<()> {
        loop {
            let entries = self.some_entries()?;
            if entries.is_empty() {
                return Ok(());
            }
            for (name, kind) in entries {
                let name = Path::new(&name);
                if kind != Kind::Folder {
                    fs::unlinkat(&self.0, name, AtFlags::empty())?;
                } else if depth == 0 {
                    self.move_up(name, top, moved)?;
                } else {
                    self.folder(name)?.empty(top, depth - 1, moved)?;
                    fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?;
                }
            }
        }
    }

    fn move_up(&self, name: &Path, top: &Self, moved: &mut u64) -> io::Result<()> {
        loop {
            *moved += 1;
            let new = format!("deep-{moved}");
            // Only an empty folder could be replaced by a folder, which is removed by that.
            match self.rename(name, top, Path::new(&new)) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::DirectoryNotEmpty
                            | io::ErrorKind::AlreadyExists
                            | io::ErrorKind::NotADirectory
                    ) => {}
                done => return done,
            }
        }
    }

    /// The first names of this folder.
    fn some_entries(&self) -> io::Result<Vec<(std::ffi::OsString, Kind)>> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut found = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                let name = std::ffi::OsString::from_vec(name.to_vec());
                let kind = self.look(Path::new(&name))?.kind;
                found.push((name, kind));
            }
            if found.len() >= BATCH {
                break;
            }
        }
        Ok(found)
    }
}
