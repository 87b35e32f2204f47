//! What waits for one subscriber: until there is enough of it, or it has waited long enough.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use environment::Subscription;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that wait at most, as a multiple of what one delivery takes.
const DELIVERIES_MAX: usize = 8;

/// See the module.
pub(crate) struct Queue {
    items_max: usize,
    bytes_max: usize,
    timeout: Duration,
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Bytes>,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
    flush: bool,
    closed: bool,
    dropped: Dropped,
}

/// What there was no room or no taker for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Dropped {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Queue {
    pub(crate) fn new(subscription: &Subscription) -> Self {
        Self {
            items_max: subscription.items_max,
            bytes_max: subscription.bytes_max,
            timeout: subscription.timeout,
            waiting: Mutex::new(Waiting::default()),
            told: Notify::new(),
        }
    }

    /// Adds an item, or counts it as dropped when too much waits already.
    pub(crate) fn push(&self, item: Bytes) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        let full = waiting.bytes + item.len() > self.bytes_max * DELIVERIES_MAX
            || waiting.items.len() >= self.items_max * DELIVERIES_MAX;
        if full {
            waiting.drop_items(std::slice::from_ref(&item));
            return;
        }
        waiting.bytes += item.len();
        waiting.items.push_back(item);
        let first = waiting.since.is_none();
        if first {
            waiting.since = Some(Instant::now());
        }
        if first || self.is_enough(&waiting) {
            self.told.notify_one();
        }
    }

    /// What could not be delivered.
    pub(crate) fn drop_items(&self, items: &[Bytes]) {
        self.lock().drop_items(items);
    }

    /// What was dropped since this was last asked.
    pub(crate) fn take_dropped(&self) -> Dropped {
        std::mem::take(&mut self.lock().dropped)
    }

    /// What waits is to go now.
    pub(crate) fn flush(&self) {
        self.lock().flush = true;
        self.told.notify_one();
    }

    /// Nothing more comes; what waits is of no use to anybody.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.items.clear();
        self.told.notify_one();
    }

    /// The next delivery, when it is due; `None` when the queue is closed.
    pub(crate) async fn next(&self) -> Option<Vec<Bytes>> {
        loop {
            let due = {
                let mut waiting = self.lock();
                if waiting.closed {
                    return None;
                }
                let due = waiting.since.map(|since| since + self.timeout);
                let over = due.is_some_and(|due| due <= Instant::now());
                if !waiting.items.is_empty() && (waiting.flush || over || self.is_enough(&waiting))
                {
                    return Some(waiting.take(self.items_max, self.bytes_max));
                }
                waiting.flush = false;
                due
            };
            tokio::select! {
                biased;
                () = self.told.notified() => {}
                () = until(due) => {}
            }
        }
    }

    fn is_enough(&self, waiting: &Waiting) -> bool {
        waiting.items.len() >= self.items_max || waiting.bytes >= self.bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("no code panics while it holds a queue")
    }
}

impl Waiting {
    fn take(&mut self, items_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(item) = self.items.front() {
            let fits = bytes + item.len() <= bytes_max && taken.len() < items_max;
            if !fits && !taken.is_empty() {
                break;
            }
            bytes += item.len();
            taken.extend(self.items.pop_front());
        }
        self.bytes -= bytes;
        // Those that are left have waited, too.
        if self.items.is_empty() {
            self.since = None;
            self.flush = false;
        }
        taken
    }

    fn drop_items(&mut self, items: &[Bytes]) {
        self.dropped.records += items.len() as u64;
        let bytes: usize = items.iter().map(Bytes::len).sum();
        self.dropped.bytes += bytes as u64;
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
