//! Events that are to be invoked later: taking them, and looking at those that wait or failed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{FunctionArn, FunctionName, RequestId, Scope, Timestamp};

use crate::Kind;
use records::functions::FunctionVersion;

/// An event whose caller was authenticated and authorised, for a function that is there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Accept {
    /// The request, as its caller is told.
    pub request: RequestId,
    /// As the caller named the function.
    pub arn: FunctionArn,
    /// The event, JSON, byte for byte.
    pub payload: Bytes,
    /// `X-Amzn-Trace-Id` for the function, with its lineage.
    pub trace: String,
    /// The version that `arn` means at this moment, if that is known: should it be gone when the event is
    /// to be invoked, its role and its dead-letter target are still told.
    pub function: Option<Arc<FunctionVersion>>,
}

/// A queue, for people.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct QueueView {
    /// Its name.
    pub queue: String,
    /// Events that could be invoked now.
    pub waiting: u64,
    /// Events that are being worked on, or wait for their next try.
    pub hidden: u64,
    /// For how long the first of the waiting could have been invoked, milliseconds.
    pub oldest_ms: u64,
}

/// A function's events, for people.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FunctionView {
    /// Events that have been accepted and are not done with, as far as looked.
    pub pending: Vec<EventView>,
    /// Events that failed for good and went nowhere else.
    pub failed: Vec<EventView>,
    /// Whether there is more in the queues than was looked at.
    pub incomplete: bool,
}

/// One event, for people.
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
    /// What became of it last, if it was tried.
    pub last: Option<String>,
    /// Whether it was invoked and only its outcome is still to be delivered.
    pub delivering: bool,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// More events are being taken than there is room for.
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
    /// Takes an event. Durable on return; taken twice, it is invoked twice.
    async fn accept(&self, event: Accept) -> Result<(), Error>;

    /// The queues there are.
    async fn queues(&self) -> Result<Vec<QueueView>, Error>;

    /// A function's events.
    async fn function(&self, scope: &Scope, name: &FunctionName) -> Result<FunctionView, Error>;

    /// Puts a function's failed events back, as if they had just been accepted, and says how many
    /// they were. After a crash in the middle some may be there twice.
    async fn redrive(&self, scope: &Scope, name: &FunctionName) -> Result<u64, Error>;
}
