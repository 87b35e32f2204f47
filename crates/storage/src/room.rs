//! Room on the disk: below a reserve nothing new is accepted from anybody, so that the system's own
//! writes, and whatever ends or removes things, still succeed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Blobs, Consistency, Error, Expect, Revision, Row, Table, Watch};

/// Whether there is room for something new.
pub trait Room: Send + Sync {
    /// Whether the disk has more room than its reserve. Cheap enough to be asked before every write.
    fn is_there(&self) -> bool;
}

/// A disk that is never full: memory's, and that of tests.
#[derive(Clone, Copy, Default, Debug)]
pub struct Boundless;

impl Room for Boundless {
    fn is_there(&self) -> bool {
        true
    }
}

/// A store as callers use it: it accepts nothing new while there is no room. What exists can be changed
/// and removed.
pub struct Reserving<T: ?Sized> {
    store: Arc<T>,
    room: Arc<dyn Room>,
}

impl<T: ?Sized> Reserving<T> {
    /// Accepts new things into `store` while there is room.
    pub fn new(store: Arc<T>, room: Arc<dyn Room>) -> Self {
        Self { store, room }
    }

    fn check(&self) -> Result<(), Error> {
        match self.room.is_there() {
            true => Ok(()),
            false => Err(Error::Full { what: "the disk" }),
        }
    }
}

#[async_trait]
impl<T: Table + ?Sized> Table for Reserving<T> {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        self.store.get(key, consistency).await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        if expect == Expect::Absent {
            self.check()?;
        }
        self.store.put(key, value, expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        self.store.delete(key, expect).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.store.list(prefix, after, limit).await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.store.watch(prefix).await
    }
}

#[async_trait]
impl<T: Blobs + ?Sized> Blobs for Reserving<T> {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.check()?;
        self.store.put(name, bytes).await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.store.get(name).await
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        self.store.size(name).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        self.store.list(prefix, after, limit).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.store.delete(name).await
    }
}
