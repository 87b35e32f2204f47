//! No call waits forever for a store that does not respond.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::memory::{MemoryQueue, MemoryTable};
use storage::{Consistency, Error, Expect, Queue, Revision, Row, Table, Timely, Watch};
use tokio::time::Instant;
use types::SystemClock;

const WITHIN: Duration = Duration::from_secs(20);

/// A table that never answers.
struct Silent;

#[async_trait::async_trait]
impl Table for Silent {
    async fn get(&self, _: &str, _: Consistency) -> Result<Option<Row>, Error> {
        std::future::pending().await
    }
    async fn put(&self, _: &str, _: Bytes, _: Expect) -> Result<Revision, Error> {
        std::future::pending().await
    }
    async fn delete(&self, _: &str, _: Expect) -> Result<(), Error> {
        std::future::pending().await
    }
    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Row>, Error> {
        std::future::pending().await
    }
    async fn watch(&self, _: &str) -> Result<Watch, Error> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn silence_counts_as_a_store_that_does_not_answer() {
    let table = Timely::new(Arc::new(Silent), WITHIN);
    let before = Instant::now();
    let put = table.put("k", Bytes::new(), Expect::Any).await;
    assert!(matches!(put, Err(Error::Unavailable(_))));
    assert_eq!(before.elapsed(), WITHIN);
    assert!(table.watch("k").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_receive_may_take_as_long_as_it_waits_and_longer() {
    let queue = MemoryQueue::new(Arc::new(SystemClock));
    let queue = Timely::new(Arc::new(queue), WITHIN);
    let wait = WITHIN * 3;
    let received = queue.receive("q", 1, WITHIN, wait).await;
    assert_eq!(received.unwrap(), []);
    let table = Timely::new(Arc::<MemoryTable>::default(), WITHIN);
    assert_eq!(table.get("k", Consistency::Strong).await.unwrap(), None);
}
