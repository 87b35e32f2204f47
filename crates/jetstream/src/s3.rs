//! Blobs in a bucket of an S3-compatible store. A put is one request, which the store carries out as a whole; what it
//! has acknowledged is there for every later request.

mod http;
mod objects;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use storage::Error;
use storage::blobs::{Blobs, check_name};

use http::Connector;
pub use objects::Objects;

/// Where blobs are kept, and by whose keys.
#[derive(Clone)]
pub struct Bucket {
    /// The store, as `https://s3.eu-west-1.amazonaws.com`.
    pub endpoint: String,
    /// Its region; `us-east-1` for stores that have none.
    pub region: String,
    /// The bucket, which exists.
    pub name: String,
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret.
    pub secret: String,
}

/// Blobs in a bucket.
pub struct S3(AmazonS3);

impl S3 {
    /// The bucket is not asked for anything yet.
    pub fn open(bucket: &Bucket) -> Result<Self, Error> {
        Ok(Self(connect(bucket)?))
    }
}

fn connect(bucket: &Bucket) -> Result<AmazonS3, Error> {
    let store = AmazonS3Builder::new()
        .with_endpoint(&bucket.endpoint)
        .with_region(&bucket.region)
        .with_bucket_name(&bucket.name)
        .with_access_key_id(&bucket.key_id)
        .with_secret_access_key(&bucket.secret)
        .with_allow_http(bucket.endpoint.starts_with("http://"))
        .with_http_connector(Connector::new().map_err(unavailable)?)
        .build();
    store.map_err(unavailable)
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unavailable(Box::new(error))
}

fn path(name: &str) -> Result<Path, Error> {
    check_name(name)?;
    Path::parse(name).map_err(unavailable)
}

/// Nothing, if that is because there is no such blob.
fn if_there<T>(answer: object_store::Result<T>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

#[async_trait]
impl Blobs for S3 {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self.0.put(&path(name)?, bytes.into()).await;
        put.map(drop).map_err(unavailable)
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        match if_there(self.0.get(&path(name)?).await)? {
            Some(found) => found.bytes().await.map(Some).map_err(unavailable),
            None => Ok(None),
        }
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        let found = if_there(self.0.head(&path(name)?).await)?;
        Ok(found.map(|found| found.size))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        // The store is asked for whole words; what begins with a part of one is found among them.
        let folder = prefix
            .rsplit_once('/')
            .map(|(folder, _)| Path::from(folder));
        let mut found = match after {
            Some(after) => self.0.list_with_offset(folder.as_ref(), &Path::from(after)),
            None => self.0.list(folder.as_ref()),
        };
        let mut names = Vec::new();
        while names.len() < limit
            && let Some(blob) = found.try_next().await.map_err(unavailable)?
        {
            let name = String::from(blob.location);
            if name.starts_with(prefix) {
                names.push(name);
            } else if name.as_str() > prefix {
                break;
            }
        }
        Ok(names)
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        if_there(self.0.delete(&path(name)?).await).map(drop)
    }
}
