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

use api::invoke::{Invoker, Why};
use bytes::Bytes;
use futures_util::future::join_all;
use storage::queue::RECEIVE_MAX;
use storage::{Consistency, Error, Expect, Queue, Table};
use tokio::sync::watch;
use tokio::time::Instant;
use types::Clock;

use crate::charges;
use crate::config::Config;
use crate::event::{HEAD_BYTES_MAX, Item};
use crate::gone::Gone;
use crate::metrics::Metrics;
use crate::plan::{SHARED_MIN, Seen, is_worked_on, plan};
use crate::router::Router;
use crate::shards::{self, ALL, FAILED, FunctionId};
use crate::windows::Windows;

const SHARED_KEY: &str = "event-queues/shared";
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon it may look again when a queue has begun.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often it looks at the failed events. Nobody waits for that.
const LOOK_AT_FAILED_EVERY: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Manager {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Arc<dyn Table>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) router: Arc<Router>,
    pub(crate) windows: [Arc<Windows>; 2],
    pub(crate) metrics: Arc<Metrics>,
    /// The queues to work on.
    pub(crate) wanted: watch::Sender<BTreeSet<String>>,
    pub(crate) invoker: Arc<dyn Invoker>,
    pub(crate) gone: Arc<Gone>,
    pub(crate) memory: Memory,
}

/// What it remembers from look to look.
pub(crate) struct Memory {
    /// The number of shared queues, and since when.
    shared: Option<(u32, Instant)>,
    /// Since when each empty queue has been empty.
    empty: BTreeMap<String, Instant>,
    /// The failed events as they were seen last, and when.
    failed: Option<(Vec<Seen>, Instant)>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            shared: None,
            empty: BTreeMap::new(),
            failed: None,
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
                tracing::warn!(error, "could not manage the event queues");
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
        for windows in &self.windows {
            windows.sweep();
        }
        Ok(())
    }

    async fn see(&mut self) -> Result<Vec<Seen>, Error> {
        let names = self.queue.queues(ALL).await?;
        let (worked_on, others): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| is_worked_on(name));
        let mut empty = BTreeMap::new();
        let mut all = self.depths(worked_on, &mut empty).await?;
        let others = match self.memory.failed.take() {
            Some((seen, at)) if at.elapsed() < LOOK_AT_FAILED_EVERY => {
                let known = seen.iter().map(|seen| &seen.queue);
                let kept = known.filter_map(|queue| self.memory.empty.get_key_value(queue));
                empty.extend(kept.map(|(queue, since)| (queue.clone(), *since)));
                (seen, at)
            }
            _ => {
                let seen = self.depths(others, &mut empty).await?;
                self.look_for_functions(&seen).await?;
                for seen in seen.iter().filter(|seen| seen.queue.starts_with(FAILED)) {
                    let function = shards::function(&seen.queue);
                    let most = match function.is_some_and(|f| self.gone.is_certain(&f)) {
                        // Nobody is left who would look at them.
                        true => 0,
                        false => self.config.failed_max,
                    };
                    self.trim(&seen.queue, seen.depth.total(), most).await?;
                }
                (seen, Instant::now())
            }
        };
        all.extend(others.0.iter().cloned());
        self.memory.failed = Some(others);
        self.memory.empty = empty;
        Ok(all)
    }

    /// Finds deleted functions of which events are kept. Their waiting events become visible at once,
    /// and are dropped, or delivered to their destinations for failures.
    async fn look_for_functions(&self, failed: &[Seen]) -> Result<(), Error> {
        let owners = self.queue.usage().await?;
        let owners = owners.iter().filter_map(|(of, _)| charges::function(of));
        let failed = failed
            .iter()
            .filter_map(|seen| shards::function(&seen.queue));
        let functions: BTreeSet<FunctionId> = owners.chain(failed).collect();
        self.gone.retain(|function| functions.contains(function));
        for function in functions {
            let target = self.invoker.target(&function.arn()).await;
            let missing = matches!(&target, Err(error) if error.why == Why::NotFound);
            if self.gone.looked(&function, !missing) {
                let owner = charges::unheard(&function);
                let shown = self.queue.show(&owner, self.config.visibility).await?;
                tracing::info!(
                    function = owner,
                    shown,
                    "a deleted function has events left"
                );
            }
        }
        Ok(())
    }

    /// Looks at queues, and notes in `empty` since when each that is empty has been.
    async fn depths(
        &self,
        queues: Vec<String>,
        empty: &mut BTreeMap<String, Instant>,
    ) -> Result<Vec<Seen>, Error> {
        let now = Instant::now();
        let mut seen = Vec::with_capacity(queues.len());
        for queue in queues {
            let depth = self.queue.depth(&queue).await?;
            let mut since = Duration::ZERO;
            if depth.total() == 0 {
                let first = self.memory.empty.get(&queue).copied().unwrap_or(now);
                since = now.saturating_duration_since(first);
                empty.insert(queue.clone(), first);
            }
            seen.push(Seen {
                queue,
                depth,
                empty: since,
            });
        }
        Ok(seen)
    }

    async fn shared(&mut self) -> Result<u32, Error> {
        let row = self.table.get(SHARED_KEY, Consistency::MaybeStale).await?;
        // A row that cannot be read counts as the minimum; it is rewritten when the number changes.
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
    async fn trim(&self, queue: &str, total: u64, most: u64) -> Result<(), Error> {
        let mut beyond = total.saturating_sub(most);
        let mut left = total;
        while left > 0 {
            let many = match usize::try_from(beyond).unwrap_or(RECEIVE_MAX) {
                0 => self.too_old(queue).await?,
                beyond => beyond.min(RECEIVE_MAX),
            };
            if many == 0 {
                break;
            }
            let (visibility, wait) = (self.config.visibility, Duration::ZERO);
            let received = self.queue.receive(queue, many, visibility, wait).await?;
            if received.is_empty() {
                break;
            }
            let count = received.len() as u64;
            let too_many = beyond > 0;
            // All at a time, for one write to the disk.
            let removed = received.iter().map(|message| async move {
                // What is received first need not be what was kept first.
                if too_many || self.is_too_old(&message.body) {
                    return self.queue.ack(queue, message.receipt).await;
                }
                let back = self.queue.release(queue, message.receipt, Duration::ZERO);
                back.await.map(drop)
            });
            for removed in join_all(removed).await {
                removed?;
            }
            (beyond, left) = (beyond.saturating_sub(count), left.saturating_sub(count));
        }
        Ok(())
    }

    /// How many of those that were kept first are too old, as far as one receive goes.
    async fn too_old(&self, queue: &str) -> Result<usize, Error> {
        let first = self.queue.peek(queue, 1, HEAD_BYTES_MAX).await?;
        if !first.iter().any(|body| self.is_too_old(body)) {
            return Ok(0);
        }
        let first = self.queue.peek(queue, RECEIVE_MAX, HEAD_BYTES_MAX).await?;
        let old = first.iter().take_while(|body| self.is_too_old(body));
        Ok(old.count())
    }

    fn is_too_old(&self, body: &[u8]) -> bool {
        let head = Item::decode_head(body);
        head.is_ok_and(|(state, _)| {
            self.clock.now().since(state.accepted) >= self.config.failed_age_max
        })
    }
}
