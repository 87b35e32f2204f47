//! Accepts events: into a queue, durably, or not at all.

use std::sync::Arc;
use std::time::Duration;

use api::events::{Accept, Error};
use storage::Queue;
use tokio::sync::Semaphore;
use types::Clock;

use crate::charges::Kept;
use crate::event::Item;
use crate::metrics::Metrics;
use crate::router::Router;
use crate::settings::Settings;
use crate::shards::FunctionId;

/// What an event takes in addition to its payload: names, trace and bookkeeping.
const OVERHEAD_BYTES: usize = 1_024;

/// See the module.
pub(crate) struct Intake {
    clock: Arc<dyn Clock>,
    queue: Arc<dyn Queue>,
    router: Arc<Router>,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    kept: Kept,
    /// Bytes of events that may be on their way into the queues.
    room: Semaphore,
    bytes_max: usize,
}

impl Intake {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        queue: Arc<dyn Queue>,
        (router, settings): (Arc<Router>, Arc<Settings>),
        metrics: Arc<Metrics>,
        (bytes_max, kept): (usize, Kept),
    ) -> Self {
        let bytes_max = bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            clock,
            queue,
            router,
            settings,
            metrics,
            kept,
            room: Semaphore::new(bytes_max),
            bytes_max,
        }
    }

    /// See [`api::events::Events::accept`].
    pub(crate) async fn accept(&self, accept: Accept) -> Result<(), Error> {
        // One that is larger than all the room needs all of it: refused for ever, it would be no throttle.
        let bytes = (accept.payload.len() + OVERHEAD_BYTES).min(self.bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(_room) = self.room.try_acquire_many(bytes) else {
            self.metrics.refused.inc();
            return Err(Error::Full);
        };
        let function = accept.function.as_ref();
        let wanted = function.and_then(|function| self.settings.of(&accept.arn).wanted(function));
        let item = Item::new(accept, self.clock.now(), wanted);
        self.put(&item).await.map_err(|error| match error {
            storage::Error::Full { .. } => {
                self.metrics.refused.inc();
                Error::Full
            }
            error => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "an event cannot be queued");
                Error::Unavailable
            }
        })?;
        self.metrics.accepted.inc();
        Ok(())
    }

    /// Queues an event that is to be worked on at once, if there is room for it.
    pub(crate) async fn put(&self, item: &Item) -> Result<(), storage::Error> {
        let function = FunctionId::of(&item.event.state.arn);
        let queue = self.router.place(&function);
        let charge = self.kept.charge(&item.event.state);
        let sent = self
            .queue
            .send_for(&queue, item.encode(), Duration::ZERO, &charge)
            .await;
        if sent.is_err() {
            self.router.done(&function);
        }
        sent
    }
}
