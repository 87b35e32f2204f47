//! Delivers an outcome to its receivers. Each is taken off the list, durably, once it is finished; one that
//! cannot be reached is skipped until the others are finished.

use std::time::Duration;

use storage::Error;

use super::{At, Turn, Work};
use crate::destinations;
use crate::event::{Delivery, Item, Receiver, Stage, State, cut};
use crate::retry::refusal_wait;
use crate::shards::FunctionId;

/// Tries of what will hardly be taken: rights and resources may be a moment late.
const LASTING_TRIES_MAX: u32 = 3;
/// A receiver that takes longer than this to accept an outcome is not waited for.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// For how long a receiver is tried that cannot be reached: as long as an event is.
const AGE_MAX: Duration = Duration::from_secs(21_600);

impl Work {
    pub(super) async fn deliver(
        &self,
        at: At<'_>,
        mut item: Item,
        mut delivery: Delivery,
    ) -> Result<(), Error> {
        if delivery.to.is_empty() {
            return self.finish(at, &item).await;
        }
        let function = FunctionId::of(&item.event.state.arn);
        let slot = match self.turn(at, &self.deliveries, &function).await {
            Turn::Now(slot) => slot,
            other => return self.give_way(at, &item, &function, &other).await,
        };
        let tries = delivery.tries.saturating_add(1);
        let mut refusal = None;
        // A receiver that cannot be reached does not block the others.
        let mut index = 0;
        let done = loop {
            let Some(receiver) = delivery.to.get(index) else {
                break None;
            };
            let told = self.destinations.deliver(receiver, &item.event, &delivery);
            let told = tokio::time::timeout(TAKEN_WITHIN, told).await;
            let told = told.unwrap_or_else(|_| Err(destinations::Error::silent(TAKEN_WITHIN)));
            match told {
                Err(error) if !self.is_hopeless(&delivery, tries, &error) => {
                    refusal.get_or_insert(error);
                    index += 1;
                }
                told => break Some(told),
            }
        };
        let mut errors = refusal.iter();
        slot.end(errors.any(|error: &destinations::Error| !error.lasting));
        if let Some(told) = done {
            let receiver = delivery.to.remove(index);
            self.told(&item, &delivery, receiver, told).await?;
        }
        let wait = match refusal {
            Some(error) => {
                if let Some(reason) = error.reason_for_log() {
                    let State { arn, request, .. } = &item.event.state;
                    tracing::info!(function = %arn, request_id = %request, reason,
                        "the outcome of an event cannot be delivered yet");
                }
                delivery.tries = tries;
                delivery.refusal = Some(cut(&error.message));
                refusal_wait(tries, self.random.next_fraction())
            }
            None => {
                (delivery.tries, delivery.since, delivery.refusal) = (0, self.clock.now(), None);
                Duration::ZERO
            }
        };
        if delivery.to.is_empty() {
            return self.finish(at, &item).await;
        }
        item.stage = Stage::Deliver(delivery);
        self.put_back(at, &item, wait).await
    }

    /// A receiver is finished: it has accepted, or never will.
    async fn told(
        &self,
        item: &Item,
        delivery: &Delivery,
        receiver: Receiver,
        told: Result<(), destinations::Error>,
    ) -> Result<(), Error> {
        match (told, &receiver) {
            (Ok(()), Receiver::Destination(_)) => drop(self.metrics.delivered.inc()),
            (Ok(()), Receiver::DeadLetter(_)) => drop(self.metrics.dead_lettered.inc()),
            (Err(error), _) => self.give_up(item, delivery, receiver, &error).await?,
        }
        Ok(())
    }

    fn is_hopeless(&self, delivery: &Delivery, tries: u32, error: &destinations::Error) -> bool {
        let age = self.clock.now().since(delivery.since);
        age >= AGE_MAX || (error.lasting && tries >= LASTING_TRIES_MAX)
    }

    async fn give_up(
        &self,
        item: &Item,
        delivery: &Delivery,
        receiver: Receiver,
        error: &destinations::Error,
    ) -> Result<(), Error> {
        let destination = match &receiver {
            Receiver::Destination(destination) => {
                self.metrics.delivery_failures.inc();
                destination.arn()
            }
            Receiver::DeadLetter(destination) => {
                self.metrics.dead_letter_errors.inc();
                destination.arn()
            }
        };
        // The function's owner has to look, not the operator.
        tracing::info!(function = %item.event.state.arn, request_id = %item.event.state.request,
            destination, error = error.message, reason = error.reason_for_log(), "a destination did not accept the outcome of an event");
        let kept = Item {
            event: item.event.clone(),
            stage: Stage::Deliver(Delivery {
                to: vec![receiver],
                refusal: Some(cut(&error.message)),
                ..delivery.clone()
            }),
        };
        self.keep(&kept).await
    }
}
