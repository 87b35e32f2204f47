//! Objects of a bucket by their keys, whatever these are: files of any size too, in pieces.

use std::fs::File;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore as _, ObjectStoreExt as _};
use storage::Error;

use super::{Bucket, connect, if_there, unavailable};

/// What is held of a file at a time.
const PIECE_BYTES: u64 = 16 * 1024 * 1024;

/// The objects of a bucket.
#[derive(Clone)]
pub struct Objects(AmazonS3);

impl Objects {
    /// The bucket is not asked for anything yet.
    pub fn open(bucket: &Bucket) -> Result<Self, Error> {
        connect(bucket).map(Self)
    }

    /// Puts an object, as a whole.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self.0.put(&path(key)?, bytes.into()).await;
        put.map(drop).map_err(unavailable)
    }

    /// The object, if there is one.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        match if_there(self.0.get(&path(key)?).await)? {
            Some(found) => found.bytes().await.map(Some).map_err(unavailable),
            None => Ok(None),
        }
    }

    /// Its size in bytes, if there is one.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let found = if_there(self.0.head(&path(key)?).await)?;
        Ok(found.map(|found| found.size))
    }

    /// All keys below a folder.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let found = self.0.list(Some(&path(folder)?));
        let keys = found.map_ok(|object| String::from(object.location));
        keys.try_collect().await.map_err(unavailable)
    }

    /// Deletes it; harmless if it does not exist.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        if_there(self.0.delete(&path(key)?).await).map(drop)
    }

    /// Puts a file, as a whole.
    pub async fn put_file(&self, key: &str, mut file: File) -> Result<(), Error> {
        let upload = self.0.put_multipart(&path(key)?).await;
        let mut upload = upload.map_err(unavailable)?;
        let sent = send(&mut *upload, &mut file).await;
        if sent.is_err() {
            // What remains of it is the store's to remove.
            let _ = upload.abort().await;
        }
        sent
    }

    /// Writes an object into a file. `false` if there is none.
    pub async fn get_file(&self, key: &str, mut file: File) -> Result<bool, Error> {
        let (Some(size), path) = (self.size(key).await?, path(key)?) else {
            return Ok(false);
        };
        let mut from = 0;
        while from < size {
            let to = size.min(from + PIECE_BYTES);
            let piece = self
                .0
                .get_range(&path, from..to)
                .await
                .map_err(unavailable)?;
            from = to;
            let written = tokio::task::spawn_blocking(move || {
                file.write_all(&piece)?;
                Ok::<_, std::io::Error>(file)
            });
            file = written.await.map_err(unavailable)?.map_err(unavailable)?;
        }
        let synced = tokio::task::spawn_blocking(move || file.sync_all()).await;
        synced.map_err(unavailable)?.map_err(unavailable)?;
        Ok(true)
    }
}

async fn send(upload: &mut dyn MultipartUpload, file: &mut File) -> Result<(), Error> {
    let mut pieces = 0_u64;
    loop {
        let piece = read(file.try_clone().map_err(unavailable)?).await?;
        let last = (piece.len() as u64) < PIECE_BYTES;
        // A store takes no empty piece, but as the only one.
        if !piece.is_empty() || pieces == 0 {
            upload.put_part(piece.into()).await.map_err(unavailable)?;
        }
        if last {
            return upload.complete().await.map(drop).map_err(unavailable);
        }
        pieces += 1;
    }
}

async fn read(file: File) -> Result<Bytes, Error> {
    let piece = tokio::task::spawn_blocking(move || {
        let mut piece = Vec::new();
        file.take(PIECE_BYTES)
            .read_to_end(&mut piece)
            .map(|_| piece)
    });
    let piece = piece.await.map_err(unavailable)?.map_err(unavailable)?;
    Ok(piece.into())
}

fn path(key: &str) -> Result<Path, Error> {
    Path::parse(key).map_err(unavailable)
}
