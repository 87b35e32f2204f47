//! Messages that wait to be worked on, once each if all goes well and more than once if not.
//!
//! ```text
//!   send ─▶ (delay) ─▶ visible ─▶ receive ─▶ hidden ─▶ ack: gone
//!                         ▲                    │ release, replace, or its time runs out
//!                         └────────────────────┘
//! ```
//!
//! Delivery is at least once. The receiver of a message holds it until the visibility timeout; a holder
//! whose time ran out is not fenced: its ack still removes the message, even while another works on it,
//! because the work is done. Delays and timeouts are accurate to 250 ms.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// The largest body, bytes: an asynchronous event of 1 MB and what travels with it.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The most messages of one receive.
pub const RECEIVE_MAX: usize = 100;
/// The most bytes of one receive's bodies together: as many as one message may have, so that a receiver
/// knows how much memory it needs.
pub const RECEIVE_BYTES_MAX: usize = BODY_BYTES_MAX;
/// The longest queue name, bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// What a holder presents to prove which delivery of which message it holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Receipt {
    /// The message, unique in its queue.
    pub message: u64,
    /// How often it had been received when this holder got it, this time included.
    pub receives: u32,
}

/// A message, held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Names this delivery.
    pub receipt: Receipt,
    /// Its body.
    pub body: Bytes,
}

/// A message as it is kept, held or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The message, unique in its queue. Later ones have higher numbers.
    pub message: u64,
    /// For whom it is kept.
    pub owner: String,
    /// Its body.
    pub body: Bytes,
    /// After which time it can be received, if nobody holds it. For a held message: at most as long as it is held.
    pub delay: Duration,
}

/// How much a queue holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Depth {
    /// Messages that could be received now.
    pub visible: u64,
    /// Messages that are held or delayed.
    pub hidden: u64,
    /// How long the longest-waiting visible message could have been received already.
    pub oldest: Duration,
}

impl Depth {
    /// All messages.
    pub fn total(self) -> u64 {
        self.visible + self.hidden
    }
}

/// The amount kept for an owner.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// How many messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl Usage {
    /// One message of `bytes` more.
    pub fn with(self, bytes: u64) -> Self {
        Self {
            messages: self.messages.saturating_add(1),
            bytes: self.bytes.saturating_add(bytes),
        }
    }

    /// Whether this does not exceed `most`.
    pub fn fits(self, most: Self) -> bool {
        self.messages <= most.messages && self.bytes <= most.bytes
    }
}

/// The limit for everything whose owner begins with some words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// The owner's first words; empty for everything in the store.
    pub of: String,
    /// Its limit.
    pub most: Usage,
}

/// For whom a message is kept, and what it must not exceed.
///
/// The owner is a path of words, the widest first: `111111111111/us-east-1/f`. What is kept is counted
/// for each beginning of it, exactly, whatever crashes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Charge {
    /// The owner; at most [`NAME_BYTES_MAX`] bytes. Empty for the system itself.
    pub owner: String,
    /// A message that would exceed one of these is refused; so is any message with bounds while the
    /// disk has no room. A message without bounds is the system's own, and always accepted.
    pub bounds: Vec<Bound>,
}

/// The beginnings of an owner's path, starting with the widest, which contains everything.
pub fn beginnings(owner: &str) -> impl Iterator<Item = &str> {
    let ends = owner.match_indices('/').map(|(end, _)| end);
    let whole = (!owner.is_empty()).then_some(owner.len());
    let ends = ends.filter(|end| *end > 0).chain(whole);
    std::iter::once("").chain(ends.map(|end| &owner[..end]))
}

/// Checks the rules for a message that is to be kept.
pub fn check_message(queue: &str, body: &[u8]) -> Result<(), Error> {
    check_queue(queue)?;
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::Invalid {
            what: "message",
            rule: "at most 2 MiB",
        });
    }
    Ok(())
}

/// Checks the rule for whom a message is kept.
pub fn check_charge(charge: &Charge) -> Result<(), Error> {
    match charge.owner.len() <= NAME_BYTES_MAX {
        true => Ok(()),
        false => Err(Error::Invalid {
            what: "owner",
            rule: "at most 200 bytes",
        }),
    }
}

/// Checks the rule for a queue's name.
pub fn check_queue(queue: &str) -> Result<(), Error> {
    let fits = (1..=NAME_BYTES_MAX).contains(&queue.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte);
    if fits && queue.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "queue name",
        rule: "1 to 200 letters, digits, dashes, underscores, slashes and dots",
    })
}

/// Queues by name. A queue comes into being with the first message sent to it.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Puts in a message of the system's own, as [`Queue::send_for`] does.
    async fn send(&self, queue: &str, body: Bytes, delay: Duration) -> Result<(), Error> {
        self.send_for(queue, body, delay, &Charge::default()).await
    }

    /// Puts a message in, which becomes visible after `delay`. Durable on return. A repeated call puts
    /// it in twice. [`Error::Full`] if that would exceed a bound.
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), Error>;

    /// The amount kept for each owner that has something, without the system's own.
    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error>;

    /// Makes those of an owner's messages visible now that would become visible only in more than
    /// `beyond`: longer than anybody holds one. Returns how many; for a large store it takes a while.
    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, Error>;

    /// Takes up to `max` visible messages (at most [`RECEIVE_MAX`], and [`RECEIVE_BYTES_MAX`]), longest
    /// visible first, and hides them for `visibility`. If there is none, waits up to `wait` for one.
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, Error>;

    /// Hides a held message for `visibility` from now. `false` if it is not held by this receipt any
    /// more; another may work on it then.
    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<bool, Error>;

    /// Gives a held message back, to be visible after `delay`. `false` as in [`Queue::extend`].
    async fn release(&self, queue: &str, receipt: Receipt, delay: Duration) -> Result<bool, Error> {
        self.extend(queue, receipt, delay).await
    }

    /// Replaces a held message by `body`, of the same owner, to be visible after `delay`: one of the
    /// two exists at every moment, and after a crash both may. `false` as in [`Queue::extend`], and
    /// nothing was put in.
    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, Error>;

    /// Removes a message that is finished. Durable on return; harmless if it no longer exists.
    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error>;

    /// How much a queue holds. Nothing for a queue that does not exist.
    async fn depth(&self, queue: &str) -> Result<Depth, Error>;

    /// At most `limit` messages, held or not, in the order they were sent, with the first `bytes` of
    /// their bodies: for inspection.
    async fn peek(&self, queue: &str, limit: usize, bytes: usize) -> Result<Vec<Bytes>, Error>;

    /// At most `limit` messages (at most [`RECEIVE_MAX`], and [`RECEIVE_BYTES_MAX`]), held or not, in the order of
    /// their numbers, those after `after`. Nothing is taken. What changes meanwhile may be seen in both of its
    /// states; a message that is there all the time is seen, perhaps under a second, higher number.
    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, Error>;

    /// Names of the queues that begin with `prefix`, in order.
    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Deletes a queue if it is empty. `false` if it is not.
    async fn delete_if_empty(&self, queue: &str) -> Result<bool, Error>;
}
