//! Events that are invoked later: accepting them, and inspecting those that wait or failed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{FunctionArn, FunctionName, RequestId, Scope, Timestamp};

use crate::Kind;
use records::functions::FunctionVersion;

/// An event whose caller was authenticated and authorised, for a function that exists.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Accept {
    /// The request id, as its caller receives it.
    pub request: RequestId,
    /// As the caller named the function.
    pub arn: FunctionArn,
    /// The event, JSON, byte for byte.
    pub payload: Bytes,
    /// `X-Amzn-Trace-Id` for the function, with its lineage.
    pub trace: String,
    /// The version that `arn` resolves to at this moment, if known: if it has been deleted by the time
    /// the event is to be invoked, its role and its dead-letter target are still used.
    pub function: Option<Arc<FunctionVersion>>,
}

/// A queue, for display.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct QueueView {
    /// Its name.
    pub queue: String,
    /// Events that could be invoked now.
    pub waiting: u64,
    /// Events that are being worked on, or wait for their next attempt.
    pub hidden: u64,
    /// How long the first of the waiting events could have been invoked already, milliseconds.
    pub oldest_ms: u64,
}

/// A function's events, for display.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FunctionView {
    /// Events that have been accepted and are unfinished, as far as the queues were searched.
    pub pending: Vec<EventView>,
    /// Events that finally failed and were sent nowhere else.
    pub failed: Vec<EventView>,
    /// Whether the queues hold more than was searched.
    pub incomplete: bool,
}

/// One event, for display.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventView {
    /// Its request id.
    pub request: RequestId,
    /// As its caller named the function.
    pub arn: String,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// How often it was invoked.
    pub invokes: u32,
    /// The outcome of its last attempt, if it was tried.
    pub last: Option<String>,
    /// Whether it was invoked and only its outcome is still to be delivered.
    pub delivering: bool,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// More events arrive than there is room for.
    #[error("too many events at a time")]
    Full,
    /// The queues cannot be reached.
    #[error("the queues cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Full => Kind::Throttled,
            Self::Unavailable => Kind::Unavailable,
        }
    }
}

/// Keeps events and works on them.
#[async_trait]
pub trait Events: Send + Sync {
    /// Accepts an event. Durable on return; a repeated call invokes it twice.
    async fn accept(&self, event: Accept) -> Result<(), Error>;

    /// All queues.
    async fn queues(&self) -> Result<Vec<QueueView>, Error>;

    /// A function's events.
    async fn function(&self, scope: &Scope, name: &FunctionName) -> Result<FunctionView, Error>;

    /// Puts a function's failed events back, as if they had just been accepted, and returns how many
    /// there were. After a crash in the middle some may exist twice.
    async fn redrive(&self, scope: &Scope, name: &FunctionName) -> Result<u64, Error>;
}
