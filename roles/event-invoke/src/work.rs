//! What a poller does with one message: invokes its event or tells its outcome, and then takes it out
//! of its queue, or puts it back for later.
//!
//! ```text
//!   Invoke ─▶ run ─▶ again: replaced by itself, later
//!                 ├▶ over: replaced by its delivery ─▶ Deliver ─▶ told: gone
//!                 │                                            └▶ not now: replaced by itself, later
//!                 └▶ nobody to tell: gone; a failure is kept aside
//! ```
//!
//! Each arrow is one write. Before it nothing has changed: whatever stops this, the message comes back
//! when its time runs out. So an event may run twice, and an outcome may be told twice.

use std::sync::Arc;
use std::time::Duration;

use api::functions::FunctionVersion;
use api::invoke::{Error as InvokeError, Invoke, Invoker, Why};
use bytes::Bytes;
use storage::queue::{Message, Receipt};
use storage::{Error, Queue};
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval_at};
use types::{Clock, Random, RequestId};

use crate::config::Config;
use crate::destination::Destination;
use crate::destinations::Destinations;
use crate::event::{Condition, Delivery, Item, Receiver, Stage};
use crate::metrics::Metrics;
use crate::retry::{self, Attempt, Next};
use crate::router::Router;
use crate::settings::{Settings, Wishes};
use crate::shards::{DEDICATED, FunctionId, UNREADABLE};
use crate::windows::{Slot, Windows};

mod deliver;

/// An event in a shared queue waits so long for its turn before it goes to its function's own.
const PATIENCE: Duration = Duration::from_millis(200);
/// Outcomes that are told at a time.
const DELIVERIES_MAX: usize = 32;

/// See the module.
pub(crate) struct Work {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) router: Arc<Router>,
    pub(crate) windows: Arc<Windows>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) invoker: Arc<dyn Invoker>,
    pub(crate) destinations: Destinations,
    pub(crate) turns: Turns,
}

/// How much is done at a time.
pub(crate) struct Turns {
    invokes: Semaphore,
    deliveries: Semaphore,
}

/// A message and where it is.
#[derive(Clone, Copy)]
struct At<'q> {
    queue: &'q str,
    receipt: Receipt,
}

impl Turns {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            invokes: Semaphore::new(config.concurrency.max(1) as usize),
            deliveries: Semaphore::new(DELIVERIES_MAX),
        }
    }
}

impl Work {
    /// Works on a message until it is out of its queue, or back in it.
    pub(crate) async fn on(&self, queue: &str, message: Message) {
        let at = At {
            queue,
            receipt: message.receipt,
        };
        let done = match Item::decode(&message.body) {
            Ok(item) => self.held(at, self.step(at, item)).await,
            Err(error) => {
                tracing::error!(
                    queue,
                    error = &error as &dyn std::error::Error,
                    "a queued event cannot be read and is put aside"
                );
                self.move_to(at, UNREADABLE, message.body).await
            }
        };
        if let Err(error) = done {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                queue,
                error,
                "what became of an event cannot be written; it will be tried again"
            );
        }
    }

    /// Does `work` while the message is kept from other pollers.
    async fn held<T>(&self, at: At<'_>, work: impl Future<Output = T>) -> T {
        let every = self.config.visibility / 3;
        let mut renew = interval_at(Instant::now() + every, every);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = work.as_mut() => return done,
                _ = renew.tick() => {}
            }
            let renewed = self
                .queue
                .extend(at.queue, at.receipt, self.config.visibility);
            match renewed.await {
                Ok(true) => {}
                Ok(false) => tracing::info!(
                    queue = at.queue,
                    "an event took too long to be renewed; another poller may have it too"
                ),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        queue = at.queue,
                        error,
                        "an event that is worked on cannot be renewed"
                    );
                }
            }
        }
    }

    async fn step(&self, at: At<'_>, item: Item) -> Result<(), Error> {
        match item.stage.clone() {
            Stage::Invoke => self.invoke(at, item).await,
            Stage::Deliver(delivery) => self.deliver(at, item, delivery).await,
        }
    }

    async fn invoke(&self, at: At<'_>, mut item: Item) -> Result<(), Error> {
        let arn = item.event.state.arn.clone();
        let function = FunctionId::of(&arn);
        let target = match self.invoker.target(&arn).await {
            Ok(target) => target,
            Err(error) => return self.refused(at, item, &error, None).await,
        };
        let wishes = self.settings.of(&arn).await?;
        if retry::is_expired(&item.event.state, wishes.limits, self.clock.now()) {
            let condition = Condition::EventAgeExceeded;
            return self
                .over(at, item, condition, wishes, &target.function)
                .await;
        }
        if target.reserved == Some(0) {
            item.event.refused(&stopped());
            return self
                .settle(at, item, Attempt::Stopped, Some(&target.function))
                .await;
        }
        let Some(slot) = self.slot(at.queue, &function).await else {
            self.metrics.moved.inc();
            return self
                .move_to(at, &self.router.crowd(&function), item.encode())
                .await;
        };
        // Never closed, so that there is always a turn.
        let _turn = self.turns.invokes.acquire().await;
        let state = &item.event.state;
        if state.invokes == 0 && state.refusals == 0 {
            let age = self.clock.now().since(state.accepted);
            self.metrics.age.observe(age.as_secs_f64());
        }
        let ran = self.invoker.invoke(Invoke {
            request: state.request,
            arn,
            payload: item.event.payload.clone(),
            trace: state.trace.clone(),
        });
        match ran.await {
            Ok(outcome) => {
                slot.end(false);
                self.metrics.invoked.inc();
                let failed = outcome.function_error.is_some();
                let version = outcome.function.configuration.version;
                item.event.ran(version, failed, outcome.payload);
                let attempt = match failed {
                    true => Attempt::Failed,
                    false => Attempt::Succeeded,
                };
                self.metrics.failed.inc_by(u64::from(failed));
                self.settle(at, item, attempt, Some(&outcome.function))
                    .await
            }
            Err(error) => {
                slot.end(matches!(error.why, Why::Throttled | Why::Unavailable));
                self.refused(at, item, &error, Some(&target.function)).await
            }
        }
    }

    /// A place in the function's window; `None` if the event is to go to the function's own queue.
    async fn slot<'w>(&'w self, queue: &str, function: &'w FunctionId) -> Option<Slot<'w>> {
        if let Some(slot) = self.windows.try_begin(function) {
            return Some(slot);
        }
        if queue.starts_with(DEDICATED) {
            return Some(self.windows.begin(function).await);
        }
        if self.router.is_dedicated(function) {
            return None;
        }
        tokio::time::timeout(PATIENCE, self.windows.begin(function))
            .await
            .ok()
    }

    async fn refused(
        &self,
        at: At<'_>,
        mut item: Item,
        error: &InvokeError,
        function: Option<&Arc<FunctionVersion>>,
    ) -> Result<(), Error> {
        item.event.refused(error);
        let attempt = match error.why {
            Why::NotFound => Attempt::Gone,
            Why::Recursive => {
                self.metrics.recursive.inc();
                Attempt::Recursive
            }
            Why::Throttled | Why::Unavailable => {
                self.metrics.throttled.inc();
                Attempt::Refused
            }
        };
        self.settle(at, item, attempt, function).await
    }

    /// Does what the rules say after a try.
    async fn settle(
        &self,
        at: At<'_>,
        item: Item,
        attempt: Attempt,
        function: Option<&Arc<FunctionVersion>>,
    ) -> Result<(), Error> {
        let state = &item.event.state;
        let wishes = self.settings.of(&state.arn).await?;
        let fraction = self.random.next_fraction();
        let now = self.clock.now();
        match (
            retry::next(state, wishes.limits, attempt, now, fraction),
            function,
        ) {
            (Next::Again(wait), _) => {
                self.metrics.retried.inc();
                self.put_back(at, &item, wait).await
            }
            (Next::Over(condition), Some(function)) => {
                self.over(at, item, condition, wishes, function).await
            }
            // Without the function nobody knows whom to tell.
            (Next::Over(_), None) => {
                self.metrics.dropped("unknown_function");
                self.keep(&item).await?;
                self.finish(at, &item).await
            }
            (Next::Dropped, _) => {
                self.metrics.dropped("no_function");
                self.finish(at, &item).await
            }
        }
    }

    /// The event is over: its outcome is to be told, if anybody wants to hear it.
    async fn over(
        &self,
        at: At<'_>,
        mut item: Item,
        condition: Condition,
        wishes: Wishes,
        function: &FunctionVersion,
    ) -> Result<(), Error> {
        let configuration = &function.configuration;
        let mut to: Vec<Receiver> = Vec::new();
        if condition == Condition::Success {
            to.extend(wishes.on_success.map(Receiver::Destination));
        } else {
            to.extend(wishes.on_failure.map(Receiver::Destination));
            let dead_letter = configuration.dead_letter_target.as_deref();
            // What is no target was refused when the function was made.
            let dead_letter = dead_letter.and_then(|arn| Destination::parse(arn).ok());
            to.extend(dead_letter.map(Receiver::DeadLetter));
        }
        if to.is_empty() {
            if condition != Condition::Success {
                self.metrics.dropped(match condition {
                    Condition::EventAgeExceeded => "age",
                    _ => "retries",
                });
                self.keep(&item).await?;
            }
            return self.finish(at, &item).await;
        }
        let now = self.clock.now();
        item.stage = Stage::Deliver(Delivery {
            condition,
            decided: now,
            since: now,
            to,
            role: configuration.role.clone(),
            tries: 0,
            refusal: None,
        });
        self.put_back(at, &item, Duration::ZERO).await
    }

    async fn put_back(&self, at: At<'_>, item: &Item, wait: Duration) -> Result<(), Error> {
        let (queue, receipt) = (at.queue, at.receipt);
        let replaced = self.queue.replace(queue, receipt, item.encode(), wait);
        if !replaced.await? {
            self.lost(at, item.event.state.request);
        }
        Ok(())
    }

    /// The event is done with.
    async fn finish(&self, at: At<'_>, item: &Item) -> Result<(), Error> {
        self.queue.ack(at.queue, at.receipt).await?;
        self.router.done(&FunctionId::of(&item.event.state.arn));
        Ok(())
    }

    /// Keeps a failed event that goes nowhere else, to be looked at and sent again.
    async fn keep(&self, item: &Item) -> Result<(), Error> {
        let queue = FunctionId::of(&item.event.state.arn).failed();
        self.queue.send(&queue, item.encode(), Duration::ZERO).await
    }

    /// After a crash between the two it is in both queues.
    async fn move_to(&self, at: At<'_>, queue: &str, body: Bytes) -> Result<(), Error> {
        self.queue.send(queue, body, Duration::ZERO).await?;
        self.queue.ack(at.queue, at.receipt).await
    }

    fn lost(&self, at: At<'_>, request: RequestId) {
        tracing::info!(queue = at.queue, request_id = %request,
            "an event was taken over by another poller meanwhile");
    }
}

/// What a synchronous caller is told whose function may not run at all.
fn stopped() -> InvokeError {
    InvokeError {
        why: Why::Throttled,
        status: 429,
        code: "TooManyRequestsException".to_owned(),
        message: "Rate Exceeded.".to_owned(),
    }
}
