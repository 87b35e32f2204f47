//! The one way in which every invoke runs: counted, given an environment, and its permit returned.
//!
//! ```text
//!   acquire ─┬─▶ worker ─▶ whole result ─▶ Ran::Whole ─▶ release
//!   lend ────┘        └──▶ stream ─▶ Ran::Stream, pumped ─▶ StreamEvent::End ─▶ release
//! ```
//!
//! Counting and assignment are called at the same time, and nobody waits for a permit's return: a warm
//! invoke costs two round trips, one to those two and one to the worker.
//!
//! Each runs in a task of its own: a function that has begun runs to its end, and counts until then,
//! whether its caller still listens or not.

use std::sync::Arc;
use std::time::Duration;

use admission::Admitted;
use api::counting::Acquire;
use api::worker::{Body, Response as Answer, Stream, StreamEvent};
use bytes::{Bytes, BytesMut};
use records::recursion::RecursiveLoop;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use traces::{Kind, Span};
use types::RequestId;
use types::limits::{INIT_TIMEOUT, SYNC_RESPONSE_BYTES_MAX};
use wire::ApiError;
use wire::lineage::{self, PASSES_MAX};

use crate::answer;
use crate::pace::Pace;
use crate::service::Frontend;

/// Pieces of a streamed result between invoke and body. The socket's buffer is behind it, and the
/// worker's before it.
const PIECES_MAX: usize = 2;
/// A client that reads nothing for this long has gone, whatever the state of its connection.
const STALL_MAX: Duration = Duration::from_secs(60);

/// In which form a result is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// In one piece, whatever the runtime chose.
    Whole,
    /// As it arrives.
    Streamed,
}

/// The result of an invoke.
pub(crate) enum Ran {
    /// A result in one piece. The answer's own body is empty.
    Whole(Answer, Bytes),
    /// A result that has begun.
    Stream {
        /// As the runtime declared it.
        content_type: Option<String>,
        /// The rest of it.
        events: mpsc::Receiver<StreamEvent>,
    },
}

type Told = oneshot::Sender<Result<Ran, ApiError>>;

impl Frontend {
    /// Runs an invoke and returns when its result is available, or has begun.
    pub(crate) async fn start(
        self: &Arc<Self>,
        id: RequestId,
        mut admitted: Admitted,
        delivery: Delivery,
    ) -> Result<Ran, ApiError> {
        let (trace, passes) = lineage::pass(&admitted.trace, &admitted.arn);
        if passes > PASSES_MAX && admitted.found.recursive_loop == RecursiveLoop::Terminate {
            return Err(answer::recursive());
        }
        admitted.trace = trace;
        let mut span = self
            .with
            .tracer
            .begin(&admitted.trace, "invoke", Kind::Internal);
        span.note("faas.invoked_name", &admitted.found.function.name);
        span.note("faas.invocation_id", id);
        let (sender, ran) = oneshot::channel();
        let frontend = Arc::clone(self);
        self.tasks.spawn(async move {
            frontend.run(id, admitted, (delivery, sender), span).await;
        });
        ran.await
            .map_err(|_| ApiError::service("The invoke was lost."))?
    }

    /// Counts, then runs, then returns the permit. Its receiver may have gone.
    async fn run(
        &self,
        id: RequestId,
        admitted: Admitted,
        (delivery, told): (Delivery, Told),
        mut span: Span,
    ) {
        let function = &admitted.found.function;
        let timeout = u64::from(function.configuration.timeout_seconds);
        let lasts = Duration::from_secs(timeout) + INIT_TIMEOUT;
        let scope = function.scope.clone();
        let acquire = Acquire {
            permit: self.permits.id(),
            scope: scope.clone(),
            function: function.name.clone(),
            version: function.configuration.version,
            provisioned: admitted.found.provisioned,
            provisioned_total: admitted.found.provisioned_total,
            reserved: admitted.found.reserved,
            account_limit: self.config.account_concurrency,
            reserved_total: admitted.found.reserved_total,
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            returned: Vec::new(),
        };
        let (permit, warm) = self.count_and_lend(acquire, &admitted.found, &span).await;
        let permit = match permit {
            Ok(permit) => permit.id,
            Err(error) => {
                span.fail(&error);
                drop(told.send(Err(answer::counting(&error))));
                if let Some(lease) = warm {
                    self.give_back(&admitted.found, lease).await;
                }
                // A permit may have been granted although its answer was lost.
                return self.permits.tell(&scope).await;
            }
        };
        let log_tail = admitted.request.log_tail;
        let mut ran = self.attempts(id, admitted, warm, &span).await;
        let body = match &mut ran {
            Ok(answer) => std::mem::replace(&mut answer.body, Body::Full(Bytes::new())),
            Err(_) => Body::Full(Bytes::new()),
        };
        let stream = match body {
            Body::Stream(stream) if delivery == Delivery::Streamed => stream,
            body => {
                let ran = match ran {
                    Ok(answer) => whole(answer, body, log_tail).await,
                    Err(error) => Err(error),
                };
                self.permits.put_back(&scope, permit);
                drop(told.send(ran));
                return self.permits.tell(&scope).await;
            }
        };
        let (events, receiver) = mpsc::channel(PIECES_MAX);
        let content_type = ran.ok().and_then(|answer| answer.content_type);
        let _ = told.send(Ok(Ran::Stream {
            content_type,
            events: receiver,
        }));
        let end = self.pump(stream, events).await;
        self.permits.put_back(&scope, permit);
        let tell_listener = async {
            if let Some((listener, end)) = end {
                // It may have gone.
                let _ = listener.send(end).await;
            }
        };
        tokio::join!(tell_listener, self.permits.tell(&scope));
    }

    /// Passes a stream on, at most at its pace and as fast as it is read; returns its end and where to
    /// send it, if it was not cut off and somebody still listens.
    async fn pump(
        &self,
        mut stream: Stream,
        events: mpsc::Sender<StreamEvent>,
    ) -> Option<(mpsc::Sender<StreamEvent>, StreamEvent)> {
        let mut pace = Pace::new(
            self.config.stream_burst_bytes,
            self.config.stream_bytes_per_second,
        );
        let mut listener = Some(events);
        let mut end = None;
        while let Some(event) = stream.next().await {
            let piece = match event {
                StreamEvent::Piece(piece) => piece,
                StreamEvent::End { .. } => {
                    end = Some(event);
                    break;
                }
            };
            // If nobody listens, the rest is read and dropped: the function runs to its end.
            let Some(events) = &listener else { continue };
            self.metrics.streamed_bytes.inc_by(piece.len() as u64);
            if let Some(until) = pace.next(piece.len(), Instant::now()) {
                tokio::time::sleep_until(until).await;
            }
            let piece = StreamEvent::Piece(piece);
            let sent = tokio::time::timeout(STALL_MAX, events.send(piece)).await;
            if !matches!(sent, Ok(Ok(()))) {
                listener = None;
            }
        }
        listener.zip(end)
    }
}

/// Collects a streamed result for a caller that wants it in one piece, and perhaps the log's end with
/// it. If it is cut off, its outcome is not known.
async fn whole(mut answer: Answer, body: Body, log_tail: bool) -> Result<Ran, ApiError> {
    let mut stream = match body {
        Body::Full(body) => return Ok(Ran::Whole(answer, body)),
        Body::Stream(stream) => stream,
    };
    let mut all = BytesMut::new();
    let mut failure = None;
    let mut ended = false;
    while let Some(event) = stream.next().await {
        match event {
            StreamEvent::Piece(_) if failure.is_some() => {}
            StreamEvent::Piece(piece) if all.len() + piece.len() <= SYNC_RESPONSE_BYTES_MAX => {
                all.extend_from_slice(&piece);
            }
            StreamEvent::Piece(_) => failure = Some(response_too_large()),
            StreamEvent::End { error, log_tail } => {
                failure = failure.or(error.map(|error| error.body));
                answer.log_tail = log_tail;
                ended = true;
            }
        }
        if failure.is_some() && !log_tail {
            // Nobody reads the rest; the function continues.
            break;
        }
    }
    if failure.is_some() {
        answer.failed = true;
    } else if !ended {
        return Err(ApiError::service("The function's environment was lost."));
    }
    let body = failure.unwrap_or_else(|| all.freeze());
    Ok(Ran::Whole(answer, body))
}

fn response_too_large() -> Bytes {
    let message = format!(
        "Response payload size exceeded maximum allowed payload size ({SYNC_RESPONSE_BYTES_MAX} \
         bytes)."
    );
    let error_type = "Function.ResponseSizeTooLarge";
    Bytes::from(format!(
        r#"{{"errorType":"{error_type}","errorMessage":"{message}"}}"#
    ))
}
