//! Large immutable things by name.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// A store of blobs. Names are `/`-separated words of `[A-Za-z0-9._-]`, never `.` or `..`.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps a blob. Putting the same name again replaces it as a whole: a reader sees one or the
    /// other, never a mixture. Durable on return.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error>;

    /// The blob, if there is one.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error>;

    /// Its size in bytes, if there is one.
    async fn size(&self, name: &str) -> Result<Option<u64>, Error>;

    /// Deletes it; harmless if it is not there.
    async fn delete(&self, name: &str) -> Result<(), Error>;
}
