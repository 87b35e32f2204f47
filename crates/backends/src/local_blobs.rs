//! Blobs as files.
//!
//! ```text
//!   DATA-DIR/blobs/4f/code%…         '/' in a name becomes '%', which no name contains; the folder
//!                                    is a hash of the name, so that none grows large
//!   DATA-DIR/blobs/new/12            being written; emptied when the store is opened
//! ```
//!
//! A blob is written under another name, synced and renamed, and the folder is synced: a reader, and
//! a crash, see the old one or the new one.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use storage::blobs::check_name;
use storage::{Blobs, Error as StorageError};
use tokio::sync::Semaphore;

use crate::Error;
use crate::error::unavailable;

/// The folder of what is being written.
const UNFINISHED: &str = "new";

/// The store. One process at a time may have it open on a folder.
pub struct LocalBlobs {
    folder: Arc<Folder>,
    /// A caller that gives up waiting leaves nothing behind, though those at work on a disk that hangs stay.
    working: Arc<Semaphore>,
}

/// Blobs that are read or written at a time: threads that a slow disk may hold.
const AT_A_TIME: usize = 16;

struct Folder {
    root: PathBuf,
    written: AtomicU64,
}

impl LocalBlobs {
    /// Opens the folder at `root`, or makes it, for its owner only; what an earlier process did not
    /// finish writing is removed.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let folder = Folder {
            root: root.to_owned(),
            written: AtomicU64::new(0),
        };
        folder.prepare().map_err(|source| Error::Io {
            path: root.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: Arc::new(folder),
            working: Arc::new(Semaphore::new(AT_A_TIME)),
        })
    }

    /// Files block; they do so on threads that are there for it.
    async fn on_disk<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Folder, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        check_name(name)?;
        let name = name.to_owned();
        self.aside(move |folder| work(folder, &name)).await
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let turn = Arc::clone(&self.working).acquire_owned().await;
        let turn = turn.map_err(unavailable)?;
        let folder = Arc::clone(&self.folder);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&folder)
        });
        answer.await.map_err(unavailable)?.map_err(unavailable)
    }
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.on_disk(name, move |folder, name| folder.put(name, &bytes))
            .await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        let read = |folder: &Folder, name: &str| found(fs::read(folder.path(name)));
        Ok(self.on_disk(name, read).await?.map(Bytes::from))
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, StorageError> {
        let look = |folder: &Folder, name: &str| found(fs::metadata(folder.path(name)));
        Ok(self
            .on_disk(name, look)
            .await?
            .map(|metadata| metadata.len()))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StorageError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.aside(move |folder| folder.list(&prefix, after.as_deref(), limit))
            .await
    }

    async fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.on_disk(name, Folder::delete).await
    }
}

impl Folder {
    fn prepare(&self) -> io::Result<()> {
        make_folder(&self.root)?;
        let unfinished = self.root.join(UNFINISHED);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => make_folder(&unfinished),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let folder = path.parent().expect("a blob is in a folder of the store");
        if !folder.is_dir() {
            make_folder(folder)?;
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.root.join(UNFINISHED).join(number.to_string());
        let written = write_durably(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| sync(folder));
        if written.is_err() {
            // It may not be there; and if it cannot be removed now, the next start does it.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Looks at all names there are: they lie about by their hashes.
    fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> io::Result<Vec<String>> {
        let mut first = BTreeSet::new();
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if folder.file_name() == UNFINISHED || !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                // What we have not put there is not ours to tell of.
                let Ok(name) = file?.file_name().into_string() else {
                    continue;
                };
                let name = name.replace('%', "/");
                let later = after.is_none_or(|after| name.as_str() > after);
                if !name.starts_with(prefix) || !later || check_name(&name).is_err() {
                    continue;
                }
                first.insert(name);
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
        Ok(first.into_iter().collect())
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        match found(fs::remove_file(&path))? {
            None => Ok(()),
            Some(()) => sync(path.parent().expect("a blob is in a folder of the store")),
        }
    }

    /// Where a blob of a name that has been checked is.
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(blob_file(name))
    }
}

/// The file of a blob, below the folder of all.
pub fn blob_file(name: &str) -> String {
    // Its lowest byte has seen every byte of the name.
    let hash = types::fnv::hash_32(&[name.as_bytes()]);
    format!("{:02x}/{}", hash & 0xff, name.replace('/', "%"))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder that may be there already, and its name durable.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => sync(parent),
        None => sync(Path::new(".")),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What does not exist is `None`.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
