//! Queues: a stream for each, with one consumer that all receivers share. What is acknowledged leaves the stream.
//!
//! ```text
//!   send ─▶ <stream>.now.…   ─▶ consumer ─▶ receive ─▶ ack: the message is gone
//!       └─▶ <stream>.later.… ─▶ the server moves it to .now. at its time
//! ```

mod bounds;
mod held;
mod message;
mod pull;
mod receive;
mod send;
mod survey;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use storage::queue::{
    Charge, Depth, Kept, Message, RECEIVE_MAX, Receipt, Usage, check_charge, check_message,
    check_queue,
};
use storage::{Blobs, Error, Queue};
use tokio::time::Instant;
use types::Clock;

use crate::api::Api;
use crate::names;
use crate::registry::Registry;
use crate::stream::{Stored, Stream};
use bounds::Bounds;
use held::Holds;
use message::Envelope;

/// Longer delays of a message that is given back are the stream's to keep, not the consumer's, which keeps all of
/// them in memory.
const RELEASED_IN_PLACE_MAX: Duration = Duration::from_secs(60);

/// The queues.
pub struct Queues {
    api: Api,
    prefix: String,
    replicas: usize,
    registry: Arc<Registry>,
    /// Bodies that are too large for a stream.
    blobs: Arc<dyn Blobs>,
    clock: Arc<dyn Clock>,
    holds: Holds,
    bounds: Bounds,
    /// Many who begin the same thing make one stream.
    opening: tokio::sync::Mutex<()>,
}

fn registered(queue: &str) -> String {
    format!("queue/{queue}")
}

impl Queues {
    pub(crate) fn new(
        api: Api,
        (prefix, replicas): (&str, usize),
        registry: Arc<Registry>,
        blobs: Arc<dyn Blobs>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            api,
            prefix: prefix.to_owned(),
            replicas,
            registry,
            blobs,
            clock,
            holds: Holds::default(),
            bounds: Bounds::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    fn stream(&self, name: &str) -> Stream {
        Stream {
            api: self.api.clone(),
            name: name.to_owned(),
        }
    }

    /// The queue's stream, if there is one.
    async fn find(&self, queue: &str) -> Result<Option<Stream>, Error> {
        let name = self.registry.find(&registered(queue)).await?;
        Ok(name.map(|name| self.stream(&name)))
    }

    /// The queue's stream, which is made if there is none.
    async fn open(&self, queue: &str) -> Result<Stream, Error> {
        if let Some(stream) = self.find(queue).await? {
            return Ok(stream);
        }
        let _opening = self.opening.lock().await;
        if let Some(found) = self.find(queue).await? {
            return Ok(found);
        }
        let mut readable = names::word(queue).replace('=', "_");
        readable.truncate(40);
        let name = format!("{}-queue-{readable}-{}", self.prefix, self.api.id());
        let own = json!({
            "subjects": [message::now(&name), message::later(&name)],
            "retention": "workqueue",
            "allow_msg_schedules": true,
            // Schedules take no other; nothing is discarded where there is no limit.
            "discard": "old",
            // Messages have numbers that none had in an earlier stream of this queue.
            "first_seq": self.clock.now().as_millis() * 1_000,
        });
        let stream = Stream::open(&self.api, &name, self.replicas, own).await?;
        pull::make(&stream).await?;
        let counts = self.registry.claim(&registered(queue), &name).await?;
        if counts != name {
            stream.delete().await?;
        }
        Ok(self.stream(&counts))
    }

    /// A stored message's body.
    async fn body(&self, stored: &Stored) -> Result<Option<Bytes>, Error> {
        let envelope = Envelope::read(&stored.subject, |name| stored.header(name));
        match envelope.and_then(|envelope| envelope.blob) {
            Some(blob) => self.blobs.get(&blob).await,
            None => Ok(Some(stored.body.clone())),
        }
    }
}

#[async_trait]
impl Queue for Queues {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), Error> {
        check_message(queue, &body)?;
        check_charge(charge)?;
        if !charge.bounds.is_empty() {
            self.take_room(charge, body.len() as u64).await?;
        }
        self.put_in(queue, body, delay, (&charge.owner, 0)).await
    }

    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error> {
        let mut owners = self.count().await?;
        owners.remove("");
        Ok(owners.into_iter().collect())
    }

    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, Error> {
        self.show_all(owner, self.clock.now().after(beyond)).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        check_queue(queue)?;
        match max.min(RECEIVE_MAX) {
            0 => Ok(Vec::new()),
            max => {
                self.take(queue, max, visibility, Instant::now() + wait)
                    .await
            }
        }
    }

    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<bool, Error> {
        let Some(hold) = self.holds.find(queue, receipt) else {
            return Ok(false);
        };
        let stream = self.stream(&hold.stream);
        let until = Instant::now() + visibility;
        pull::hide(&stream, &hold.reply, visibility).await?;
        self.holds.extend(queue, receipt, until);
        // The server says yes even if another has acknowledged it.
        let there = stream.at(receipt.message).await?.is_some();
        if !there {
            self.holds.remove(queue, receipt.message);
        }
        Ok(there)
    }

    async fn release(&self, queue: &str, receipt: Receipt, delay: Duration) -> Result<bool, Error> {
        if delay <= RELEASED_IN_PLACE_MAX {
            return self.extend(queue, receipt, delay).await;
        }
        let Some(hold) = self.holds.find(queue, receipt) else {
            return Ok(false);
        };
        let stored = self.stream(&hold.stream).at(receipt.message).await?;
        let body = match &stored {
            Some(stored) => self.body(stored).await?,
            None => None,
        };
        match body {
            Some(body) => {
                let again = self.supersede(queue, receipt, body, (delay, receipt.receives));
                again.await
            }
            None => Ok(false),
        }
    }

    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, Error> {
        check_message(queue, &body)?;
        self.supersede(queue, receipt, body, (delay, 0)).await
    }

    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error> {
        self.finish(queue, receipt.message).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        match self.find(queue).await? {
            Some(stream) => self.depth_of(&stream).await,
            None => Ok(Depth::default()),
        }
    }

    async fn peek(&self, queue: &str, limit: usize, bytes: usize) -> Result<Vec<Bytes>, Error> {
        match self.find(queue).await? {
            Some(stream) => self.look(&stream, limit, bytes).await,
            None => Ok(Vec::new()),
        }
    }

    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, Error> {
        match self.find(queue).await? {
            Some(stream) => self.browse_in(&stream, after, limit.min(RECEIVE_MAX)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let all = self.registry.list(&registered(prefix)).await?;
        let named = all.into_iter();
        Ok(named
            .filter_map(|(key, _)| Some(key.strip_prefix("queue/")?.to_owned()))
            .collect())
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, Error> {
        self.delete(queue).await
    }
}
