//! What the writer of queues is asked for, and what each command is answered.

use std::time::Duration;

use bytes::Bytes;
use storage::Error;
use storage::queue::{Charge, Message, Receipt};
use tokio::sync::oneshot;
use types::Timestamp;

use crate::sqlite::commit::Reply;

/// What the writer is asked for.
pub(super) enum Command {
    Send {
        queue: String,
        body: Bytes,
        visible_from: Timestamp,
        charge: Charge,
        reply: Reply<()>,
    },
    /// Shows messages now that are seen only then.
    Show {
        messages: Vec<i64>,
        late: Timestamp,
        reply: Reply<u64>,
    },
    Receive {
        queue: String,
        max: usize,
        visibility: Duration,
        /// Whether it waits if there is nothing.
        waits: bool,
        reply: Reply<Taken>,
    },
    Extend {
        queue: String,
        receipt: Receipt,
        now: Timestamp,
        visible_from: Timestamp,
        reply: Reply<bool>,
    },
    Replace {
        queue: String,
        receipt: Receipt,
        now: Timestamp,
        body: Bytes,
        visible_from: Timestamp,
        reply: Reply<bool>,
    },
    Ack {
        queue: String,
        message: u64,
        reply: Reply<()>,
    },
    /// Nothing by itself, but acks go along.
    TakeAcks,
    DeleteIfEmpty {
        queue: String,
        reply: Reply<bool>,
    },
}

/// What a receive found.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) messages: Vec<Message>,
    /// If there were none: when the first one is visible.
    pub(super) next: Option<Timestamp>,
    /// If it waits: where the messages will come.
    pub(super) later: Option<oneshot::Receiver<Vec<Message>>>,
}

/// What became of a command.
pub(super) enum Outcome {
    Done,
    /// Nothing was written: there is no room.
    Full,
    /// The number of changed messages.
    Count(u64),
    /// Whether it was as the command expects.
    Held(bool),
    Taken(Taken),
}

/// Answers a command. Returns the messages that it took for a receiver who has left meanwhile.
pub(super) fn answer(command: Command, outcome: Outcome) -> Option<(String, Vec<Message>)> {
    match (command, outcome) {
        (Command::Receive { reply, queue, .. }, Outcome::Taken(taken)) => {
            let left = reply.send(Ok(taken)).err()?.ok()?;
            return (!left.messages.is_empty()).then_some((queue, left.messages));
        }
        (Command::Receive { reply, .. }, _) => drop(reply.send(Ok(Taken::default()))),
        (Command::TakeAcks, _) => {}
        (Command::Send { reply, .. }, Outcome::Full) => {
            drop(reply.send(Err(Error::Full { what: "a queue" })));
        }
        (Command::Show { reply, .. }, Outcome::Count(count)) => drop(reply.send(Ok(count))),
        (Command::Show { reply, .. }, _) => drop(reply.send(Ok(0))),
        (Command::Send { reply, .. } | Command::Ack { reply, .. }, _) => drop(reply.send(Ok(()))),
        (
            Command::Extend { reply, .. }
            | Command::Replace { reply, .. }
            | Command::DeleteIfEmpty { reply, .. },
            outcome,
        ) => drop(reply.send(Ok(matches!(outcome, Outcome::Held(true))))),
    }
    None
}

impl Command {
    /// Answers it with an error: nothing was written.
    pub(super) fn fail(self, error: Error) {
        match self {
            Self::Send { reply, .. } | Self::Ack { reply, .. } => drop(reply.send(Err(error))),
            Self::Receive { reply, .. } => drop(reply.send(Err(error))),
            Self::TakeAcks => {}
            Self::Show { reply, .. } => drop(reply.send(Err(error))),
            Self::Extend { reply, .. }
            | Self::Replace { reply, .. }
            | Self::DeleteIfEmpty { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
