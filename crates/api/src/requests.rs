//! Requests of clients that are no invokes: a frontend takes them, a control plane answers them.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::Origin;

use crate::Kind;

/// A request as it was received, not yet authenticated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// `GET` …
    pub method: String,
    /// The path and the query, as they were signed.
    pub target: String,
    /// In the order in which they came.
    pub headers: Vec<(String, Bytes)>,
    /// The body; empty if it is larger than any request's.
    pub body: Bytes,
    /// How many bytes the body had.
    pub size: u64,
    /// Where it came from.
    pub origin: Option<Origin>,
}

/// What its client is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Response {
    /// HTTP's status.
    pub status: u16,
    /// In the order in which they go.
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// No control plane can be reached, or the one that was did not answer.
    #[error("the control plane cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        Kind::Unavailable
    }
}

/// Answers requests.
#[async_trait]
pub trait Requests: Send + Sync {
    /// Authenticates and answers a request. What has begun is carried out, whether its caller still listens or not.
    async fn answer(&self, request: Request) -> Result<Response, Error>;
}
