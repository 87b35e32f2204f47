//! The arrow into the asynchronous plane: taking events, and showing them to people.

use std::time::Duration;

use api::events::{Accept, Error, EventView, Events, FunctionView, QueueView};
use async_trait::async_trait;
use futures_util::future::join_all;
use storage::queue::{Message, RECEIVE_MAX};
use types::{FunctionName, Scope};

use crate::event::{HEAD_BYTES_MAX, Item, Stage, State};
use crate::service::EventInvoke;
use crate::shards::{ALL, DEDICATED, FunctionId, SHARED, UNREADABLE};

/// Events of one queue that are searched for one function's.
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
            events.sort_by_key(|event| event.accepted);
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
        // Those that fail again meanwhile are not sent again in a loop.
        while sent < before {
            let visibility = self.config.visibility;
            let most = RECEIVE_MAX.min(usize::try_from(before - sent).unwrap_or(RECEIVE_MAX));
            let wait = Duration::ZERO;
            let messages = queue.receive(&from, most, visibility, wait).await;
            let messages = messages.map_err(unavailable)?;
            if messages.is_empty() {
                break;
            }
            // All at a time, for few writes to the disk.
            let again = messages
                .into_iter()
                .map(|message| self.again(&from, message));
            for again in join_all(again).await {
                sent += u64::from(again.map_err(unavailable)?);
            }
        }
        Ok(sent)
    }
}

impl EventInvoke {
    /// Moves a failed event back to where it is worked on; one that cannot be read goes to the queue of unreadable ones.
    async fn again(&self, from: &str, message: Message) -> Result<bool, storage::Error> {
        let queue = &self.with.queue;
        let readable = match Item::decode(&message.body) {
            Ok(mut item) => {
                item.anew(self.with.clock.now());
                self.intake.put(&item).await?;
                true
            }
            Err(_) => {
                let sent = queue.send(UNREADABLE, message.body, Duration::ZERO);
                sent.await?;
                false
            }
        };
        queue.ack(from, message.receipt).await?;
        Ok(readable)
    }

    /// The function's events in a queue, and whether all of the queue was searched.
    async fn look(
        &self,
        queue: &str,
        function: &FunctionId,
    ) -> Result<(Vec<EventView>, bool), Error> {
        let heads = self.with.queue.peek(queue, LOOK_MAX, HEAD_BYTES_MAX).await;
        let heads = heads.map_err(unavailable)?;
        let read = heads.iter().filter_map(|head| Item::decode_head(head).ok());
        let of_function = read.filter(|(state, _)| FunctionId::of(&state.arn) == *function);
        let views = of_function.map(|(state, stage)| view(state, &stage));
        Ok((views.collect(), heads.len() < LOOK_MAX))
    }
}

fn view(state: State, stage: &Stage) -> EventView {
    let last = state.last.map(|last| match (last.status, last.message) {
        // It ran: what a function says of its failure needs no status.
        (None | Some(200), message) if !message.is_empty() => message,
        (None, message) => message,
        (Some(status), message) if message.is_empty() => format!("status {status}"),
        (Some(status), message) => format!("status {status}: {message}"),
    });
    let refusal = match stage {
        Stage::Deliver(delivery) => delivery.refusal.clone(),
        Stage::Invoke => None,
    };
    EventView {
        request: state.request,
        arn: state.arn.to_string(),
        accepted: state.accepted,
        invokes: state.invokes,
        last: refusal.or(last),
        delivering: matches!(stage, Stage::Deliver(_)),
    }
}

fn unavailable(error: storage::Error) -> Error {
    if let storage::Error::Full { .. } = error {
        return Error::Full;
    }
    let error = &error as &dyn std::error::Error;
    tracing::warn!(error, "could not scan the event queues");
    Error::Unavailable
}
