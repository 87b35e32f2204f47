//! A store that has no room takes nothing new, and lets what is there be changed and removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use storage::memory::{MemoryBlobs, MemoryTable};
use storage::{Blobs, Error, Expect, Reserving, Room, Table};

#[derive(Default)]
struct Disk(AtomicBool);

impl Room for Disk {
    fn is_there(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn without_room_nothing_new_is_taken_and_the_rest_goes_on() {
    let disk = Arc::new(Disk::default());
    let table = Reserving::new(Arc::new(MemoryTable::default()), Arc::clone(&disk) as _);
    let blobs = Reserving::new(Arc::new(MemoryBlobs::default()), Arc::clone(&disk) as _);
    let revision = table.put("a", Bytes::new(), Expect::Absent).await.unwrap();
    blobs.put("a", Bytes::new()).await.unwrap();

    disk.0.store(true, Ordering::Relaxed);
    let full = table.put("b", Bytes::new(), Expect::Absent).await;
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    let full = blobs.put("b", Bytes::new()).await;
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    let changed = table.put("a", Bytes::new(), Expect::Revision(revision));
    changed.await.unwrap();
    table.delete("a", Expect::Any).await.unwrap();
    blobs.delete("a").await.unwrap();

    disk.0.store(false, Ordering::Relaxed);
    table.put("b", Bytes::new(), Expect::Absent).await.unwrap();
}
