//! The arrow into the asynchronous plane: taking events, and showing them to people.

use api::events::{Accept, Error, EventView, Events, FunctionView, QueueView};
use async_trait::async_trait;
use storage::queue::RECEIVE_MAX;
use types::{FunctionName, Scope};

use crate::event::{Item, Stage};
use crate::service::EventInvoke;
use crate::shards::{ALL, DEDICATED, FunctionId, SHARED};

/// Events of one queue that are looked at for one function's.
const LOOK_MAX: usize = 1_000;
/// Events that are shown.
const SHOW_MAX: usize = 100;

#[async_trait]
impl Events for EventInvoke {
    async fn accept(&self, event: Accept) -> Result<(), Error> {
        self.intake.accept(event).await
    }

    async fn queues(&self) -> Result<Vec<QueueView>, Error> {
        let mut views = Vec::new();
        for queue in self.with.queue.queues(ALL).await.map_err(unavailable)? {
            let depth = self.with.queue.depth(&queue).await.map_err(unavailable)?;
            views.push(QueueView {
                queue,
                waiting: depth.visible,
                hidden: depth.hidden,
                oldest_ms: u64::try_from(depth.oldest.as_millis()).unwrap_or(u64::MAX),
            });
        }
        Ok(views)
    }

    async fn function(&self, scope: &Scope, name: &FunctionName) -> Result<FunctionView, Error> {
        let function = FunctionId {
            scope: scope.clone(),
            name: name.clone(),
        };
        let queues = self.with.queue.queues(ALL).await.map_err(unavailable)?;
        let own = function.dedicated();
        let mut view = FunctionView::default();
        for queue in queues {
            if queue.starts_with(SHARED) || (queue.starts_with(DEDICATED) && queue == own) {
                let (events, all) = self.look(&queue, &function).await?;
                view.pending.extend(events);
                view.incomplete |= !all;
            }
        }
        let (failed, all) = self.look(&function.failed(), &function).await?;
        view.failed = failed;
        view.incomplete |= !all;
        for events in [&mut view.pending, &mut view.failed] {
            view.incomplete |= events.len() > SHOW_MAX;
            events.truncate(SHOW_MAX);
        }
        Ok(view)
    }

    async fn redrive(&self, scope: &Scope, name: &FunctionName) -> Result<u64, Error> {
        let function = FunctionId {
            scope: scope.clone(),
            name: name.clone(),
        };
        let (queue, from) = (&self.with.queue, function.failed());
        let before = queue.depth(&from).await.map_err(unavailable)?.total();
        let mut sent = 0;
        // Those that fail again meanwhile are not sent in circles.
        while sent < before {
            let visibility = self.config.visibility;
            let most = RECEIVE_MAX.min(usize::try_from(before - sent).unwrap_or(RECEIVE_MAX));
            let wait = std::time::Duration::ZERO;
            let messages = queue.receive(&from, most, visibility, wait).await;
            let messages = messages.map_err(unavailable)?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                if let Ok(mut item) = Item::decode(&message.body) {
                    item.anew(self.with.clock.now());
                    self.intake.put(&item).await.map_err(unavailable)?;
                    sent += 1;
                }
                let acked = queue.ack(&from, message.receipt).await;
                acked.map_err(unavailable)?;
            }
        }
        Ok(sent)
    }
}

impl EventInvoke {
    /// The function's events in a queue, and whether all of the queue was looked at.
    async fn look(
        &self,
        queue: &str,
        function: &FunctionId,
    ) -> Result<(Vec<EventView>, bool), Error> {
        let bodies = self.with.queue.peek(queue, LOOK_MAX).await;
        let bodies = bodies.map_err(unavailable)?;
        let items = bodies.iter().filter_map(|body| Item::decode(body).ok());
        let of_function = items.filter(|item| FunctionId::of(&item.event.state.arn) == *function);
        Ok((of_function.map(view).collect(), bodies.len() < LOOK_MAX))
    }
}

fn view(item: Item) -> EventView {
    let state = item.event.state;
    let last = state.last.map(|last| match last.message.as_str() {
        "" => format!("status {}", last.status),
        message => format!("status {}: {message}", last.status),
    });
    let refusal = match &item.stage {
        Stage::Deliver(delivery) => delivery.refusal.clone(),
        Stage::Invoke => None,
    };
    EventView {
        request: state.request,
        arn: state.arn.to_string(),
        accepted: state.accepted,
        invokes: state.invokes,
        last: refusal.or(last),
        delivering: matches!(item.stage, Stage::Deliver(_)),
    }
}

fn unavailable(error: storage::Error) -> Error {
    let error = &error as &dyn std::error::Error;
    tracing::warn!(error, "the queues of events cannot be looked at");
    Error::Unavailable
}
