//! Looking at queues as wholes: how much there is, for whom, in what order; and the end of empty ones.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use storage::Error;
use storage::queue::{Depth, Kept, RECEIVE_BYTES_MAX, Usage};
use tokio::time::{Instant, sleep};
use types::Timestamp;

use super::message::{self, Envelope};
use super::pull::{self, Consumer};
use super::{Queues, registered};
use crate::api::{Outgoing, Published};
use crate::error::Failure;
use crate::stream::Stream;

/// Streams that are asked at a time.
const AT_ONCE: usize = 16;
/// How often, and after which pauses, stream and consumer are asked until they say the same.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// What stream and consumer say.
struct Seen {
    consumer: Consumer,
    /// Messages that are not the consumer's yet.
    later: u64,
    /// Whether they say the same.
    agree: bool,
}

async fn look_at(stream: &Stream) -> Result<Seen, Failure> {
    let (consumer, state) = tokio::try_join!(pull::consumer(stream), stream.state())?;
    let known = consumer.num_pending + consumer.num_ack_pending;
    let later = match state.messages == known {
        true => 0,
        false => {
            let later = stream.subjects(&message::later(&stream.name)).await?;
            later.iter().map(|(_, messages)| messages).sum()
        }
    };
    let agree = state.messages == known + later;
    Ok(Seen {
        consumer,
        later,
        agree,
    })
}

impl Queues {
    async fn streams(&self) -> Result<Vec<Stream>, Error> {
        let all = self.registry.list("queue/").await?;
        Ok(all
            .into_iter()
            .map(|(_, name)| self.stream(&name))
            .collect())
    }

    /// Counts what is kept, by owner.
    pub(super) async fn count(&self) -> Result<BTreeMap<String, Usage>, Error> {
        self.settle().await?;
        let began = Instant::now();
        let ask = |stream: Stream| async move {
            let filter = format!("{}.>", stream.name);
            stream.subjects(&filter).await
        };
        let asked = stream::iter(self.streams().await?).map(ask);
        let counts: Vec<_> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        let mut owners = BTreeMap::<String, Usage>::new();
        for (subject, messages) in counts.into_iter().flatten() {
            if let Some((owner, bytes)) = message::counted(&subject) {
                message::add(owners.entry(owner).or_default(), messages, bytes);
            }
        }
        self.bounds.count(began, &owners);
        Ok(owners)
    }

    /// Waits, for a moment at most, until the streams have let go of what was acknowledged here last.
    async fn settle(&self) -> Result<(), Error> {
        for (name, message) in self.holds.acknowledged() {
            let stream = self.stream(&name);
            for _ in 0..TRIES {
                if stream.at(message).await?.is_none() {
                    break;
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Moves an owner's messages that would be seen after `late` to where they are seen.
    pub(super) async fn show_all(&self, owner: &str, late: Timestamp) -> Result<u64, Error> {
        let mut shown = 0;
        for stream in self.streams().await? {
            let waiting = message::later_of(&stream.name, owner);
            for (subject, _) in stream.subjects(&waiting).await? {
                shown += u64::from(self.show_one(&stream, &subject, late).await?);
            }
        }
        Ok(shown)
    }

    async fn show_one(
        &self,
        stream: &Stream,
        subject: &str,
        late: Timestamp,
    ) -> Result<bool, Error> {
        let Some(stored) = stream.last(subject).await? else {
            return Ok(false);
        };
        let envelope = Envelope::read(&stored.subject, |name| stored.header(name));
        let Some(mut envelope) = envelope.filter(|envelope| envelope.visible > late) else {
            return Ok(false);
        };
        envelope.visible = self.clock.now();
        // The same id for every process that shows it, so that it is there once.
        let id = format!("shown-{}", stored.sequence);
        let (subject, headers) = envelope.address(&stream.name, &id, Duration::ZERO);
        let message = Outgoing {
            subject: &subject,
            id: &id,
            headers,
            body: stored.body.clone(),
        };
        match stream.api.publish(&message).await {
            Published::Stored { .. } => {}
            Published::Conflict { .. } => return Err(Failure::Silence.into()),
            Published::Unknown(failure) => return Err(failure.into()),
        }
        stream.remove(stored.sequence).await?;
        Ok(true)
    }

    /// How much there is. Stream and consumer have leaders of their own, which may be a moment apart.
    pub(super) async fn depth_of(&self, stream: &Stream) -> Result<Depth, Error> {
        let mut tries = 0;
        let (consumer, later) = loop {
            let seen = look_at(stream).await?;
            tries += 1;
            if seen.agree || tries >= TRIES {
                break (seen.consumer, seen.later);
            }
            sleep(PAUSE).await;
        };
        let oldest = match consumer.num_pending {
            0 => Duration::ZERO,
            _ => {
                self.waiting(stream, consumer.delivered.stream_seq + 1)
                    .await?
            }
        };
        Ok(Depth {
            visible: consumer.num_pending,
            hidden: consumer.num_ack_pending + later,
            oldest,
        })
    }

    /// Whether a consumer that gave nothing has not received the last messages yet.
    pub(super) async fn is_late(&self, stream: &Stream) -> Result<bool, Failure> {
        let seen = look_at(stream).await?;
        Ok(!seen.agree || seen.consumer.num_pending > 0)
    }

    async fn waiting(&self, stream: &Stream, from: u64) -> Result<Duration, Error> {
        let first = stream.next(from, &message::now(&stream.name)).await?;
        let envelope =
            first.and_then(|first| Envelope::read(&first.subject, |name| first.header(name)));
        let visible = envelope.map(|envelope| envelope.visible);
        Ok(visible.map_or(Duration::ZERO, |visible| self.clock.now().since(visible)))
    }

    /// The beginnings of the first messages' bodies.
    pub(super) async fn look(
        &self,
        stream: &Stream,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Bytes>, Error> {
        let mut found = Vec::new();
        let mut from = 1;
        let all = format!("{}.>", stream.name);
        while found.len() < limit {
            let Some(stored) = stream.next(from, &all).await? else {
                break;
            };
            from = stored.sequence + 1;
            if let Some(body) = self.body(&stored).await? {
                found.push(message::beginning(&body, bytes));
            }
        }
        Ok(found)
    }

    /// The messages after a place, whole.
    pub(super) async fn browse_in(
        &self,
        stream: &Stream,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, Error> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut from = after.map_or(1, |after| after.saturating_add(1));
        let all = format!("{}.>", stream.name);
        while found.len() < limit {
            let Some(stored) = stream.next(from, &all).await? else {
                break;
            };
            from = stored.sequence.saturating_add(1);
            let envelope = Envelope::read(&stored.subject, |name| stored.header(name));
            let Some(envelope) = envelope else {
                continue;
            };
            if bytes + envelope.bytes > RECEIVE_BYTES_MAX && !found.is_empty() {
                break;
            }
            // Without its body it was acknowledged meanwhile, or its blob is lost.
            let Some(body) = self.body(&stored).await? else {
                if stream.at(stored.sequence).await?.is_some() {
                    return Err(Failure::Odd(format!("{} has no body", stored.sequence)).into());
                }
                continue;
            };
            bytes += body.len();
            found.push(Kept {
                message: stored.sequence,
                delay: envelope.visible.since(self.clock.now()),
                owner: envelope.owner,
                body,
            });
        }
        Ok(found)
    }

    /// Deletes a queue with nothing in it.
    pub(super) async fn delete(&self, queue: &str) -> Result<bool, Error> {
        let what = registered(queue);
        let Some(name) = self.registry.find_now(&what).await? else {
            return Ok(true);
        };
        let stream = self.stream(&name);
        if self.depth_of(&stream).await?.total() > 0 || !self.is_empty(&stream).await? {
            return Ok(false);
        }
        // See `put_in` for why this loses nothing.
        let Some(closing) = self.registry.close(&what, &name).await? else {
            return Ok(false);
        };
        if !self.is_empty(&stream).await? {
            match self.registry.reopen(&what, &name, closing).await {
                Ok(()) | Err(Error::Conflict { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if !self.registry.strike(&what, closing).await? {
            return Ok(false);
        }
        stream.delete().await?;
        Ok(true)
    }

    /// Whether the stream has nothing, which may be a moment after the last message was acknowledged.
    async fn is_empty(&self, stream: &Stream) -> Result<bool, Error> {
        for _ in 0..TRIES {
            if stream.state().await?.messages == 0 {
                return Ok(true);
            }
            sleep(PAUSE).await;
        }
        Ok(false)
    }
}
