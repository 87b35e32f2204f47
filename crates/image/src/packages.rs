//! Packages as they were uploaded: checked, kept, and used only if they are what was uploaded.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use storage::Blobs;

use crate::{Error, unpack};

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

/// All packages of this installation, or cluster.
pub struct Packages {
    blobs: Arc<dyn Blobs>,
    damaged: AtomicU64,
}

impl Packages {
    /// Packages in `blobs`.
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self {
            blobs,
            damaged: AtomicU64::new(0),
        }
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
                image: HEXLOWER.encode(&digest),
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

    /// Removes a package that nobody will ask for any more; harmless if it is gone. What workers have
    /// unpacked of it goes when they need its room.
    pub async fn remove(&self, image: &str) -> Result<(), Error> {
        Ok(self.blobs.delete(&blob_name(image)).await?)
    }

    /// The package as it was uploaded: what is kept under its name is checked each time, and is
    /// [`Error::Damaged`] if its digest is not its name.
    pub async fn zip(&self, image: &str) -> Result<Option<Bytes>, Error> {
        let Some(zip) = self.blobs.get(&blob_name(image)).await? else {
            return Ok(None);
        };
        let (read, same) = blocking(move || {
            let name = HEXLOWER.encode(&digest(&zip));
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
}

fn digest(bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

/// Runs work that reads files or burns processor time away from the tasks that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let work = tokio::task::spawn_blocking(work);
    work.await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

/// The blob that a package is kept in, by the package's name.
pub fn blob_name(image: &str) -> String {
    format!("{FOLDER}{image}{ENDING}")
}

fn image_of(blob: &str) -> Option<String> {
    let image = blob.strip_prefix(FOLDER)?.strip_suffix(ENDING)?;
    Some(image.to_owned())
}

#[cfg(test)]
mod tests;
