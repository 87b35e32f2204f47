//! A worker's side: takes what its functions print, and stores it as blobs, a segment for each group and second in which
//! something was printed.
//!
//! ```text
//!   append ─▶ waiting ─▶ Shipping ─▶ blobs
//!                │
//!                └─▶ RecentLogs: what is not stored yet
//! ```
//!
//! Logs are best effort, as in Lambda: what does not fit is dropped and counted, and nothing waits for a store. A
//! worker that is killed loses what it printed in its last two seconds: one in which events wait for others, and one
//! for the blob to be put. If the store does not work, more waits, and is stored in order when it works again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::logs::{Error, LogEvent, Logs, RecentLogs, Recents, StreamName};
use async_trait::async_trait;
use bytes::Bytes;
use storage::Blobs;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use types::{Random, Scope, Timestamp};

use super::name::{Leaf, group_prefix};
use super::segment::{self, Writer};
use super::waiting::{Batch, Group, Waiting};
use crate::metrics::Counted;

/// Blobs that are put at a time.
const PUTS_MAX: usize = 32;
/// How long what waits is given to be stored when the process ends.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
/// A put that failed is tried again after this, and then after twice as long each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Up to this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Takes events. See the module.
pub struct Shipper {
    blobs: Arc<dyn Blobs>,
    /// Which of all there are: by chance.
    taker: u64,
    waiting: Mutex<Waiting>,
    news: Notify,
    written: AtomicU64,
    dropped: AtomicU64,
    /// Whether the last put failed: logged once, not for each.
    failing: AtomicBool,
}

/// Stores what a [`Shipper`] takes.
pub struct Shipping(Arc<Shipper>);

impl Shipper {
    /// One that stores in `blobs`, and the part of it that does: run that for as long as the other takes
    /// events. Every call to `blobs` must end.
    pub fn new(blobs: Arc<dyn Blobs>, random: &dyn Random) -> (Arc<Self>, Shipping) {
        let shipper = Arc::new(Self {
            blobs,
            taker: random.next_u64(),
            waiting: Mutex::default(),
            news: Notify::new(),
            written: AtomicU64::default(),
            dropped: AtomicU64::default(),
            failing: AtomicBool::default(),
        });
        (Arc::clone(&shipper), Shipping(shipper))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("no code panics while it holds this")
    }

    /// Stores a batch, however often that has to be tried.
    async fn ship(self: Arc<Self>, group: Group, batch: Batch) {
        let prefix = group_prefix(&group.0, &group.1);
        for (name, bytes) in segment::cut(&group.1, &batch, Writer::Taker) {
            self.put(&format!("{prefix}{}", Leaf::Segment(name)), bytes)
                .await;
        }
        self.written
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.waiting().done(&group);
    }

    async fn put(&self, name: &str, bytes: Bytes) {
        let mut pause = PAUSE_MIN;
        // Whether or not the one before has arrived, the next puts the same.
        while let Err(error) = self.blobs.put(name, bytes.clone()).await {
            if let storage::Error::Invalid { .. } = error {
                tracing::error!(
                    name,
                    "the store takes no log events of this name: they are lost"
                );
                return;
            }
            if !self.failing.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "log events cannot be stored and wait"
                );
            }
            sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
        self.failing.store(false, Ordering::Relaxed);
    }
}

impl Shipping {
    /// Works until `stop`, and then until what waits is stored, for ten seconds at most. Dropping it loses what
    /// waits.
    pub async fn run(self, stop: CancellationToken) {
        let shipper = self.0;
        let mut puts = JoinSet::new();
        let mut end: Option<Instant> = None;
        loop {
            let room = PUTS_MAX - puts.len();
            let due = shipper.waiting().due(Instant::now(), end.is_some(), room);
            for (group, batch) in due {
                puts.spawn(Arc::clone(&shipper).ship(group, batch));
            }
            if end.is_some() && puts.is_empty() {
                return;
            }
            let next = shipper.waiting().next().filter(|_| puts.len() < PUTS_MAX);
            tokio::select! {
                _ = puts.join_next(), if !puts.is_empty() => {}
                () = shipper.news.notified() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = stop.cancelled(), if end.is_none() => end = Some(Instant::now() + FLUSH_WITHIN),
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => break,
            }
        }
        let lost = shipper.waiting().held();
        shipper.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        tracing::warn!(
            lost,
            "log events could not be stored before the end and are lost"
        );
    }
}

impl Logs for Shipper {
    fn append(&self, stream: &StreamName, events: Vec<LogEvent>) {
        let taken = self
            .waiting()
            .take((stream, self.taker), events, Instant::now());
        self.dropped.fetch_add(taken.dropped, Ordering::Relaxed);
        if taken.news {
            self.news.notify_one();
        }
    }
}

#[async_trait]
impl RecentLogs for Shipper {
    async fn recent(&self, scope: &Scope, group: &str, since: Timestamp) -> Result<Recents, Error> {
        let group = (scope.clone(), group.to_owned());
        Ok(self.waiting().recent(&group, since))
    }
}

impl Counted for Shipper {
    fn written_events(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn dropped_events(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
