//! Publishing and finding packages.

use std::fs::File;
use std::io::{self, Cursor, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use storage::Blobs;
use types::AccountId;

use crate::cache::Cache;
use crate::confine::{Confine, Task};
use crate::leave::Leave;
use crate::turns::Turns;
use crate::{Error, layers, report, unpack};

/// Where the names of blobs begin that are packages, and how they end.
const FOLDER: &str = "code/";
const ENDING: &str = ".zip";

/// A package that is checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// Its name: hex SHA-256 of the zip.
    pub image: String,
    /// Base64 SHA-256 of the zip: AWS's `CodeSha256`.
    pub sha256_base64: String,
    /// Bytes of the zip.
    pub bytes: u64,
    /// Bytes that it takes unpacked, as far as it says: 4 096 at least for each file, folder and link.
    pub unpacked_bytes: u64,
}

/// All packages of this installation.
pub struct Images {
    blobs: Arc<dyn Blobs>,
    cache: Arc<Cache>,
    confine: Arc<dyn Confine>,
    turns: Arc<Turns>,
    leave: Leave,
    damaged: AtomicU64,
}

impl Images {
    /// Packages in `blobs`, unpacked by `confine` under the folder `cache`, which is created if
    /// missing. Nothing is unpacked if the disk would have less than `reserve` bytes left.
    pub fn open(
        blobs: Arc<dyn Blobs>,
        cache: PathBuf,
        confine: Arc<dyn Confine>,
        reserve: u64,
    ) -> Result<Self, Error> {
        let leave = Leave::of_reserve(reserve);
        Ok(Self {
            blobs,
            cache: Arc::new(Cache::open(cache, confine.user(), leave)?),
            confine,
            turns: Arc::default(),
            leave,
            damaged: AtomicU64::new(0),
        })
    }

    /// Checks a package and keeps it. Durable on return; publishing it again changes nothing.
    pub async fn publish(&self, zip: Bytes) -> Result<Published, Error> {
        let published = Self::check(zip.clone()).await?;
        self.keep(&published, zip).await?;
        Ok(published)
    }

    /// What a package is once it is kept. Refuses one that cannot be unpacked.
    pub async fn check(zip: Bytes) -> Result<Published, Error> {
        let checked = blocking(move || {
            let digest = digest(&zip);
            Ok(Published {
                image: hex(&digest),
                sha256_base64: STANDARD.encode(&digest),
                bytes: zip.len() as u64,
                unpacked_bytes: unpack::check(Cursor::new(&zip))?,
            })
        });
        checked.await
    }

    /// Keeps a package that has been checked. Durable on return. One that is kept already, and
    /// undamaged, is left as it is.
    pub async fn keep(&self, package: &Published, zip: Bytes) -> Result<(), Error> {
        match self.zip(&package.image).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(Error::Damaged) => {
                Ok(self.blobs.put(&blob_name(&package.image), zip).await?)
            }
            Err(error) => Err(error),
        }
    }

    /// The names of the packages that are kept, in order, those after `after`, at most `limit`.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let after = after.map(blob_name);
        let names = self.blobs.list(FOLDER, after.as_deref(), limit).await?;
        Ok(names.iter().filter_map(|name| image_of(name)).collect())
    }

    /// Removes a package that nobody will ask for any more, and what was unpacked and made of it;
    /// harmless if it is gone.
    pub async fn remove(&self, image: &str) -> Result<(), Error> {
        let (cache, name) = (Arc::clone(&self.cache), image.to_owned());
        blocking(move || cache.remove(&name)).await?;
        Ok(self.blobs.delete(&blob_name(image)).await?)
    }

    /// The package as it was uploaded: what is kept under its name is checked each time, and is
    /// [`Error::Damaged`] if its digest is not its name.
    pub async fn zip(&self, image: &str) -> Result<Option<Bytes>, Error> {
        let Some(zip) = self.blobs.get(&blob_name(image)).await? else {
            return Ok(None);
        };
        let (read, same) = blocking(move || {
            let name = hex(&digest(&zip));
            Ok((zip, name))
        })
        .await?;
        if same != image {
            self.damaged.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                image,
                found = same,
                "a stored package is damaged: it is not used"
            );
            return Err(Error::Damaged);
        }
        Ok(Some(read))
    }

    /// How often a package was found damaged.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The account's folder that holds the unpacked package, unpacked now if need be. Read-only by
    /// custom: it is bind-mounted into every environment of the version.
    pub async fn folder(&self, account: &AccountId, image: &str) -> Result<PathBuf, Error> {
        if let Some(folder) = self.cache.get(account, image) {
            return Ok(folder);
        }
        let turn = self.turns.take(account).await;
        // Somebody else's turn may have been for the same.
        if let Some(folder) = self.cache.get(account, image) {
            return Ok(folder);
        }
        let zip = self.zip(image).await?.ok_or_else(|| Error::NotFound {
            image: image.to_owned(),
        })?;
        let (cache, confine) = (Arc::clone(&self.cache), Arc::clone(&self.confine));
        let (account, image) = (account.clone(), image.to_owned());
        let leave = self.leave;
        blocking(move || {
            // Given back when this is over, even if nobody waits for it any more.
            let _turn = turn;
            let input = in_memory(&zip)?;
            drop(zip);
            cache.fill(&account, &image, |_, fresh, _| {
                run(confine.as_ref(), Task::unpack(fresh.as_fd(), input, leave))
            })
        })
        .await
    }

    /// The account's folder that holds these packages one over the other, made now if need be: where two
    /// have the same file, it is the later one's. `None` of no packages.
    pub async fn layers(
        &self,
        account: &AccountId,
        images: &[&str],
    ) -> Result<Option<PathBuf>, Error> {
        let name = match images {
            [] => return Ok(None),
            [image] => return self.folder(account, image).await.map(Some),
            images => layers::name(images),
        };
        if let Some(folder) = self.cache.get(account, &name) {
            return Ok(Some(folder));
        }
        for image in images {
            self.folder(account, image).await?;
        }
        let turn = self.turns.take(account).await;
        if let Some(folder) = self.cache.get(account, &name) {
            return Ok(Some(folder));
        }
        let (cache, confine) = (Arc::clone(&self.cache), Arc::clone(&self.confine));
        let (account, leave) = (account.clone(), self.leave);
        let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        let made = blocking(move || {
            let _turn = turn;
            cache.note(&account, &name, &images)?;
            let layers: Vec<&str> = images.iter().map(String::as_str).collect();
            cache.fill(&account, &name, |home, _, fresh| {
                let nothing = in_memory(&[])?;
                let task = Task::merge(home.as_fd(), &layers, fresh, nothing, leave);
                run(confine.as_ref(), task)
            })
        });
        made.await.map(Some)
    }
}

/// Has a task run and reads how it went.
fn run(confine: &dyn Confine, task: Task<'_>) -> Result<(), Error> {
    let within = task.within;
    match confine.run(task) {
        Ok(report) => report::decode(&report),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Error::TooSlow {
            seconds: within.as_secs(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// A file without a name, for a process that has no other way to these bytes.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("package", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn digest(bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

/// Runs work that reads files or burns processor time away from the tasks that serve requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let work = tokio::task::spawn_blocking(work);
    work.await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

fn blob_name(image: &str) -> String {
    format!("{FOLDER}{image}{ENDING}")
}

fn image_of(blob: &str) -> Option<String> {
    let image = blob.strip_prefix(FOLDER)?.strip_suffix(ENDING)?;
    Some(image.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
