//! One journal: where its tail is, and what is done at it.

use std::sync::Mutex;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use storage::{Appended, Position, Record};

use super::frame::{self, Frame};
use crate::api::{Outgoing, Pauses, Published};
use crate::error::Failure;
use crate::stream::Stream;

/// Messages that are asked for at a time.
const READ_AT_ONCE: usize = 32;

pub(super) struct Partition {
    stream: Stream,
    subject: String,
    /// As it was last seen. It may have moved since; the server knows.
    last: Mutex<Option<Tail>>,
}

/// The last message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Its place in the stream; 0 if there is none.
    sequence: u64,
    /// The position after the last record.
    pub(super) next: u64,
    /// The position of the first record that is kept.
    trimmed: u64,
}

/// What became of a message of ours, as the stream shows.
enum Fate {
    Written,
    /// Another is in its place.
    Overtaken,
    /// Nothing is there, yet.
    Open,
}

pub(super) fn subject(stream: &str) -> String {
    format!("{stream}.log")
}

impl Partition {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            subject: subject(&stream.name),
            stream,
            last: Mutex::default(),
        }
    }

    /// The tail as the stream's leader has it.
    pub(super) async fn tail(&self) -> Result<Tail, Failure> {
        let tail = match self.stream.last(&self.subject).await? {
            Some(message) => {
                let frame = frame::decode(message.body)?;
                Tail {
                    sequence: message.sequence,
                    next: frame.next(),
                    trimmed: frame.trimmed,
                }
            }
            None => Tail {
                sequence: 0,
                next: 0,
                trimmed: 0,
            },
        };
        self.see(tail);
        Ok(tail)
    }

    fn see(&self, tail: Tail) {
        let last = self.last.lock();
        let mut last = last.expect("nothing panics while it holds this lock");
        if last.is_none_or(|last| last.sequence < tail.sequence) {
            *last = Some(tail);
        }
    }

    fn seen(&self) -> Option<Tail> {
        let last = self.last.lock();
        *last.expect("nothing panics while it holds this lock")
    }

    async fn write(&self, id: &str, tail: Tail, trimmed: u64, records: &[Bytes]) -> Published {
        let mut headers = HeaderMap::new();
        headers.insert(
            "Nats-Expected-Last-Sequence",
            tail.sequence.to_string().as_str(),
        );
        let message = Outgoing {
            subject: &self.subject,
            id,
            headers,
            body: frame::encode(tail.next, trimmed, records),
        };
        let published = self.stream.api.publish(&message).await;
        if let Published::Stored { sequence } = published {
            self.see(Tail {
                sequence,
                next: tail.next + records.len() as u64,
                trimmed,
            });
        }
        published
    }

    /// What has become of the message that was to come after `tail`.
    async fn fate(&self, id: &str, tail: Tail) -> Result<Fate, Failure> {
        match self.stream.next(tail.sequence + 1, &self.subject).await? {
            Some(message) if message.header("Nats-Msg-Id") == Some(id) => Ok(Fate::Written),
            // Ours may have been there, and purged.
            Some(message) if message.sequence > tail.sequence + 1 => Err(Failure::Silence),
            Some(_) => Ok(Fate::Overtaken),
            None => Ok(Fate::Open),
        }
    }

    pub(super) async fn append(&self, expected: Position, records: &[Bytes]) -> Appended {
        let appended = self.try_append(expected, records).await;
        appended.unwrap_or_else(|failure| {
            tracing::warn!(stream = self.stream.name, %failure, "an append's outcome is unknown");
            Appended::Unknown
        })
    }

    async fn try_append(&self, expected: Position, records: &[Bytes]) -> Result<Appended, Failure> {
        let id = self.stream.api.id();
        let mut pauses = Pauses::new(self.stream.api.patience);
        // A question is for the leader; and who is not at the tail as it was seen may be right.
        let mut tail = match self.seen() {
            Some(seen) if seen.next == expected.0 && !records.is_empty() => seen,
            _ => self.tail().await?,
        };
        loop {
            if tail.next != expected.0 {
                let next = Position(tail.next);
                return Ok(Appended::Fenced { next });
            }
            let next = Position(tail.next + records.len() as u64);
            if records.is_empty() {
                return Ok(Appended::Done { next });
            }
            let published = self.write(&id, tail, tail.trimmed, records).await;
            let (doubted, unknown) = match published {
                Published::Stored { .. } => return Ok(Appended::Done { next }),
                Published::Conflict { doubted } => (doubted, None),
                Published::Unknown(failure) => (true, Some(failure)),
            };
            if doubted {
                match (self.fate(&id, tail).await?, unknown) {
                    (Fate::Written, _) => return Ok(Appended::Done { next }),
                    // It may come yet.
                    (Fate::Open, Some(failure)) => return Err(failure),
                    (Fate::Overtaken | Fate::Open, _) => {}
                }
            }
            // The tail moved: another leader, or a mark, after which we are still at the tail.
            tail = self.tail().await?;
            if tail.next == expected.0 && !pauses.pause().await {
                return Err(Failure::Silence);
            }
        }
    }

    pub(super) async fn read(&self, from: Position, limit: usize) -> Result<Vec<Record>, Failure> {
        let tail = self.tail().await?;
        let from = from.0.max(tail.trimmed);
        let mut records = Vec::new();
        if from >= tail.next || limit == 0 {
            return Ok(records);
        }
        let first = self.find(from, tail).await?;
        let ask = |sequence| async move { self.frame(sequence).await };
        let asked = stream::iter(first..=tail.sequence).map(ask);
        let mut frames = asked.buffered(READ_AT_ONCE);
        while let Some(frame) = frames.try_next().await? {
            let Some(frame) = frame else {
                // Purged meanwhile, and with it all before.
                records.clear();
                continue;
            };
            let positions = (frame.first..).map(Position);
            let found = positions.zip(frame.records);
            let wanted = found.filter(|(position, _)| position.0 >= from);
            records.extend(wanted.map(|(position, bytes)| Record { position, bytes }));
            if records.len() >= limit {
                records.truncate(limit);
                break;
            }
        }
        Ok(records)
    }

    async fn frame(&self, sequence: u64) -> Result<Option<Frame>, Failure> {
        let message = self.stream.at(sequence).await?;
        message
            .map(|message| frame::decode(message.body))
            .transpose()
    }

    /// The place of the message with the record at `position`, which is before the tail: of all messages that begin
    /// no later, the last.
    async fn find(&self, position: u64, tail: Tail) -> Result<u64, Failure> {
        let mut low = self.stream.state().await?.first_seq;
        let mut high = tail.sequence;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.frame(middle).await? {
                Some(frame) if frame.first > position => high = middle - 1,
                // What is purged was before.
                Some(_) | None => low = middle,
            }
        }
        Ok(low)
    }

    pub(super) async fn trim(&self, before: Position) -> Result<(), Failure> {
        let mut pauses = Pauses::new(self.stream.api.patience);
        let (before, mark, tail) = loop {
            let tail = self.tail().await?;
            let before = before.0.min(tail.next);
            if before <= tail.trimmed {
                return Ok(());
            }
            match self.write(&self.stream.api.id(), tail, before, &[]).await {
                Published::Stored { sequence } => break (before, sequence, tail),
                Published::Unknown(failure) => return Err(failure),
                Published::Conflict { .. } if pauses.pause().await => {}
                Published::Conflict { .. } => return Err(Failure::Silence),
            }
        };
        // The mark stays, whatever it leaves.
        let keep = match before == tail.next {
            true => mark,
            false => self.find(before, tail).await?,
        };
        self.stream.purge_before(keep).await
    }
}
