//! Publishing and finding packages.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use storage::Blobs;

use crate::cache::Cache;
use crate::{Error, layers, unpack};

/// A package that is checked and durable.
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
        let package = zip.clone();
        let checked = blocking(move || {
            let digest = ring::digest::digest(&ring::digest::SHA256, &package);
            let unpacked_bytes = unpack::check(&package)?;
            Ok((digest, unpacked_bytes))
        });
        let (digest, unpacked_bytes) = checked.await?;
        let image = hex(digest.as_ref());
        let name = blob_name(&image);
        let bytes = zip.len() as u64;
        if self.blobs.size(&name).await? != Some(bytes) {
            self.blobs.put(&name, zip).await?;
        }
        Ok(Published {
            image,
            sha256_base64: STANDARD.encode(digest.as_ref()),
            bytes,
            unpacked_bytes,
        })
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
        let fill = move || {
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
    format!("code/{image}.zip")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
