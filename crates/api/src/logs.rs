//! Where functions' log lines go: log groups and streams, as CloudWatch Logs has them.

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
