//! Messages that are put in, in the place of others too, and that are done.

use std::time::Duration;

use bytes::Bytes;
use storage::Error;
use storage::queue::{Charge, Receipt};
use tokio::time::Instant;

use super::message::{Envelope, INLINE_BYTES_MAX, counted};
use super::{Queues, pull, registered};
use crate::api::{Outgoing, Published};
use crate::error::Failure;
use crate::stream::Stream;

/// After this time without success it is checked whether the queue still is the same one.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Queues {
    /// Takes room for a message within its bounds.
    pub(super) async fn take_room(&self, charge: &Charge, bytes: u64) -> Result<(), Error> {
        let old = self.bounds.are_old();
        if old {
            self.count().await?;
        }
        if self.bounds.take(charge, bytes) {
            return Ok(());
        }
        // Some may have been acknowledged since.
        if !old {
            self.count().await?;
            if self.bounds.take(charge, bytes) {
                return Ok(());
            }
        }
        Err(Error::Full { what: "a queue" })
    }

    /// Puts a message into a queue, whatever stream that has.
    pub(super) async fn put_in(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        (owner, receives): (&str, u32),
    ) -> Result<(), Error> {
        let id = self.api.id();
        let until = Instant::now() + self.api.patience;
        let visible = self.clock.now().after(delay);
        let mut envelope = Envelope {
            owner: owner.to_owned(),
            bytes: body.len(),
            visible,
            blob: None,
            receives,
        };
        let mut body = body;
        if body.len() > INLINE_BYTES_MAX {
            let blob = format!("queues/{}/{id}", self.prefix);
            self.blobs.put(&blob, body).await?;
            envelope.blob = Some(blob);
            body = Bytes::new();
        }
        loop {
            let stream = self.open(queue).await?;
            let put = self.put_into(&stream, &envelope, &body, (&id, delay)).await;
            // A queue may be deleted as soon as it is empty. Who puts something in looks afterwards whether it still
            // is the queue; who deletes it looks after he has said so whether it still is empty.
            let what = registered(queue);
            let counts = self.registry.confirm(&what, &stream.name).await?;
            match put {
                Ok(()) if counts => return Ok(()),
                Err(failure) if Instant::now() > until => return Err(failure.into()),
                Ok(()) | Err(_) => {}
            }
        }
    }

    async fn put_into(
        &self,
        stream: &Stream,
        envelope: &Envelope,
        body: &Bytes,
        (id, delay): (&str, Duration),
    ) -> Result<(), Failure> {
        let (subject, headers) = envelope.address(&stream.name, id, delay);
        let message = Outgoing {
            subject: &subject,
            id,
            headers,
            body: body.clone(),
        };
        let mut api = stream.api.clone();
        api.patience = api.patience.min(ASK_AGAIN);
        match api.publish(&message).await {
            Published::Stored { .. } => Ok(()),
            Published::Conflict { .. } => Err(Failure::Silence),
            Published::Unknown(failure) => Err(failure),
        }
    }

    /// Puts a body in the place of a held message.
    pub(super) async fn supersede(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        (delay, receives): (Duration, u32),
    ) -> Result<bool, Error> {
        let Some(hold) = self.holds.find(queue, receipt) else {
            return Ok(false);
        };
        let there = self.stream(&hold.stream).at(receipt.message).await?;
        let Some((owner, _)) = there.and_then(|there| counted(&there.subject)) else {
            return Ok(false);
        };
        self.put_in(queue, body, delay, (&owner, receives)).await?;
        self.finish(queue, receipt.message).await?;
        Ok(true)
    }

    /// Removes a message that is done.
    pub(super) async fn finish(&self, queue: &str, message: u64) -> Result<(), Error> {
        let blob = match self.holds.any(queue, message) {
            Some(hold) => {
                let stream = self.stream(&hold.stream);
                pull::done(&stream, &hold.reply).await?;
                self.holds.remove(queue, message);
                self.holds.acknowledge(&hold.stream, message);
                hold.blob
            }
            None => self.strike_out(queue, message).await?,
        };
        match blob {
            Some(blob) => self.blobs.delete(&blob).await,
            None => Ok(()),
        }
    }

    /// Removes a message that was received elsewhere, or long ago.
    async fn strike_out(&self, queue: &str, message: u64) -> Result<Option<String>, Error> {
        let Some(stream) = self.find(queue).await? else {
            return Ok(None);
        };
        let Some(stored) = stream.at(message).await? else {
            return Ok(None);
        };
        stream.remove(message).await?;
        let envelope = Envelope::read(&stored.subject, |name| stored.header(name));
        Ok(envelope.and_then(|envelope| envelope.blob))
    }
}
