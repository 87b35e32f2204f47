//! All rows of a table in memory, as far as the stream has reported them. A list in the order of keys and a watch have
//! no equal in NATS; both are served from here, once the mirror has seen what the stream's leader has.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use storage::{Row, Watch, WatchedRows};
use tokio::sync::watch;

/// The rows, and who wants to be told.
pub(super) struct Mirror {
    rows: Mutex<WatchedRows>,
    /// The last place in the stream that was reported.
    seen: watch::Sender<Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    sequence: u64,
    /// All that was there at the beginning has been told.
    whole: bool,
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
    fn lock(&self) -> MutexGuard<'_, WatchedRows> {
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
            Some(row) => rows.put(row),
            None => rows.remove(key),
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
        self.lock().get(key).cloned()
    }

    pub(super) fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Row> {
        self.lock()
            .under(prefix, after)
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn watch(&self, prefix: &str) -> Watch {
        self.lock().watch(prefix)
    }
}
