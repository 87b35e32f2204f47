//! All rows of a table in memory, as far as the stream has reported them. A list in the order of keys and a watch have
//! no equal in NATS; both are served from here, once the mirror has seen what the stream's leader has.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use storage::table::WATCH_BACKLOG;
use storage::{Change, Row, Watch};
use tokio::sync::{mpsc, watch};

/// The rows, and who wants to be told.
pub(super) struct Mirror {
    rows: Mutex<Rows>,
    /// The last place in the stream that was reported.
    seen: watch::Sender<Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    sequence: u64,
    /// All that was there at the beginning has been told.
    whole: bool,
}

#[derive(Default)]
struct Rows {
    rows: BTreeMap<String, Row>,
    watchers: Vec<(String, mpsc::Sender<Change>)>,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            seen: watch::Sender::new(Seen::default()),
        }
    }
}

impl Mirror {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// The last place that was reported.
    pub(super) fn seen(&self) -> u64 {
        self.seen.borrow().sequence
    }

    pub(super) fn is_whole(&self) -> bool {
        self.seen.borrow().whole
    }

    /// Waits until the place has been reported. `false` if it takes too long.
    pub(super) async fn reaches(&self, sequence: u64, within: Duration) -> bool {
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|seen| seen.sequence >= sequence);
        let reached = tokio::time::timeout(within, reached).await;
        matches!(reached, Ok(Ok(_)))
    }

    /// Takes a message in: the row is now so, or was deleted. `left`: how many the stream has after this one.
    pub(super) fn apply(&self, sequence: u64, key: &str, row: Option<Row>, left: u64) {
        let mut rows = self.lock();
        match row {
            Some(row) => {
                rows.rows.insert(key.to_owned(), row.clone());
                rows.tell(key, &Change::Put(row));
            }
            None => {
                if rows.rows.remove(key).is_some() {
                    let key = key.to_owned();
                    rows.tell(&key, &Change::Delete { key: key.clone() });
                }
            }
        }
        // Under the lock: a reader who sees the place finds the row.
        self.pass(sequence, left);
    }

    /// A message has been reported.
    pub(super) fn pass(&self, sequence: u64, left: u64) {
        self.seen.send_modify(|seen| {
            seen.sequence = sequence;
            seen.whole |= left == 0;
        });
    }

    /// There is nothing more to be told.
    pub(super) fn is_told(&self) {
        self.seen.send_modify(|seen| seen.whole = true);
    }

    pub(super) fn get(&self, key: &str) -> Option<Row> {
        self.lock().rows.get(key).cloned()
    }

    pub(super) fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Row> {
        self.lock()
            .under(prefix, after)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn watch(&self, prefix: &str) -> Watch {
        let mut table = self.lock();
        let rows: Vec<Row> = table.under(prefix, None).cloned().collect();
        // The rows there are, the mark after them, and the backlog.
        let (sender, receiver) = mpsc::channel(rows.len() + 1 + WATCH_BACKLOG);
        for change in rows.into_iter().map(Change::Put).chain([Change::Current]) {
            sender
                .try_send(change)
                .expect("the channel was made for all of them");
        }
        // Those who left while nothing changed under their prefix are not noticed otherwise.
        table.watchers.retain(|(_, watcher)| !watcher.is_closed());
        table.watchers.push((prefix.to_owned(), sender));
        receiver
    }
}

impl Rows {
    fn under(&self, prefix: &str, after: Option<&str>) -> impl Iterator<Item = &Row> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let rows = self.rows.range::<str, _>((from, Bound::Unbounded));
        let prefix = prefix.to_owned();
        rows.take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, row)| row)
    }

    fn tell(&mut self, key: &str, change: &Change) {
        // A watcher whose channel is full or closed is dropped: it begins again.
        self.watchers.retain(|(prefix, watcher)| {
            !key.starts_with(prefix.as_str()) || watcher.try_send(change.clone()).is_ok()
        });
    }
}
