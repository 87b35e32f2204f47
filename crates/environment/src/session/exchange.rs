//! What the worker and a session exchange: who the function is, an event, its answer, and how init ends.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use types::RequestId;

/// What extensions learn about the function.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The function's name.
    pub function_name: String,
    /// `$LATEST` or the number.
    pub function_version: String,
    /// Its handler.
    pub handler: String,
    /// Its account.
    pub account_id: String,
}

/// One invoke, as runtime and extensions receive it.
#[derive(Clone, Debug)]
pub struct InvokeEvent {
    /// The request.
    pub request: RequestId,
    /// When the function's time is over, milliseconds since 1970.
    pub deadline_ms: u64,
    /// As the caller named the function.
    pub invoked_arn: String,
    /// `X-Amzn-Trace-Id`.
    pub trace_id: String,
    /// JSON of `X-Amz-Client-Context`.
    pub client_context: Option<String>,
    /// The event. Not shown to extensions.
    pub payload: Bytes,
}

/// An init attempt under way.
#[derive(Debug)]
pub struct Initialising {
    /// Resolves when every external extension has registered: the runtime is started after that.
    /// At once if there are none; closed when the attempt ends before.
    pub registered: oneshot::Receiver<()>,
    /// Resolves when init ends by the word of those who run. Closed when the session is stopped.
    pub end: oneshot::Receiver<InitEnd>,
}

/// How an init attempt ended by its own word. (It may also end by a process's exit, or by time.)
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InitEnd {
    /// Everybody has asked for the first event.
    Ready,
    /// The runtime or an extension said that it failed.
    Error {
        /// `Runtime.…`, `Extension.…`.
        error_type: String,
        /// The error object.
        body: Bytes,
    },
}

/// What the runtime answered.
#[derive(Debug)]
pub enum Answer {
    /// A result.
    Result {
        /// As the runtime declared it.
        content_type: Option<String>,
        /// The result.
        body: AnswerBody,
    },
    /// The function failed.
    Error {
        /// `Function.…`, `Runtime.…`.
        error_type: String,
        /// The error object.
        body: Bytes,
    },
}

/// A result, whole or as it comes.
#[derive(Debug)]
pub enum AnswerBody {
    /// Whole.
    Full(Bytes),
    /// Piece by piece; ends after at most one error `(type, error object)`.
    Stream(mpsc::Receiver<Result<Bytes, (String, Bytes)>>),
}

/// An invoke under way.
#[derive(Debug)]
pub struct Invoked {
    /// Resolves when the answer comes, or begins to come if it is streamed. Closed without one when
    /// the session is stopped.
    pub answer: oneshot::Receiver<Answer>,
    /// Resolves when the runtime has asked for the next event after its answer. Closed when the
    /// session is stopped.
    pub answered: oneshot::Receiver<Answered>,
    /// Resolves when the answer is whole and everybody waits for the next event. Closed when the
    /// session is stopped.
    pub done: oneshot::Receiver<()>,
    /// Resolves when the runtime has taken the event; closed when the session is stopped.
    pub started: oneshot::Receiver<()>,
}

/// When a runtime did what an invoke takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    /// It began to answer.
    pub began: Instant,
    /// Its answer was whole.
    pub ended: Instant,
}

/// The registered extensions, for logs and for the time a shutdown may take.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extensions {
    /// Name, and the events it subscribed to.
    pub all: Vec<(String, Vec<&'static str>)>,
    /// Whether one of them is a process of its own.
    pub external: bool,
}
