//! Publishing and finding packages.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use storage::Blobs;

use crate::cache::Cache;
use crate::{Error, layers, unpack};

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
    /// Bytes of all files unpacked.
    pub unpacked_bytes: u64,
}

/// All packages of this installation.
pub struct Images {
    blobs: Arc<dyn Blobs>,
    cache: Arc<Cache>,
}

impl Images {
    /// Packages in `blobs`, unpacked under the folder `cache`, which is made if it is not there.
    pub fn open(blobs: Arc<dyn Blobs>, cache: PathBuf) -> Result<Self, Error> {
        Ok(Self {
            blobs,
            cache: Arc::new(Cache::open(cache)?),
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
            let digest = ring::digest::digest(&ring::digest::SHA256, &zip);
            Ok(Published {
                image: hex(digest.as_ref()),
                sha256_base64: STANDARD.encode(digest.as_ref()),
                bytes: zip.len() as u64,
                unpacked_bytes: unpack::check(&zip)?,
            })
        });
        checked.await
    }

    /// Keeps a package that has been checked. Durable on return.
    pub async fn keep(&self, package: &Published, zip: Bytes) -> Result<(), Error> {
        let name = blob_name(&package.image);
        if self.blobs.size(&name).await? != Some(package.bytes) {
            self.blobs.put(&name, zip).await?;
        }
        Ok(())
    }

    /// The names of packages that are kept, in their order, those after `after`, so many at most.
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

    /// The package as it was uploaded.
    pub async fn zip(&self, image: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.blobs.get(&blob_name(image)).await?)
    }

    /// The folder that holds the unpacked package, unpacked now if need be. Read-only by custom:
    /// it is bind-mounted into every environment of the version.
    pub async fn folder(&self, image: &str) -> Result<PathBuf, Error> {
        if let Some(folder) = self.cache.get(image) {
            return Ok(folder);
        }
        let zip = self.zip(image).await?;
        let zip = zip.ok_or_else(|| Error::NotFound {
            image: image.to_owned(),
        })?;
        let (cache, image) = (Arc::clone(&self.cache), image.to_owned());
        blocking(move || cache.fill(&image, |folder| unpack::unpack(&zip, folder))).await
    }

    /// The folder that holds these packages one over the other, made now if need be: where two
    /// have the same file, it is the later one's. `None` of no packages.
    pub async fn layers(&self, images: &[&str]) -> Result<Option<PathBuf>, Error> {
        let name = match images {
            [] => return Ok(None),
            [image] => return self.folder(image).await.map(Some),
            images => layers::name(images),
        };
        if let Some(folder) = self.cache.get(&name) {
            return Ok(Some(folder));
        }
        let mut folders = Vec::new();
        for image in images {
            folders.push(self.folder(image).await?);
        }
        let cache = Arc::clone(&self.cache);
        let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        let fill = move || {
            cache.note(&name, &images)?;
            cache.fill(&name, |folder| {
                layers::merge(&folders, folder).map_err(|source| Error::Cache {
                    path: folder.display().to_string(),
                    source,
                })
            })
        };
        blocking(fill).await.map(Some)
    }
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
