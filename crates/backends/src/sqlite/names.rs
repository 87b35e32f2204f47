//! Whether the files that are written still have their names: what goes into a file that somebody has
//! removed or replaced is gone with the process, and must not be acknowledged.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file has not its name any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} was removed or replaced while it was in use; put it back, or stop the server", path.display())]
pub(super) struct Moved {
    path: PathBuf,
}

/// A database and its log, as they were when they were opened.
pub(super) struct Names(Vec<(PathBuf, (u64, u64))>);

impl Names {
    /// Of the database at `path`, which is open.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = [path.to_owned(), log.into()];
        let files = files
            .into_iter()
            .map(|file| Ok((file.clone(), identity(&file)?)));
        files.collect::<io::Result<_>>().map(Self)
    }

    /// Two questions to the kernel, about a microsecond each.
    pub(super) fn check(&self) -> Result<(), Moved> {
        let moved = self.0.iter().find(|(path, known)| {
            // A folder that cannot be read proves nothing: the write itself will fail.
            match identity(path) {
                Ok(found) => found != *known,
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            }
        });
        match moved {
            Some((path, _)) => Err(Moved { path: path.clone() }),
            None => Ok(()),
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
