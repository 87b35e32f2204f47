//! Invoking a function on behalf of an event: the asynchronous plane runs functions through the
//! frontend, in the same way as synchronous invokes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{FunctionArn, RequestId};

use crate::Kind;
use crate::credentials::Credentials;
use records::functions::FunctionVersion;

/// Asks for one invoke.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Invoke {
    /// The request, the same for every attempt.
    pub request: RequestId,
    /// As the caller named the function.
    pub arn: FunctionArn,
    /// The event, JSON.
    pub payload: Bytes,
    /// `X-Amzn-Trace-Id` of the event, with its lineage.
    pub trace: String,
}

/// What a name resolves to at this moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The version it resolves to.
    pub function: Arc<FunctionVersion>,
    /// The function's reserved concurrency.
    pub reserved: Option<u32>,
}

/// What a function answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The version that ran.
    pub function: Arc<FunctionVersion>,
    /// Whether the function failed; the payload then describes the failure.
    pub failed: bool,
    /// The result.
    pub payload: Bytes,
}

/// Why the function did not run, or its outcome is not known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// What to do about it.
    pub why: Why,
    /// The status that a synchronous caller would receive.
    pub status: u16,
    /// The error's name that a synchronous caller would receive.
    pub code: String,
    /// For display.
    pub message: String,
}

/// See [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Why {
    /// The function, version or alias does not exist.
    NotFound,
    /// The caller is not allowed to do this.
    Denied,
    /// Too many invokes at this moment.
    Throttled,
    /// A recursive loop: the chain of invokes has come back to the function too often.
    Recursive,
    /// Something does not work now and may work later.
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self.why {
            Why::NotFound => Kind::NotFound,
            Why::Throttled => Kind::Throttled,
            Why::Recursive | Why::Denied => Kind::Invalid,
            Why::Unavailable => Kind::Unavailable,
        }
    }
}

/// Runs functions by name.
#[async_trait]
pub trait Invoker: Send + Sync {
    /// What `arn` resolves to now.
    async fn target(&self, arn: &FunctionArn) -> Result<Target, Error>;

    /// Whether the owner of these keys may invoke `arn`, and it exists.
    async fn may_invoke(&self, keys: &Credentials, arn: &FunctionArn) -> Result<(), Error>;

    /// Runs a function, counted as every invoke is, and returns when its result is available. A
    /// repeated call runs it twice. After the future is dropped, the function still runs to its end.
    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, Error>;
}
