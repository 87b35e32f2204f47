//! The worker: creates environments and runs invokes in them.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{EnvironmentId, ForCallers, FunctionArn, Inner, RequestId, Timestamp, WorkerId};

use crate::Kind;
use crate::assignment::LeaseNumber;
use crate::credentials::Credentials;
use records::functions::{FunctionKey, FunctionVersion};

/// Asks for a new environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Create {
    /// The id it gets, made by assignment.
    pub environment: EnvironmentId,
    /// What it runs.
    pub function: Arc<FunctionVersion>,
    /// The role's keys.
    pub credentials: Credentials,
    /// When it must have ended, whether anybody has asked for that or not.
    pub lease_end: Timestamp,
    /// Whether it is a provisioned environment.
    pub ahead: bool,
}

/// Asks for one invoke in an environment lent for it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Invoke {
    /// The environment.
    pub environment: EnvironmentId,
    /// The lease by which it is used. One lease is valid for one invoke.
    pub lease: LeaseNumber,
    /// The request, as its caller and the function see it.
    pub request: RequestId,
    /// As the caller named the function.
    pub invoked_arn: FunctionArn,
    /// The event.
    pub payload: Bytes,
    /// `X-Amz-Client-Context`, decoded JSON.
    pub client_context: Option<String>,
    /// `X-Amzn-Trace-Id` of the invoke.
    pub trace_id: String,
    /// Whether the answer carries the last of the log. The answer then comes only when the invoke has
    /// ended, except for a streamed one.
    pub log_tail: bool,
}

/// What the function answered.
#[derive(Debug)]
pub struct Response {
    /// Whether the function failed, in whatever way; the body then describes the failure. Today's Lambda calls all of
    /// them `Unhandled`.
    pub failed: bool,
    /// As the runtime declared it.
    pub content_type: Option<String>,
    /// The result.
    pub body: Body,
    /// The last 4 KB of the invoke's log, if requested. For a streamed result it comes at the end.
    pub log_tail: Option<Bytes>,
}

/// A result, whole or streamed.
#[derive(Debug)]
pub enum Body {
    /// Whole.
    Full(Bytes),
    /// In pieces; the runtime chose streaming.
    Stream(Stream),
}

/// A result that is still arriving: pieces, then one [`StreamEvent::End`]; without that it was cut off.
/// The reader sets the pace: if it does not read, the function waits. After the stream is dropped, the
/// invoke continues with nobody listening.
pub struct Stream(Pin<Box<dyn futures_core::Stream<Item = StreamEvent> + Send>>);

/// What a streamed result consists of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StreamEvent {
    /// The next bytes.
    Piece(Bytes),
    /// The last event. It comes when the invoke has ended if its log was requested.
    End {
        /// The function failed after it had begun to answer.
        error: Option<StreamError>,
        /// The last 4 KB of the invoke's log, if requested.
        log_tail: Option<Bytes>,
    },
}

impl Stream {
    /// A result of these events.
    pub fn new(events: impl futures_core::Stream<Item = StreamEvent> + Send + 'static) -> Self {
        Self(Box::pin(events))
    }

    /// The next event; `None` after the last one.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        poll_fn(|context| self.0.as_mut().poll_next(context)).await
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(…)")
    }
}

/// A function's failure in the middle of a streamed result.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamError {
    /// `Runtime.…`, `Function.…`.
    pub error_type: String,
    /// The error object, JSON.
    pub body: Bytes,
}

/// Why not. All but [`Error::Internal`] mean that the function did not run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// No such environment, or no longer.
    #[error("{environment} is not here")]
    NotFound {
        /// The environment.
        environment: EnvironmentId,
    },
    /// It runs another invoke: the worker decides who may use an environment.
    #[error("{environment} is busy")]
    Busy {
        /// The environment.
        environment: EnvironmentId,
    },
    /// The worker takes no new environments, or has no room.
    #[error("the worker is full or draining")]
    Full,
    /// The sandbox could not be created.
    #[error("the sandbox could not be created")]
    Sandbox {
        /// Why.
        reason: Inner,
    },
    /// The version's code could not be loaded.
    #[error("the code could not be loaded")]
    Code {
        /// Why.
        reason: Inner,
    },
    /// The function requires something that this worker does not have.
    #[error("{what}")]
    Unsupported {
        /// Which requirement.
        what: Unsupported,
        /// What is missing.
        reason: Inner,
    },
    /// A file system of the function could not be mounted.
    #[error("{0}")]
    FileSystem(FileSystemError),
    /// The init phase of a provisioned environment failed; the environment has ended.
    #[error("the init phase failed: {error_type}")]
    Init {
        /// `Runtime.ExitError`, `Sandbox.Timedout` …
        error_type: String,
    },
    /// The worker cannot be reached: the requested call has certainly not begun.
    #[error("the worker cannot be reached")]
    Unavailable,
    /// The invoke may have begun, and its outcome is not known.
    #[error("the environment was lost while it ran")]
    Internal,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Busy { .. } => Kind::Conflict,
            Self::Full | Self::Unavailable => Kind::Unavailable,
            Self::Unsupported { .. } => Kind::Invalid,
            Self::FileSystem(error) => error.kind(),
            Self::Sandbox { .. } | Self::Code { .. } | Self::Init { .. } | Self::Internal => {
                Kind::Internal
            }
        }
    }
}

/// What a function requires and no worker has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Unsupported {
    /// Its runtime.
    #[error("The runtime {runtime} is not supported here.")]
    Runtime {
        /// Its name.
        runtime: String,
    },
    /// The processor architecture that its code is built for.
    #[error("The architecture {architecture} is not supported here.")]
    Architecture {
        /// As the function names it.
        architecture: String,
    },
}

impl ForCallers for Unsupported {}

/// Why a function does not get one of its file systems.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum FileSystemError {
    /// The worker has none of that name, or its folder is not as it must be.
    #[error("The function could not mount the file system of access point {arn}.")]
    Failure {
        /// The access point.
        arn: String,
    },
    /// Its location cannot be reached.
    #[error("The function could not connect to the file system of access point {arn}.")]
    Connectivity {
        /// The access point.
        arn: String,
    },
    /// It took too long to answer.
    #[error("The function could not mount the file system of access point {arn} in time.")]
    Timeout {
        /// The access point.
        arn: String,
    },
}

impl ForCallers for FileSystemError {}

impl FileSystemError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Failure { .. } => Kind::Invalid,
            Self::Connectivity { .. } | Self::Timeout { .. } => Kind::Unavailable,
        }
    }
}

/// An environment that lives on a worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Living {
    /// The environment.
    pub environment: EnvironmentId,
    /// What it runs.
    pub function: FunctionKey,
    /// Whether it takes no invoke now: it runs one, is still being created, or ends.
    pub busy: bool,
}

/// Runs environments.
#[async_trait]
pub trait Worker: Send + Sync {
    /// Creates an environment and runs its init phase; returns when it takes invokes. An init that
    /// fails is no error here: Lambda runs it again within the first invoke and answers that invoke
    /// with its outcome. For a provisioned environment it is an error: no invoke waits for it. A
    /// repeated call with one id is refused as busy.
    async fn create(&self, request: Create) -> Result<(), Error>;

    /// Runs one invoke. Never runs the function twice by one lease: a call that arrives again, or after
    /// one of a newer lease, is answered that the outcome is not known ([`Error::Internal`]). No
    /// transport may deliver that answer, or any other answer to a repeated call, in place of the first
    /// one's.
    async fn invoke(&self, request: Invoke) -> Result<Response, Error>;

    /// Shuts an environment down, with its shutdown phase. Harmless if it has ended. To be repeated
    /// until it is acknowledged: nobody else ends it.
    async fn destroy(&self, environment: EnvironmentId) -> Result<(), Error>;

    /// The environments that live here. For a new leader, and for the search for those that no leader knows. If a
    /// worker does not answer, nothing is known: its environments may live.
    async fn environments(&self) -> Result<Vec<Living>, Error>;
}

/// Finds workers by id.
pub trait Workers: Send + Sync {
    /// The worker, if it is known.
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>>;
}
