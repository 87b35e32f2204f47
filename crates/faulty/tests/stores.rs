//! Stores behind a network that loses nothing keep the promises of their traits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use faulty::{Faults, Faulty, Rates};
use storage::memory::{MemoryBlobs, MemoryJournal, MemoryQueue, MemoryTable};
use storage::{Appended, Consistency, Error, Expect, Journal as _, Position, Table as _};
use types::SystemClock;

fn far<T>(store: T) -> Box<Faulty<T>> {
    Box::new(Faulty::new(Arc::new(store), Faults::fixed(Duration::ZERO)))
}

storage::table_conformance!(far(MemoryTable::default()));
storage::journal_conformance!(far(MemoryJournal::default()));
storage::queue_conformance!(far(MemoryQueue::new(Arc::new(SystemClock))));
storage::blobs_conformance!(far(MemoryBlobs::default()));

#[tokio::test(start_paused = true)]
async fn what_is_lost_before_is_not_kept_and_what_is_lost_after_may_be() {
    let near = Arc::new(MemoryTable::default());
    let faults = Faults::new(1, Rates::cut_off());
    let table = Faulty::new(Arc::clone(&near), Arc::clone(&faults));
    let put = table.put("k", Bytes::from_static(b"v"), Expect::Any).await;
    assert!(matches!(put, Err(Error::Unavailable(_))));
    let kept = near.get("k", Consistency::Strong).await;
    assert_eq!(kept.unwrap(), None);
    faults.set(Rates {
        lost_after: 1.0,
        ..Rates::default()
    });
    let put = table.put("k", Bytes::from_static(b"v"), Expect::Any).await;
    assert!(matches!(put, Err(Error::Unavailable(_))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let kept = near.get("k", Consistency::Strong).await;
    assert!(kept.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_lost_is_not_known() {
    let faults = Faults::new(1, Rates::cut_off());
    let journal = Faulty::new(Arc::new(MemoryJournal::default()), faults);
    let appended = journal.append("p", Position(0), vec![Bytes::new()]).await;
    assert_eq!(appended, Appended::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_watch_comes_late_and_in_order_and_may_break_off() {
    let near = Arc::new(MemoryTable::default());
    let faults = Faults::new(
        1,
        Rates {
            delay: (Duration::ZERO, Duration::from_secs(1)),
            ..Rates::default()
        },
    );
    let table = Faulty::new(Arc::clone(&near), Arc::clone(&faults));
    let mut watch = table.watch("k").await.unwrap();
    assert_eq!(watch.recv().await, Some(storage::Change::Current));
    let mut last = None;
    for _ in 0..20 {
        let put = near.put("k", Bytes::new(), Expect::Any).await;
        assert!(last < Some(put.unwrap()));
        let Some(storage::Change::Put(row)) = watch.recv().await else {
            panic!("a row was put");
        };
        assert!(last < Some(row.revision));
        last = Some(row.revision);
    }
    faults.set(Rates {
        lost_after: 1.0,
        ..Rates::default()
    });
    near.put("k", Bytes::new(), Expect::Any).await.unwrap();
    assert_eq!(watch.recv().await, None);
}
