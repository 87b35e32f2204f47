//! Messages that are taken out, and held.

use std::time::Duration;

use futures_util::future::join_all;
use storage::Error;
use storage::queue::{Message, RECEIVE_BYTES_MAX, Receipt};
use tokio::time::{Instant, sleep, timeout_at};

use super::held::Hold;
use super::message::Envelope;
use super::pull::{self, Pulled};
use super::{Queues, registered};
use crate::api::Pauses;
use crate::error::Failure;
use crate::stream::Stream;

/// How often a queue that seems to have nothing is read again, if its consumer may be behind its stream.
const LOOKS: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Queues {
    /// Takes messages: those there are, or the first that comes until the deadline.
    pub(super) async fn take(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        deadline: Instant,
    ) -> Result<Vec<Message>, Error> {
        let mut pauses = Pauses::new(self.api.patience);
        let mut looks = LOOKS;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(stream) = self.find(queue).await? else {
                if left.is_zero() {
                    return Ok(Vec::new());
                }
                self.wait_for(queue, deadline).await?;
                continue;
            };
            let pulled = match self.pull(&stream, max, left).await {
                Ok(pulled) => pulled,
                Err(failure) => {
                    // The queue may have been deleted, or be another by now.
                    self.registry.find_now(&registered(queue)).await?;
                    match failure.passes() && pauses.pause().await {
                        true => continue,
                        false => return Err(failure.into()),
                    }
                }
            };
            if pulled.is_empty() && left.is_zero() && looks > 0 && self.is_late(&stream).await? {
                looks -= 1;
                sleep(LOOK_AGAIN).await;
                continue;
            }
            let held = self.hold(queue, &stream, pulled, visibility).await?;
            if !held.is_empty() || left.is_zero() {
                return Ok(held);
            }
        }
    }

    async fn pull(
        &self,
        stream: &Stream,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Pulled>, Failure> {
        let mut pulled = pull::pull(stream, max, Duration::ZERO).await?;
        if pulled.is_empty() && !wait.is_zero() {
            pulled = pull::pull(stream, 1, wait).await?;
            if !pulled.is_empty() && max > 1 {
                pulled.extend(pull::pull(stream, max - 1, Duration::ZERO).await?);
            }
        }
        Ok(pulled)
    }

    /// Waits until there is such a queue.
    async fn wait_for(&self, queue: &str, deadline: Instant) -> Result<(), Error> {
        let what = registered(queue);
        let mut watch = self.registry.watch(&what).await?;
        if self.registry.find_now(&what).await?.is_some() {
            return Ok(());
        }
        // What is there, and that this was all, is told first.
        while let Ok(Some(change)) = timeout_at(deadline, watch.recv()).await {
            if matches!(change, storage::Change::Put(row) if row.key == what) {
                return Ok(());
            }
        }
        sleep(Duration::from_millis(1)).await;
        Ok(())
    }

    /// Holds what was taken. What is more than a receive may have goes back.
    async fn hold(
        &self,
        queue: &str,
        stream: &Stream,
        pulled: Vec<Pulled>,
        visibility: Duration,
    ) -> Result<Vec<Message>, Error> {
        let mut bytes = 0;
        let mut full = false;
        let mut kept = Vec::new();
        for (number, pulled) in pulled.into_iter().enumerate() {
            let envelope = read(&pulled);
            bytes += envelope.as_ref().map_or(0, |envelope| envelope.bytes);
            full |= number > 0 && bytes > RECEIVE_BYTES_MAX;
            match envelope {
                Some(envelope) if !full => kept.push((envelope, pulled)),
                Some(_) => pull::hide(stream, &pulled.reply, Duration::ZERO).await?,
                None => tracing::warn!(queue, "somebody else has written into the queue's stream"),
            }
        }
        let held = kept.into_iter().map(|(envelope, pulled)| async {
            let until = Instant::now() + visibility;
            pull::hide(stream, &pulled.reply, visibility).await?;
            self.hand_over(queue, stream, (envelope, pulled), until)
                .await
        });
        let held: Vec<Result<_, Error>> = join_all(held).await;
        held.into_iter().filter_map(Result::transpose).collect()
    }

    async fn hand_over(
        &self,
        queue: &str,
        stream: &Stream,
        (envelope, pulled): (Envelope, Pulled),
        until: Instant,
    ) -> Result<Option<Message>, Error> {
        let receipt = Receipt {
            message: pulled.place.sequence,
            receives: pulled.place.deliveries + envelope.receives,
        };
        let body = match &envelope.blob {
            Some(blob) => self.blobs.get(blob).await?,
            None => Some(pulled.message.payload.clone()),
        };
        let Some(body) = body else {
            // Acknowledged while it was delivered again; else its blob is lost.
            tracing::warn!(queue, blob = envelope.blob, "a message without its body");
            return Ok(None);
        };
        let hold = Hold {
            stream: stream.name.clone(),
            reply: pulled.reply,
            blob: envelope.blob,
            receives: receipt.receives,
            until,
        };
        self.holds.add(queue, receipt.message, hold);
        Ok(Some(Message { receipt, body }))
    }
}

fn read(pulled: &Pulled) -> Option<Envelope> {
    let headers = pulled.message.headers.as_ref()?;
    let header = |name: &str| headers.get(name).map(|value| value.as_str());
    Envelope::read(&pulled.message.subject, header)
}
