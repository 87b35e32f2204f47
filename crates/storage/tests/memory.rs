//! The stores in memory keep the promises of their traits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::Queue as _;
use storage::memory::{MemoryBlobs, MemoryJournal, MemoryQueue, MemoryTable};
use types::SystemClock;

storage::table_conformance!(Box::new(MemoryTable::default()));
storage::journal_conformance!(Box::new(MemoryJournal::default()));
storage::queue_conformance!(Box::new(MemoryQueue::new(Arc::new(SystemClock))));
storage::blobs_conformance!(Box::new(MemoryBlobs::default()));

#[tokio::test]
async fn a_late_ack_removes_no_other_message() {
    let (now, long) = (Duration::ZERO, Duration::from_secs(600));
    let queue = MemoryQueue::new(Arc::new(SystemClock));
    queue.send("q", Bytes::from("a"), now).await.unwrap();
    let late = queue.receive("q", 1, long, now).await.unwrap()[0].receipt;
    queue.ack("q", late).await.unwrap();
    // The queue begins anew, and its numbers do not.
    assert!(queue.delete_if_empty("q").await.unwrap());
    queue.send("q", Bytes::from("b"), now).await.unwrap();
    queue.ack("q", late).await.unwrap();
    assert_eq!(queue.receive("q", 1, long, now).await.unwrap()[0].body, "b");
    queue.ack("q", late).await.unwrap();
    assert_eq!(queue.depth("q").await.unwrap().total(), 1);
}
