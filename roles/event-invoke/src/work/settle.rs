//! What is written after a try: the event again, its outcome, or nothing more.

use std::sync::Arc;
use std::time::Duration;

use api::functions::FunctionVersion;
use bytes::Bytes;
use storage::Error;
use types::RequestId;

use super::{At, Work};
use crate::destination::Destination;
use crate::event::{Condition, Delivery, Item, Receiver, Stage};
use crate::retry::{self, Attempt, Next};
use crate::settings::Wishes;
use crate::shards::FunctionId;

impl Work {
    /// Does what the rules say after a try.
    pub(super) async fn settle(
        &self,
        at: At<'_>,
        item: Item,
        attempt: Attempt,
        function: Option<&Arc<FunctionVersion>>,
    ) -> Result<(), Error> {
        let state = &item.event.state;
        let wishes = self.settings.of(&state.arn);
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
    pub(super) async fn over(
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
                    Condition::ZeroReservedConcurrency => "concurrency",
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
            role: configuration.role.clone(),
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
        let replaced = self.queue.replace(queue, receipt, item.encode(), wait);
        if !replaced.await? {
            self.lost(at, item.event.state.request);
        }
        Ok(())
    }

    /// The event is done with.
    pub(super) async fn finish(&self, at: At<'_>, item: &Item) -> Result<(), Error> {
        self.queue.ack(at.queue, at.receipt).await?;
        self.router.done(&FunctionId::of(&item.event.state.arn));
        Ok(())
    }

    /// Keeps a failed event that goes nowhere else, to be looked at and sent again.
    pub(super) async fn keep(&self, item: &Item) -> Result<(), Error> {
        let queue = FunctionId::of(&item.event.state.arn).failed();
        self.queue.send(&queue, item.encode(), Duration::ZERO).await
    }

    /// After a crash between the two it is in both queues.
    pub(super) async fn move_to(&self, at: At<'_>, queue: &str, body: Bytes) -> Result<(), Error> {
        self.queue.send(queue, body, Duration::ZERO).await?;
        self.queue.ack(at.queue, at.receipt).await
    }

    pub(super) fn lost(&self, at: At<'_>, request: RequestId) {
        tracing::info!(queue = at.queue, request_id = %request,
            "an event was taken over by another poller meanwhile");
    }
}
