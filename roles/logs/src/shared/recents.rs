//! What workers have taken and not stored yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use types::{Scope, Timestamp};

use super::SharedStore;
use super::listing::Deletions;
use super::reading::Group;
use super::segment::Event;

/// A worker that does not answer within this is left out.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// A worker that has more than it can say hides no more than this of what others have said. Milliseconds.
const HIDDEN_MAX: u64 = 60_000;

/// What workers have said of a group.
pub(super) struct Recents {
    events: Vec<Event>,
    /// From this time on somebody has more than it could say: to show what others have from then on would be to show what
    /// is later before what is earlier.
    pub(super) horizon: Option<u64>,
}

impl Recents {
    /// Without what was deleted, and without what is at or beyond the horizon.
    pub(super) fn seen(&self, deleted: &Deletions) -> impl Iterator<Item = &Event> {
        let seen = |event: &&Event| !deleted.hide(&event.stream, event.received);
        self.events.iter().filter(seen)
    }
}

impl SharedStore {
    /// Asks all workers. To be done before blobs are listed: what is stored in between is then in both.
    pub(super) async fn recents(&self, scope: &Scope, group: &Group, since: u64) -> Recents {
        let mut asked = JoinSet::new();
        for worker in (self.workers)() {
            let (scope, group) = (scope.clone(), group.name.clone());
            asked.spawn(async move {
                let since = Timestamp::from_millis(since);
                let answer = worker.recent(&scope, &group, since);
                tokio::time::timeout(ANSWER_WITHIN, answer).await
            });
        }
        let mut all = Recents {
            events: Vec::new(),
            horizon: None,
        };
        let known = self.clock.now().as_millis().saturating_sub(HIDDEN_MAX);
        while let Some(answer) = asked.join_next().await {
            let Ok(Ok(Ok(answer))) = answer else {
                tracing::debug!("a worker did not say what it has of a log group");
                continue;
            };
            let last = answer.events.last().filter(|_| answer.more);
            if let Some(last) = last.map(|last| last.event.time.as_millis().max(known)) {
                all.horizon = Some(all.horizon.map_or(last, |horizon| horizon.min(last)));
            }
            all.events.extend(answer.events.into_iter().map(|recent| {
                let time = recent.event.time.as_millis();
                Event {
                    time,
                    stream: Arc::from(recent.stream),
                    id: recent.id,
                    received: time,
                    message: recent.event.message,
                }
            }));
        }
        all
    }
}
