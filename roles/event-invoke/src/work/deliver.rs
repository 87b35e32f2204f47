//! Telling an outcome, to one receiver after the other.

use std::time::Duration;

use storage::Error;

use super::{At, Turn, Work};
use crate::destinations;
use crate::event::{Delivery, Item, Receiver, Stage, cut};
use crate::retry::refusal_wait;
use crate::shards::FunctionId;

/// Tries of what will hardly be taken: rights and resources may be a moment late.
const LASTING_TRIES_MAX: u32 = 3;
/// For how long a receiver is tried that cannot be reached: as long as an event is.
const AGE_MAX: Duration = Duration::from_secs(21_600);

impl Work {
    pub(super) async fn deliver(
        &self,
        at: At<'_>,
        mut item: Item,
        mut delivery: Delivery,
    ) -> Result<(), Error> {
        let Some(receiver) = delivery.to.first().cloned() else {
            return self.finish(at, &item).await;
        };
        let function = FunctionId::of(&item.event.state.arn);
        let slot = match self.turn(at, &self.deliveries, &function).await {
            Turn::Now(slot) => slot,
            other => return self.give_way(at, &item, &function, &other).await,
        };
        let told = self.destinations.deliver(&receiver, &item.event, &delivery);
        let told = told.await;
        slot.end(told.as_ref().is_err_and(|error| !error.lasting));
        match told {
            Ok(()) => match receiver {
                Receiver::Destination(_) => drop(self.metrics.delivered.inc()),
                Receiver::DeadLetter(_) => drop(self.metrics.dead_lettered.inc()),
            },
            Err(error) => {
                delivery.tries = delivery.tries.saturating_add(1);
                delivery.refusal = Some(cut(&error.message));
                if !self.is_hopeless(&delivery, &error) {
                    let wait = refusal_wait(delivery.tries, self.random.next_fraction());
                    item.stage = Stage::Deliver(delivery);
                    return self.put_back(at, &item, wait).await;
                }
                self.give_up(&item, &delivery, receiver, &error).await?;
            }
        }
        delivery.to.remove(0);
        (delivery.tries, delivery.since, delivery.refusal) = (0, self.clock.now(), None);
        if delivery.to.is_empty() {
            return self.finish(at, &item).await;
        }
        item.stage = Stage::Deliver(delivery);
        self.put_back(at, &item, Duration::ZERO).await
    }

    fn is_hopeless(&self, delivery: &Delivery, error: &destinations::Error) -> bool {
        let age = self.clock.now().since(delivery.since);
        age >= AGE_MAX || (error.lasting && delivery.tries >= LASTING_TRIES_MAX)
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
            destination, reason = error.message, "the outcome of an event is not taken where it should go");
        let kept = Item {
            event: item.event.clone(),
            stage: Stage::Deliver(Delivery {
                to: vec![receiver],
                ..delivery.clone()
            }),
        };
        self.keep(&kept).await
    }
}
