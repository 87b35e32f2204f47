//! A receiver that leaves while the writer is taking messages for it.

use std::sync::Arc;
use std::time::Duration;

use backends::SqliteQueue;
use bytes::Bytes;
use futures_util::FutureExt as _;
use storage::Queue as _;
use types::SystemClock;

const HIDDEN: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(5);
const ROUNDS: usize = 40;

/// What was on its way to it is seen again at once. Only what it had already received stays hidden for
/// as long as it asked: a thread that is paused just then may have some, so most count.
#[tokio::test]
async fn what_was_taken_for_it_is_seen_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queues.db");
    let queue = SqliteQueue::open(&path, Arc::new(SystemClock)).unwrap();
    let mut seen = 0;
    for round in 0..ROUNDS {
        let name = format!("q/{round}");
        let body = Bytes::from_static(b"a");
        queue.send(&name, body, Duration::ZERO).await.unwrap();
        let left = queue.receive(&name, 1, HIDDEN, SOON).now_or_never();
        assert!(left.is_none(), "the writer cannot have answered yet");
        // Once this is answered, so is the receive before it.
        queue.delete_if_empty(&name).await.unwrap();
        let again = queue.receive(&name, 1, HIDDEN, Duration::ZERO).await;
        seen += again.unwrap().len();
    }
    assert!(seen > ROUNDS / 2, "{seen} of {ROUNDS} are seen again");
}
