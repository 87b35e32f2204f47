//! Stores on servers that run as long as the stores are wanted.

use std::ops::Deref;
use std::sync::Arc;

use jetstream::{Journals, Queues, Rows};
use storage::memory::MemoryBlobs;

use super::Servers;

/// A store, and the servers that keep it. The store is dropped first.
pub struct Kept<T> {
    store: T,
    _servers: Arc<Servers>,
}

impl<T> Deref for Kept<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.store
    }
}

/// A table on this number of servers.
pub async fn rows(count: usize) -> Kept<Rows> {
    let servers = Servers::shared(count);
    let cluster = servers.connect().await;
    Kept {
        store: cluster.rows("metadata").await.unwrap(),
        _servers: servers,
    }
}

/// Journals on this number of servers.
pub async fn journals(count: usize) -> Kept<Journals> {
    let servers = Servers::shared(count);
    let cluster = servers.connect().await;
    Kept {
        store: cluster.journals().await.unwrap(),
        _servers: servers,
    }
}

/// Queues on this number of servers.
pub async fn queues(count: usize) -> Kept<Queues> {
    let servers = Servers::shared(count);
    let cluster = servers.connect().await;
    let blobs = Arc::new(MemoryBlobs::default());
    Kept {
        store: cluster.queues(blobs).await.unwrap(),
        _servers: servers,
    }
}
