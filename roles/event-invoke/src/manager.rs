//! The queue manager: looks at all queues once a second and does what [`crate::plan`] says.
//!
//! ```text
//!   event-queues/shared     how many shared queues there are, a number
//! ```
//!
//! Every process has one. They all see the same and so want the same; the number of shared queues
//! changes by compare-and-set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::{Consistency, Error, Expect, Queue, Table};
use tokio::sync::watch;
use tokio::time::Instant;
use types::Clock;

use crate::config::Config;
use crate::event::Item;
use crate::metrics::Metrics;
use crate::plan::{SHARED_MIN, Seen, plan};
use crate::router::Router;
use crate::shards::{self, ALL, FAILED};
use crate::windows::Windows;

const SHARED_KEY: &str = "event-queues/shared";
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon it may look again when a queue has begun.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Failed events removed from one queue at one look.
const TRIM_MAX: usize = 100;

/// See the module.
pub(crate) struct Manager {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Arc<dyn Table>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) router: Arc<Router>,
    pub(crate) windows: Arc<Windows>,
    pub(crate) metrics: Arc<Metrics>,
    /// The queues to work on.
    pub(crate) wanted: watch::Sender<BTreeSet<String>>,
    pub(crate) memory: Memory,
}

/// What it remembers from look to look.
pub(crate) struct Memory {
    /// The number of shared queues, and since when.
    shared: Option<(u32, Instant)>,
    /// Since when each empty queue has been empty.
    empty: BTreeMap<String, Instant>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            shared: None,
            empty: BTreeMap::new(),
        }
    }
}

impl Manager {
    /// Works until it is dropped.
    pub(crate) async fn run(mut self) {
        let router = Arc::clone(&self.router);
        loop {
            if let Err(error) = self.look().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the queues of events cannot be looked after");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            // Whether a queue has begun or the time is over: either way it looks again.
            let _ = tokio::time::timeout(LOOK_EVERY, router.begun.notified()).await;
        }
    }

    /// Looks once, and does what is to be done.
    pub(crate) async fn look(&mut self) -> Result<(), Error> {
        let shared = self.shared().await?;
        let seen = self.see().await?;
        let settled = self
            .memory
            .shared
            .map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let plan = plan(&seen, shared, settled);
        self.metrics.seen(&seen);
        self.router.seen(&seen, plan.shared);
        if plan.shared != shared {
            self.set_shared(shared, plan.shared).await?;
        }
        for queue in &plan.delete {
            if let Some(function) = shards::function(queue).filter(|_| !queue.starts_with(FAILED)) {
                self.router.leave(&function);
            }
        }
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != plan.wanted;
            *wanted = plan.wanted;
            changed
        });
        for queue in &plan.delete {
            // If something has come meanwhile it is found at the next look.
            self.queue.delete_if_empty(queue).await?;
        }
        for seen in seen.iter().filter(|seen| seen.queue.starts_with(FAILED)) {
            self.trim(&seen.queue, seen.depth.total()).await?;
        }
        self.windows.sweep();
        Ok(())
    }

    async fn see(&mut self) -> Result<Vec<Seen>, Error> {
        let mut all = Vec::new();
        let mut empty = BTreeMap::new();
        let now = Instant::now();
        for queue in self.queue.queues(ALL).await? {
            let depth = self.queue.depth(&queue).await?;
            let mut since = Duration::ZERO;
            if depth.total() == 0 {
                let first = self.memory.empty.get(&queue).copied().unwrap_or(now);
                since = now.saturating_duration_since(first);
                empty.insert(queue.clone(), first);
            }
            all.push(Seen {
                queue,
                depth,
                empty: since,
            });
        }
        self.memory.empty = empty;
        Ok(all)
    }

    async fn shared(&mut self) -> Result<u32, Error> {
        let row = self.table.get(SHARED_KEY, Consistency::MaybeStale).await?;
        // A row that cannot be read stands for the least; it is written anew when that changes.
        let number = row.and_then(|row| serde_json::from_slice(&row.value).ok());
        let number = number.unwrap_or(SHARED_MIN);
        match self.memory.shared {
            Some((known, _)) if known == number => {}
            _ => self.memory.shared = Some((number, Instant::now())),
        }
        Ok(number)
    }

    async fn set_shared(&mut self, before: u32, after: u32) -> Result<(), Error> {
        let row = self.table.get(SHARED_KEY, Consistency::Strong).await?;
        let expect = row.map_or(Expect::Absent, |row| Expect::Revision(row.revision));
        let value = Bytes::from(after.to_string());
        match self.table.put(SHARED_KEY, value, expect).await {
            Ok(_) => {
                tracing::info!(
                    before,
                    after,
                    "the number of shared queues of events changes"
                );
                Ok(())
            }
            // Another was faster.
            Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes failed events that are too many or too old, oldest first.
    async fn trim(&self, queue: &str, total: u64) -> Result<(), Error> {
        let beyond = total.saturating_sub(self.config.failed_max);
        let mut many = usize::try_from(beyond).unwrap_or(TRIM_MAX).min(TRIM_MAX);
        if many == 0 {
            let first = self.queue.peek(queue, 1).await?;
            let old = first.first().is_some_and(|body| self.is_too_old(body));
            many = usize::from(old);
        }
        if many == 0 {
            return Ok(());
        }
        let (visibility, wait) = (self.config.visibility, Duration::ZERO);
        for message in self.queue.receive(queue, many, visibility, wait).await? {
            self.queue.ack(queue, message.receipt).await?;
        }
        Ok(())
    }

    fn is_too_old(&self, body: &Bytes) -> bool {
        Item::decode(body).is_ok_and(|item| {
            self.clock.now().since(item.event.state.accepted) >= self.config.failed_age_max
        })
    }
}
