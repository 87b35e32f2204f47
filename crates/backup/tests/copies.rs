//! Whatever rows, messages and blobs there are: what is copied is equal.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside the functions marked as tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backup::{Counts, Error, Meaning, Message, Progress, Stores, clear, found, restore, save};
use bytes::Bytes;
use futures_util::FutureExt as _;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use storage::memory::{MemoryBlobs, MemoryQueue, MemoryTable};
use storage::queue::Charge;
use storage::{Expect, Row};
use types::SystemClock;

const LONG: Duration = Duration::from_secs(3_600);

/// Rows of `lease/` stay; a row's value is the blob it names; a message's first byte is its identity.
struct Simple(Vec<String>);

impl Meaning for Simple {
    fn row(&self, key: &str) -> Option<&'static str> {
        match key {
            key if key.starts_with("lease/") => None,
            key if key.starts_with("function/") => Some("functions"),
            _ => Some("others"),
        }
    }
    fn blobs(&self, row: &Row) -> Result<Vec<String>, String> {
        let name = String::from_utf8(row.value.to_vec()).map_err(|error| error.to_string())?;
        Ok((!name.is_empty()).then_some(name).into_iter().collect())
    }
    fn message(&self, queue: &str, body: &[u8]) -> Message {
        Message {
            kind: if queue.starts_with("failed") {
                "failed"
            } else {
                "pending"
            },
            identity: body.first().map(u8::to_string),
        }
    }
    fn other_blobs(&self) -> &[String] {
        &self.0
    }
}

fn stores() -> Stores {
    Stores {
        table: Arc::new(MemoryTable::default()),
        queue: Arc::new(MemoryQueue::new(Arc::new(SystemClock))),
        blobs: Arc::new(MemoryBlobs::default()),
    }
}

fn quiet(_: Progress) {}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// How a message is put in.
#[derive(Clone, Copy, Debug)]
enum State {
    Visible,
    Delayed,
    Held,
    Replaced,
    Acked,
}

fn state() -> impl Strategy<Value = State> {
    use State::{Acked, Delayed, Held, Replaced, Visible};
    prop_oneof![
        Just(Visible),
        Just(Delayed),
        Just(Held),
        Just(Replaced),
        Just(Acked)
    ]
}

async fn put(stores: &Stores, queue: &str, (state, number): (State, u8), owner: &str) {
    let charge = Charge {
        owner: owner.to_owned(),
        bounds: Vec::new(),
    };
    let delay = match state {
        State::Delayed => LONG,
        _ => Duration::ZERO,
    };
    let body = Bytes::from(vec![number, 1]);
    let queues = &stores.queue;
    queues.send_for(queue, body, delay, &charge).await.unwrap();
    if let State::Held | State::Replaced | State::Acked = state {
        // Visible ones of before are taken, too, and given back.
        let taken = queues
            .receive(queue, 100, LONG, Duration::ZERO)
            .await
            .unwrap();
        for message in taken {
            let receipt = message.receipt;
            if message.body[0] != number {
                queues
                    .release(queue, receipt, Duration::ZERO)
                    .await
                    .unwrap();
                continue;
            }
            match state {
                State::Replaced => {
                    let body = Bytes::from(vec![number, 2]);
                    assert!(queues.replace(queue, receipt, body, LONG).await.unwrap());
                }
                State::Acked => queues.ack(queue, receipt).await.unwrap(),
                _ => {}
            }
        }
    }
}

type Messages = BTreeMap<(String, Vec<u8>), (String, bool)>;

/// Bodies by queue; whose they are, and whether they wait.
async fn messages(stores: &Stores) -> Messages {
    let mut all = BTreeMap::new();
    for queue in stores.queue.queues("").await.unwrap() {
        for kept in stores.queue.browse(&queue, None, 100).await.unwrap() {
            let late = kept.delay > LONG / 2;
            all.insert((queue.clone(), kept.body.to_vec()), (kept.owner, late));
        }
    }
    all
}

async fn rows(stores: &Stores) -> BTreeMap<String, Bytes> {
    let rows = stores.table.list("", None, usize::MAX).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_saved_and_restored_is_equal(
        keys in btree_map("(function|lease|x)/[a-c]{1,3}", 0_usize..4, 0..20),
        sent in vec((state(), "(failed|events)/[ab]", "[fg]?"), 0..30),
        blobs in vec(vec(any::<u8>(), 0..20), 4),
    ) {
        run(async {
            let meaning = Simple(vec!["logs/".to_owned()]);
            let (one, saved, other) = (stores(), stores(), stores());
            for (number, bytes) in blobs.iter().enumerate() {
                let bytes = Bytes::from(bytes.clone());
                one.blobs.put(&format!("code/{number}"), bytes.clone()).await.unwrap();
                one.blobs.put(&format!("logs/{number}"), bytes).await.unwrap();
            }
            for (key, blob) in &keys {
                let value = Bytes::from(format!("code/{blob}"));
                one.table.put(key, value, Expect::Any).await.unwrap();
            }
            for (number, (state, queue, owner)) in sent.iter().enumerate() {
                put(&one, queue, (*state, number as u8), owner).await;
            }
            let copied = save(&one, &saved, &meaning, &quiet).await.unwrap();
            let restored = restore(&saved, &other, &meaning, &quiet).await.unwrap();
            assert_eq!(copied, restored);
            assert_eq!(messages(&other).await, messages(&one).await);
            let mut expected = rows(&one).await;
            expected.retain(|key, _| !key.starts_with("lease/"));
            assert_eq!(rows(&other).await, expected);
            for value in expected.values() {
                let name = std::str::from_utf8(value).unwrap();
                let (there, here) = (other.blobs.get(name).await, one.blobs.get(name).await);
                assert_eq!(there.unwrap(), here.unwrap());
            }
            assert_eq!(other.blobs.list("logs/", None, 10).await.unwrap().len(), 4);
            assert_eq!(messages(&one).await.len() as u64, copied.messages.values().sum::<u64>());
        });
    }
}

#[test]
fn a_package_that_is_gone_fails_the_copy_and_is_named() {
    run(async {
        let (one, saved) = (stores(), stores());
        let value = Bytes::from_static(b"code/gone");
        one.table
            .put("function/f", value, Expect::Any)
            .await
            .unwrap();
        let failed = save(&one, &saved, &Simple(Vec::new()), &quiet).await;
        let told = failed.unwrap_err().to_string();
        assert!(
            told.contains("function/f") && told.contains("code/gone"),
            "{told}"
        );
    });
}

#[test]
fn nothing_is_restored_where_something_is() {
    run(async {
        let (saved, row, message) = (stores(), stores(), stores());
        let meaning = Simple(Vec::new());
        row.table
            .put("function/f", Bytes::new(), Expect::Any)
            .await
            .unwrap();
        put(&message, "events/a", (State::Delayed, 1), "").await;
        for occupied in [&row, &message] {
            let refused = restore(&saved, occupied, &meaning, &quiet).await;
            assert!(matches!(refused, Err(Error::Occupied(_))));
            clear(occupied, &meaning).await.unwrap();
            assert_eq!(found(occupied, &meaning).await.unwrap(), Counts::default());
            restore(&saved, occupied, &meaning, &quiet).await.unwrap();
        }
    });
}

#[test]
fn a_message_that_moves_behind_the_reader_is_copied_once() {
    run(async {
        let (one, saved) = (stores(), stores());
        put(&one, "events/a", (State::Visible, 1), "").await;
        put(&one, "events/b", (State::Visible, 2), "").await;
        let moved = AtomicBool::new(false);
        // When the first queue has been read, what is in the second comes into it.
        let moving = |_: Progress| {
            if moved.swap(true, Ordering::Relaxed) {
                return;
            }
            let work = async {
                let taken = one.queue.receive("events/b", 1, LONG, Duration::ZERO).await;
                let message = taken.unwrap().remove(0);
                let sent = one
                    .queue
                    .send("events/a", message.body, Duration::ZERO)
                    .await;
                sent.unwrap();
                one.queue.ack("events/b", message.receipt).await.unwrap();
            };
            work.now_or_never().unwrap();
        };
        let copied = save(&one, &saved, &Simple(Vec::new()), &moving)
            .await
            .unwrap();
        assert!(moved.into_inner());
        assert_eq!(copied.messages, BTreeMap::from([("pending".to_owned(), 2)]));
        assert_eq!(messages(&saved).await, messages(&one).await);
    });
}

#[test]
fn a_message_that_is_in_two_queues_for_a_moment_is_copied_once() {
    run(async {
        let (one, saved) = (stores(), stores());
        for queue in ["events/a", "failed/a"] {
            put(&one, queue, (State::Delayed, 7), "").await;
        }
        let copied = save(&one, &saved, &Simple(Vec::new()), &quiet)
            .await
            .unwrap();
        assert_eq!(copied.messages, BTreeMap::from([("pending".to_owned(), 1)]));
    });
}
