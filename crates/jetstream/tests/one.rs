//! One NATS server keeps the promises of the traits.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code outside the functions marked as tests"
)]

mod support;

use std::ops::Deref;
use std::sync::Arc;

use jetstream::{Journals, Queues, Rows};
use storage::memory::MemoryBlobs;
use support::Servers;

/// A store, and the servers that keep it. The store is dropped first.
struct Kept<T> {
    store: T,
    _servers: Arc<Servers>,
}

impl<T> Deref for Kept<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.store
    }
}

async fn rows() -> Kept<Rows> {
    let servers = Servers::shared(1);
    let cluster = servers.connect().await;
    Kept {
        store: cluster.rows("metadata").await.unwrap(),
        _servers: servers,
    }
}

async fn journals() -> Kept<Journals> {
    let servers = Servers::shared(1);
    let cluster = servers.connect().await;
    Kept {
        store: cluster.journals().await.unwrap(),
        _servers: servers,
    }
}

async fn queues() -> Kept<Queues> {
    let servers = Servers::shared(1);
    let cluster = servers.connect().await;
    let blobs = Arc::new(MemoryBlobs::default());
    Kept {
        store: cluster.queues(blobs).await.unwrap(),
        _servers: servers,
    }
}

storage::table_conformance!(rows().await);
storage::journal_conformance!(journals().await);
storage::queue_conformance!(queues().await);
