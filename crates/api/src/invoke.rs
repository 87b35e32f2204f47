//! Invoking a function on behalf of an event: the way by which the asynchronous plane runs functions
//! is the frontend's own, the one of synchronous invokes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{FunctionArn, RequestId};

use crate::Kind;
use crate::credentials::Credentials;
use crate::worker::FunctionError;
use records::functions::FunctionVersion;

/// Asks for one invoke.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Invoke {
    /// The request, the same in every try.
    pub request: RequestId,
    /// As the caller named the function.
    pub arn: FunctionArn,
    /// The event, JSON.
    pub payload: Bytes,
    /// `X-Amzn-Trace-Id` of the event, with its lineage.
    pub trace: String,
}

/// What a name means at this moment.
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
    /// Set when the function failed; the payload then tells how.
    pub function_error: Option<FunctionError>,
    /// The result.
    pub payload: Bytes,
}

/// Why the function did not run, or its outcome is not known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// What is to be done about it.
    pub why: Why,
    /// The status a synchronous caller would be told.
    pub status: u16,
    /// The error's name, as a synchronous caller would be told.
    pub code: String,
    /// For people.
    pub message: String,
}

/// See [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Why {
    /// There is no such function, version or alias.
    NotFound,
    /// Who asks has no right to it.
    Denied,
    /// Too many invokes at this moment.
    Throttled,
    /// The invoke is one pass too many through a chain that comes back to the function.
    Recursive,
    /// Something is not in order that may be so later.
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
    /// What `arn` means now.
    async fn target(&self, arn: &FunctionArn) -> Result<Target, Error>;

    /// Whether whoever has these keys may invoke `arn`, and it is there.
    async fn may_invoke(&self, keys: &Credentials, arn: &FunctionArn) -> Result<(), Error>;

    /// Runs a function, counted as every invoke is, and returns when its result is there. Called
    /// twice, it runs twice. Dropping the future lets the function run to its end.
    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, Error>;
}
