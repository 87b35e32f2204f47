//! Large immutable things by name.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// The longest name, bytes: a local file system keeps a blob in a file of that name, and accepts 255.
pub const NAME_BYTES_MAX: usize = 200;

/// Checks a blob's name, so that none can leave the place where blobs are.
pub fn check_name(name: &str) -> Result<(), Error> {
    let is_word = |word: &str| {
        !matches!(word, "" | "." | "..")
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if name.len() <= NAME_BYTES_MAX && name.split('/').all(is_word) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "name",
        rule: "words of A-Z, a-z, 0-9, '.', '_', '-' between '/'",
    })
}

/// A store of blobs. Names are at most [`NAME_BYTES_MAX`] of `/`-separated words of `[A-Za-z0-9._-]`, never `.` or `..`.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps a blob. Putting the same name again replaces it as a whole: a reader sees one or the
    /// other, never a mixture. Durable on return.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error>;

    /// The blob, if there is one.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error>;

    /// Its size in bytes, if there is one.
    async fn size(&self, name: &str) -> Result<Option<u64>, Error>;

    /// At most `limit` names that begin with a prefix, in their order, those after `after`. A blob that
    /// is put or deleted meanwhile may be included or not.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error>;

    /// Deletes it; harmless if it does not exist.
    async fn delete(&self, name: &str) -> Result<(), Error>;
}
