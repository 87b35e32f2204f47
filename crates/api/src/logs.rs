//! Where functions' log lines go: log groups and streams, as CloudWatch Logs has them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{Scope, Timestamp};

/// One stream of one group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StreamName {
    /// Whose, and where.
    pub scope: Scope,
    /// `/aws/lambda/<function>`, usually.
    pub group: String,
    /// `YYYY/MM/DD/[<version>]<32 hex>`.
    pub stream: String,
}

/// One event: a line, or what a runtime framed as one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogEvent {
    /// When it was received.
    #[serde(rename = "t")]
    pub time: Timestamp,
    /// The text, with its newline if it had one.
    #[serde(rename = "m")]
    pub message: String,
}

/// Keeps log events.
pub trait Logs: Send + Sync {
    /// Takes events for keeping. Returns at once and never fails: logs are best effort, as in
    /// Lambda, and must not slow an invoke. What cannot be kept is counted and reported by the
    /// implementation.
    fn append(&self, stream: &StreamName, events: Vec<LogEvent>);
}

/// Which event: it has the same id while a worker holds it and in the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EventId {
    /// What took it, for one run of it: by chance, so that no two are the same.
    pub taker: u64,
    /// Its number there.
    pub number: u64,
}

/// An event that is not in the store yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recent {
    /// Which.
    pub id: EventId,
    /// The stream, of the group that was asked for.
    pub stream: String,
    /// The event.
    pub event: LogEvent,
}

/// What a worker holds of a group.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Recents {
    /// The earliest, in the order of their times.
    pub events: Vec<Recent>,
    /// Whether there are others, none of them earlier than the last of these: an answer has a bound.
    pub more: bool,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// The worker cannot be reached.
    #[error("the worker cannot be asked for its newest log events")]
    Unavailable,
}

/// Shows what a worker has taken and not stored yet.
#[async_trait]
pub trait RecentLogs: Send + Sync {
    /// The events of a group from a time on. An event is here until it is in the store: one that is looked
    /// for here first and then there is found. Repeating it is harmless.
    async fn recent(&self, scope: &Scope, group: &str, since: Timestamp) -> Result<Recents, Error>;
}
