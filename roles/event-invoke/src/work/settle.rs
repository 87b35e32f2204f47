//! What is written after an attempt: the event again, its outcome, or nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use records::functions::FunctionVersion;
use storage::Error;
use storage::queue::Charge;
use tokio::time::Instant;
use types::RequestId;

use super::{At, Work};
use crate::event::{Condition, Delivery, Item, Receiver, Stage};
use crate::retry::{self, Attempt, Next};
use crate::shards::FunctionId;

/// For how long what became of an event is tried to be written. Longer would hold up a stop.
const INSIST: Duration = Duration::from_secs(10);
const INSIST_EVERY: Duration = Duration::from_secs(1);

impl Work {
    /// Does what the rules say after a try. Without a `function`, it is gone or cannot be looked up, and
    /// what was wanted when it was last there holds.
    pub(super) async fn settle(
        &self,
        at: At<'_>,
        mut item: Item,
        attempt: Attempt,
        function: Option<&Arc<FunctionVersion>>,
    ) -> Result<(), Error> {
        let wishes = self.settings.of(&item.event.state.arn);
        if let Some(function) = function {
            item.event.state.wanted = wishes.wanted(function);
        }
        let wanted = item.event.state.wanted.clone();
        let limits = match (function, &wanted) {
            (None, Some(wanted)) => wanted.limits,
            _ => wishes.limits,
        };
        let (fraction, now) = (self.random.next_fraction(), self.clock.now());
        match retry::next(&item.event.state, limits, attempt, now, fraction) {
            Next::Again(wait) => {
                self.metrics.retried.inc();
                self.put_back(at, &item, wait).await
            }
            Next::Over(condition) => {
                let (to, role) = match (function, wanted) {
                    (Some(function), _) => {
                        let succeeded = condition == Condition::Success;
                        let to = wishes.receivers(function, succeeded);
                        (to, function.configuration.role.clone())
                    }
                    (None, Some(wanted)) => (wanted.to, wanted.role),
                    (None, None) => (Vec::new(), String::new()),
                };
                self.over(at, item, condition, (to, &role)).await
            }
        }
    }

    /// The event has finished: its outcome is delivered with a role, if it has a destination.
    pub(super) async fn over(
        &self,
        at: At<'_>,
        mut item: Item,
        condition: Condition,
        (to, role): (Vec<Receiver>, &str),
    ) -> Result<(), Error> {
        if to.is_empty() {
            if condition != Condition::Success {
                let status = item.event.state.last.as_ref().and_then(|last| last.status);
                self.metrics.dropped(match condition {
                    Condition::EventAgeExceeded => "age",
                    Condition::ZeroReservedConcurrency => "concurrency",
                    _ if status == Some(404) => "no_function",
                    Condition::Success | Condition::RetriesExhausted => "retries",
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
            role: role.to_owned(),
            tries: 0,
            refusal: None,
        });
        self.put_back(at, &item, Duration::ZERO).await
    }

    pub(super) async fn put_back(
        &self,
        at: At<'_>,
        item: &Item,
        wait: Duration,
    ) -> Result<(), Error> {
        let (queue, receipt) = (at.queue, at.receipt);
        let body = item.encode();
        let replaced = self.insist(|| self.queue.replace(queue, receipt, body.clone(), wait));
        if !replaced.await? {
            self.lost(at, item.event.state.request);
        }
        Ok(())
    }

    /// The event is finished.
    pub(super) async fn finish(&self, at: At<'_>, item: &Item) -> Result<(), Error> {
        let acked = self.insist(|| self.queue.ack(at.queue, at.receipt));
        acked.await?;
        self.router.done(&FunctionId::of(&item.event.state.arn));
        Ok(())
    }

    /// Writes what became of an event, for some seconds again and again if the store fails: what is not
    /// written is run, or told, once more. Twice is harmless: a message is removed or replaced but once.
    async fn insist<T, F>(&self, write: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let began = Instant::now();
        loop {
            match write().await {
                Err(Error::Unavailable(_)) if began.elapsed() < INSIST => {
                    tokio::time::sleep(INSIST_EVERY).await;
                }
                done => return done,
            }
        }
    }

    /// Keeps a failed event that has no destination, to be inspected and sent again. If there is no room
    /// it is dropped, as all of them are on AWS.
    pub(super) async fn keep(&self, item: &Item) -> Result<(), Error> {
        let function = FunctionId::of(&item.event.state.arn);
        let (queue, charge) = (function.failed(), self.config.kept.failed(&function));
        let (body, now) = (item.encode(), Duration::ZERO);
        match self.queue.send_for(&queue, body, now, &charge).await {
            Err(Error::Full { .. }) => {
                tracing::info!(function = %item.event.state.arn, request_id = %item.event.state.request,
                    "a failed event is not kept: their number has reached its limit");
                Ok(())
            }
            kept => kept,
        }
    }

    /// After a crash between the two it is in both queues.
    pub(super) async fn move_to(
        &self,
        at: At<'_>,
        queue: &str,
        body: Bytes,
        whose: &Charge,
    ) -> Result<(), Error> {
        let now = Duration::ZERO;
        self.queue.send_for(queue, body, now, whose).await?;
        self.queue.ack(at.queue, at.receipt).await
    }

    pub(super) fn lost(&self, at: At<'_>, request: RequestId) {
        tracing::info!(queue = at.queue, request_id = %request,
            "an event was taken over by another poller meanwhile");
    }
}
