//! A data folder that a backup is written to, or restored from: its stores, without a server.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use backends::{LocalBlobs, Opening, Remembered, Sqlite, SqliteQueue};
use backup::Stores;
use storage::Boundless;
use types::SystemClock;

use crate::data_dir::DataDir;

/// The files of a backup, besides its blobs. The first must be there.
pub(super) const FILES: [&str; 5] = [
    "metadata.db",
    "queues.db",
    "remembered",
    "secret",
    "credentials",
];
/// What the name of a backup ends with that has not come to its end.
const UNFINISHED: &str = ".unfinished";

/// The stores of a folder that nobody else uses meanwhile.
pub(super) struct Saved {
    folder: DataDir,
    table: Arc<Sqlite>,
    queue: Arc<SqliteQueue>,
    blobs: Arc<LocalBlobs>,
}

impl Saved {
    /// Opens the stores of a folder, which has them or is empty.
    pub(super) fn open(folder: DataDir) -> anyhow::Result<Self> {
        let path = folder.path();
        let remembered = Remembered::open(&path.join("remembered"), false);
        let opening = Opening {
            remembered: Some(Arc::new(remembered.context("remembered cannot be read")?)),
            room: Arc::new(Boundless),
        };
        let table = Sqlite::open_with(&path.join(FILES[0]), &opening);
        let table = Arc::new(table.context("metadata.db cannot be used")?);
        let clock = Arc::new(SystemClock);
        let queue = SqliteQueue::open_with(&path.join(FILES[1]), clock, &opening);
        let queue = Arc::new(queue.context("queues.db cannot be used")?);
        let blobs = LocalBlobs::open(&path.join("blobs")).context("blobs/ cannot be used")?;
        Ok(Self {
            table,
            queue,
            blobs: Arc::new(blobs),
            folder,
        })
    }

    /// What there is in a folder that must be a data folder already.
    pub(super) fn existing(path: &Path) -> anyhow::Result<Self> {
        if !path.join(FILES[0]).is_file() {
            bail!(
                "{} is no data folder: it has no {}",
                path.display(),
                FILES[0]
            );
        }
        Self::open(DataDir::open(path)?)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn stores(&self) -> Stores {
        Stores {
            table: self.table.clone(),
            queue: self.queue.clone(),
            blobs: self.blobs.clone(),
        }
    }

    /// Closes the stores, so that everything is in the files themselves. The folder stays held.
    pub(super) async fn close(self) -> anyhow::Result<DataDir> {
        let (metadata, queues) = tokio::join!(self.table.checkpoint(), self.queue.checkpoint());
        metadata
            .and(queues)
            .context("the databases cannot be closed")?;
        // Dropping the last handle waits for a thread.
        let closed = tokio::task::spawn_blocking(move || {
            drop((self.table, self.queue, self.blobs));
            self.folder
        });
        closed.await.context("closing the databases has panicked")
    }
}

/// A folder that gets its name when everything is in it.
pub(super) struct Unfinished {
    name: PathBuf,
    pub(super) folder: DataDir,
}

impl Unfinished {
    /// Next to where it is to be; what is left of an earlier one is removed.
    pub(super) fn begin(name: &Path) -> anyhow::Result<Self> {
        if name.symlink_metadata().is_ok() {
            bail!(
                "{} exists already: a backup is a new folder",
                name.display()
            );
        }
        let mut aside = name.as_os_str().to_owned();
        aside.push(UNFINISHED);
        let folder = DataDir::open(Path::new(&aside))?;
        empty(folder.path())
            .with_context(|| format!("{} cannot be emptied", folder.path().display()))?;
        Ok(Self {
            name: name.to_owned(),
            folder,
        })
    }

    /// Gives it its name. Durable on return.
    pub(super) fn finish(name: &Path, folder: DataDir) -> io::Result<()> {
        sync(folder.path())?;
        fs::rename(folder.path(), name)?;
        match name
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            Some(parent) => sync(parent),
            None => sync(Path::new(".")),
        }
    }

    /// The name it is to have, and the folder.
    pub(super) fn parts(self) -> (PathBuf, DataDir) {
        (self.name, self.folder)
    }
}

/// A folder for as long as it is needed.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Where temporary files are (`TMPDIR`); closed to others.
    pub(super) fn new(random: &dyn types::Random) -> anyhow::Result<(Self, DataDir)> {
        let name = format!("lambent-backup-{:016x}", random.next_u64());
        let path = std::env::temp_dir().join(name);
        let folder = DataDir::open(&path)?;
        Ok((Self(path), folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is a temporary file that stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a file that only we can read.
pub(super) fn create_file(path: &Path) -> anyhow::Result<File> {
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.with_context(|| format!("{} cannot be written", path.display()))
}

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            // It is held.
            false if entry.file_name() == "lock" => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_its_name_when_it_is_finished() {
        let root = tempfile::tempdir().unwrap();
        let name = root.path().join("monday");
        let killed = Unfinished::begin(&name).unwrap();
        let aside = killed.folder.path().to_owned();
        fs::write(aside.join("metadata.db"), "half").unwrap();
        assert!(Unfinished::begin(&name).is_err(), "it is in use");
        assert!(!name.exists());
        drop(killed);
        let (given, folder) = Unfinished::begin(&name).unwrap().parts();
        assert_eq!(fs::read_dir(&aside).unwrap().count(), 1, "the lock alone");
        Unfinished::finish(&given, folder).unwrap();
        assert!(name.is_dir() && !aside.exists());
        assert!(Unfinished::begin(&name).is_err(), "nothing is written over");
        assert!(Saved::existing(&name).is_err(), "no stores");
    }
}
