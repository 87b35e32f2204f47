//! What a poller does with one message: invokes its event or delivers its outcome, and then takes it out
//! of its queue, or puts it back for later.
//!
//! ```text
//!   Invoke ─▶ run ─▶ again: replaced by itself, later
//!                 ├▶ over: replaced by its delivery ─▶ Deliver ─▶ told: gone
//!                 │                                            └▶ not now: replaced by itself, later
//!                 └▶ no destination: dropped; a failure is kept in its own queue
//! ```
//!
//! Each arrow is one write. Before it nothing has changed: whatever stops this, the message comes back
//! when its time runs out. So an event may run twice, and an outcome may be delivered twice.
//!
//! What is worked on waits for its function's turn. In a queue that functions share it does not wait
//! long: it goes to its function's own queue, or back for later.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use api::invoke::{Error as InvokeError, Invoke, Invoker, Why};
use storage::queue::{Charge, Message, Receipt};
use storage::{Error, Queue};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::{Clock, Random};

use crate::budget::Budget;
use crate::charges;
use crate::config::Config;
use crate::destinations::Destinations;
use crate::event::{Condition, Item, Stage};
use crate::gone::Gone;
use crate::metrics::Metrics;
use crate::retry::{self, Attempt};
use crate::router::Router;
use crate::settings::Settings;
use crate::shards::{DEDICATED, FunctionId, UNREADABLE};
use crate::windows::{Slot, Windows};

mod deliver;
mod settle;

/// How long an event in a shared queue waits for its turn before it moves to its function's own.
const PATIENCE: Duration = Duration::from_millis(200);
/// For how long, and up to twice that, an event is put back if its function cannot have its own queue.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an event in its function's own queue waits for its turn before it is examined again: it may have
/// become too old, and its function may have changed or been deleted.
const LOOK_ANEW: Duration = Duration::from_secs(5);
/// What a name means is not waited for any longer.
const TARGET_WITHIN: Duration = Duration::from_secs(20);
/// An invoke that has not returned this long after its function's timeout is lost. Before it runs it
/// may have had to wait for an environment, more than once.
const INVOKE_BEYOND: Duration = Duration::from_secs(600);
/// Outcomes that are delivered at once.
pub(crate) const DELIVERIES_MAX: u32 = 32;

/// See the module.
pub(crate) struct Work {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) router: Arc<Router>,
    /// Of invokes.
    pub(crate) windows: Arc<Windows>,
    /// Of deliveries.
    pub(crate) deliveries: Arc<Windows>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) invoker: Arc<dyn Invoker>,
    pub(crate) destinations: Destinations,
    pub(crate) gone: Arc<Gone>,
    pub(crate) budget: Arc<Budget>,
}

/// A message, where it is, and who works on it.
#[derive(Clone, Copy)]
struct At<'q> {
    queue: &'q str,
    receipt: Receipt,
    /// Whether its poller is to stop.
    stop: &'q CancellationToken,
}

/// Whether it is an event's turn.
enum Turn<'w> {
    Now(Slot<'w>),
    Later(Duration),
    /// Too many of the same function are before it.
    Crowded,
}

impl Work {
    /// Works on a message until it is out of its queue, or back in it. Once its poller is to `stop`,
    /// nothing is begun any more.
    pub(crate) async fn on(&self, queue: &str, message: Message, stop: &CancellationToken) {
        let at = At {
            queue,
            receipt: message.receipt,
            stop,
        };
        let done = match Item::decode(&message.body) {
            Ok(item) => self.held(at, self.step(at, item)).await,
            Err(error) => {
                self.metrics.unreadable.inc();
                tracing::error!(
                    queue,
                    error = &error as &dyn std::error::Error,
                    "a queued event cannot be read and is moved to a separate queue"
                );
                let (body, whose) = (message.body, Charge::default());
                self.move_to(at, UNREADABLE, body, &whose).await
            }
        };
        if let Err(error) = done {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                queue,
                error,
                "the result of an event cannot be written; it will be retried"
            );
        }
    }

    /// Does `work` while the message is kept from other pollers.
    async fn held<T>(&self, at: At<'_>, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.renew(at) => match never {},
        }
    }

    async fn renew(&self, at: At<'_>) -> Infallible {
        let visibility = self.config.visibility;
        loop {
            sleep(visibility / 3).await;
            match self.queue.extend(at.queue, at.receipt, visibility).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::info!(
                        queue = at.queue,
                        "renewing an event took too long; another poller may have it, too"
                    );
                    return std::future::pending().await;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        queue = at.queue,
                        error,
                        "the visibility of an event that is being processed cannot be extended"
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
        let target = within(TARGET_WITHIN, self.invoker.target(&arn)).await;
        let target = match target {
            Ok(target) => target,
            Err(error) => return self.refused(at, item, &error, None).await,
        };
        let wishes = self.settings.of(&arn);
        if retry::is_expired(&item.event.state, wishes.limits, self.clock.now()) {
            if item.event.state.last.is_none() {
                item.event.crowded_out();
            }
            let condition = Condition::EventAgeExceeded;
            let to = wishes.receivers(&target.function, false);
            let role = &target.function.configuration.role;
            return self.over(at, item, condition, (to, role)).await;
        }
        if target.reserved == Some(0) {
            item.event.stopped();
            return self
                .settle(at, item, Attempt::Stopped, Some(&target.function))
                .await;
        }
        let slot = match self.turn(at, &self.windows, &function).await {
            Turn::Now(slot) => slot,
            other => return self.give_way(at, &item, &function, &other).await,
        };
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
        let timeout = target.function.configuration.timeout_seconds.into();
        match within(Duration::from_secs(timeout) + INVOKE_BEYOND, ran).await {
            Ok(outcome) => {
                slot.end(false);
                self.metrics.invoked.inc();
                let failed = outcome.failed;
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

    /// Waits for an event's turn.
    async fn turn<'w>(
        &self,
        at: At<'_>,
        windows: &'w Windows,
        function: &'w FunctionId,
    ) -> Turn<'w> {
        let pause = match windows.try_begin(function) {
            Ok(slot) => return Turn::Now(slot),
            Err(pause) => pause,
        };
        let own = at.queue.starts_with(DEDICATED);
        if !own && self.router.is_dedicated(function) {
            return Turn::Crowded;
        }
        if !own && pause > PATIENCE {
            return Turn::Later(pause);
        }
        tokio::select! {
            biased;
            slot = windows.begin(function) => Turn::Now(slot),
            () = at.stop.cancelled() => Turn::Later(Duration::ZERO),
            () = sleep(PATIENCE), if !own => Turn::Crowded,
            () = sleep(LOOK_ANEW) => Turn::Later(Duration::ZERO),
        }
    }

    /// Makes room for others in a queue.
    async fn give_way(
        &self,
        at: At<'_>,
        item: &Item,
        function: &FunctionId,
        turn: &Turn<'_>,
    ) -> Result<(), Error> {
        let crowded = matches!(turn, Turn::Crowded);
        let own = crowded.then(|| self.router.crowd(function)).flatten();
        if let Some(own) = own {
            self.metrics.moved.inc();
            let whose = charges::moved(&item.event.state);
            return self.move_to(at, &own, item.encode(), &whose).await;
        }
        let wait = match turn {
            Turn::Later(wait) => *wait,
            _ => AGAIN.mul_f64(1.0 + self.random.next_fraction()),
        };
        if !self.queue.release(at.queue, at.receipt, wait).await? {
            self.lost(at, item.event.state.request);
        }
        Ok(())
    }

    async fn refused(
        &self,
        at: At<'_>,
        mut item: Item,
        error: &InvokeError,
        function: Option<&Arc<records::functions::FunctionVersion>>,
    ) -> Result<(), Error> {
        let attempt = match error.why {
            Why::NotFound => {
                let wanted = item.event.state.wanted.as_ref();
                let function = FunctionId::of(&item.event.state.arn);
                if wanted.is_none_or(|wanted| wanted.to.is_empty())
                    && self.gone.is_certain(&function)
                {
                    self.metrics.dropped("no_function");
                    return self.finish(at, &item).await;
                }
                item.event.missing();
                return self.settle(at, item, Attempt::Gone, None).await;
            }
            Why::Recursive => {
                self.metrics.recursive.inc();
                Attempt::Recursive
            }
            // Whether the system may invoke is not asked.
            Why::Throttled | Why::Unavailable | Why::Denied => {
                self.metrics.throttled.inc();
                Attempt::Refused
            }
        };
        item.event.refused(error);
        self.settle(at, item, attempt, function).await
    }
}

/// Gives up what does not return: where it was lost it may have been done.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, InvokeError>>,
) -> Result<T, InvokeError> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|_| {
        tracing::error!(
            ?limit,
            "an invoke for an event has not returned and is given up"
        );
        Err(InvokeError {
            why: Why::Unavailable,
            status: 500,
            code: "ServiceException".to_owned(),
            message: "The invoke was lost.".to_owned(),
        })
    })
}
