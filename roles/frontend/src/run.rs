//! The one way in which every invoke runs: counted, given an environment, counted back.
//!
//! ```text
//!   acquire ─▶ assign ─▶ worker ─▶ whole result ─▶ release ─▶ Ran::Whole
//!                           └────▶ stream ─▶ Ran::Stream, pumped ─▶ release ─▶ StreamEvent::End
//! ```
//!
//! Each runs in a task of its own: a function that has begun runs to its end, and counts until
//! then, whether its caller still listens or not.

use std::sync::Arc;
use std::time::Duration;

use admission::{Admitted, Found};
use api::Kind;
use api::assignment::{Assign, Event, Report};
use api::counting::Acquire;
use api::worker::{Body, FunctionError, Invoke, Response as Answer, Stream, StreamEvent};
use bytes::{Bytes, BytesMut};
use records::recursion::RecursiveLoop;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use types::RequestId;
use types::limits::{INIT_TIMEOUT, SYNC_RESPONSE_BYTES_MAX};
use wire::ApiError;
use wire::lineage::{self, PASSES_MAX};

use crate::answer;
use crate::attempts::Attempts;
use crate::pace::Pace;
use crate::service::Frontend;

/// Pieces of a streamed result between invoke and body. The socket's buffer is behind it, and the
/// worker's before it.
const PIECES_MAX: usize = 2;
/// A client that takes nothing for so long has gone, whatever its connection says.
const STALL_MAX: Duration = Duration::from_secs(60);

/// How a result is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// In one piece, whatever the runtime chose.
    Whole,
    /// As it comes.
    Streamed,
}

/// What an invoke came to.
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
    /// Runs an invoke and returns when its result is there, or has begun.
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
        let (sender, ran) = oneshot::channel();
        let frontend = Arc::clone(self);
        self.tasks.spawn(async move {
            frontend.run(id, admitted, delivery, sender).await;
        });
        ran.await
            .map_err(|_| ApiError::service("The invoke was lost."))?
    }

    /// Counts, then runs, then counts back. Whom it tells may have gone.
    async fn run(&self, id: RequestId, admitted: Admitted, delivery: Delivery, told: Told) {
        let function = &admitted.found.function;
        let timeout = u64::from(function.configuration.timeout_seconds);
        let lasts = Duration::from_secs(timeout) + INIT_TIMEOUT;
        let permit = self.with.counting.acquire(Acquire {
            scope: function.scope.clone(),
            function: function.name.clone(),
            version: function.configuration.version,
            provisioned: admitted.found.provisioned,
            provisioned_total: admitted.found.provisioned_total,
            reserved: admitted.found.reserved,
            account_limit: self.config.account_concurrency,
            reserved_total: admitted.found.reserved_total,
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
        });
        let permit = match permit.await {
            Ok(permit) => permit,
            Err(error) => return drop(told.send(Err(answer::counting(&error)))),
        };
        let log_tail = admitted.request.log_tail;
        let mut ran = self.attempts(id, admitted).await;
        let body = match &mut ran {
            Ok(answer) => std::mem::replace(&mut answer.body, Body::Full(Bytes::new())),
            Err(_) => Body::Full(Bytes::new()),
        };
        let stream = match body {
            Body::Stream(stream) if delivery == Delivery::Streamed => stream,
            body => {
                let ran = match ran {
                    Ok(answer) => Ok(whole(answer, body, log_tail).await),
                    Err(error) => Err(error),
                };
                // If it is not taken back it lapses.
                let _ = self.with.counting.release(permit).await;
                return drop(told.send(ran));
            }
        };
        let (events, receiver) = mpsc::channel(PIECES_MAX);
        let content_type = ran.ok().and_then(|answer| answer.content_type);
        let _ = told.send(Ok(Ran::Stream {
            content_type,
            events: receiver,
        }));
        let end = self.pump(stream, events).await;
        let _ = self.with.counting.release(permit).await;
        if let Some((listener, end)) = end {
            let _ = listener.send(end).await;
        }
    }

    /// Passes a stream on, no faster than it may go and than it is read; returns its end and where to send it, if
    /// it was not broken off and anybody still listens.
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
            // With nobody listening the rest is read and dropped: the function runs to its end.
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

    /// Runs the invoke in an environment; in another one if the first did not run it.
    async fn attempts(&self, id: RequestId, admitted: Admitted) -> Result<Answer, ApiError> {
        let mut attempts = Attempts::new(Instant::now());
        while let Some(pause) = attempts.next(Instant::now()) {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let account = &admitted.found.function.scope.account;
            let place = self.starts.place(account).await;
            if let Some(ran) = place.during(self.attempt(id, &admitted)).await {
                return ran;
            }
            self.metrics.reassigned.inc();
        }
        tracing::warn!(request_id = %id, "every environment lent for an invoke was busy or gone");
        Err(ApiError::unavailable())
    }

    /// Finds an environment and runs the invoke there. `None` if that certainly did not run it.
    async fn attempt(
        &self,
        id: RequestId,
        admitted: &Admitted,
    ) -> Option<Result<Answer, ApiError>> {
        let Admitted {
            arn,
            found,
            request,
            trace,
        } = admitted;
        let assign = Assign {
            function: Arc::clone(&found.function),
            zone: self.config.zone.clone(),
        };
        let lease = match self.with.assignment.assign(assign).await {
            Ok(lease) => lease,
            Err(error) => {
                let (told, reason) = (&error as &dyn std::error::Error, error.reason_for_log());
                // What the function asks for is its owner's affair, the rest the operator's.
                match error.kind() {
                    Kind::Invalid => {
                        tracing::info!(request_id = %id, error = told, reason, "a function cannot be run here");
                    }
                    _ => {
                        tracing::warn!(request_id = %id, error = told, reason, "no environment for an invoke");
                    }
                }
                return Some(Err(answer::assignment(&error)));
            }
        };
        if lease.cold {
            self.metrics.cold_starts.inc();
        }
        let Some(worker) = self.with.workers.worker(lease.worker) else {
            self.lost(found, lease.environment).await;
            return None;
        };
        let invoke = Invoke {
            environment: lease.environment,
            request: id,
            invoked_arn: arn.clone(),
            payload: request.payload.clone(),
            client_context: request.client_context.clone(),
            trace_id: trace.clone(),
            log_tail: request.log_tail,
        };
        match worker.invoke(invoke).await {
            Ok(answer) => Some(Ok(answer)),
            // If it is busy, it will say itself when it is idle.
            Err(api::worker::Error::Busy { .. } | api::worker::Error::Unavailable) => None,
            Err(api::worker::Error::NotFound { .. }) => {
                self.lost(found, lease.environment).await;
                None
            }
            Err(error) => {
                tracing::error!(request_id = %id, error = &error as &dyn std::error::Error,
                    "an invoke was lost");
                let lost = ApiError::service("The function's environment was lost.");
                Some(Err(lost))
            }
        }
    }

    async fn lost(&self, found: &Found, environment: types::EnvironmentId) {
        let function = found.function.key();
        let report = Report {
            environment,
            function,
            event: Event::Gone,
        };
        // Not heard, it is taken for lost when it has been lent for longer than any invoke lasts.
        let _ = self.with.assignment.report(report).await;
    }
}

/// Collects a streamed result for a caller who wants it in one piece, and perhaps the log's end with it.
async fn whole(mut answer: Answer, body: Body, log_tail: bool) -> Ran {
    let mut stream = match body {
        Body::Full(body) => return Ran::Whole(answer, body),
        Body::Stream(stream) => stream,
    };
    let mut all = BytesMut::new();
    let mut failure = None;
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
            }
        }
        if failure.is_some() && !log_tail {
            // Nobody reads the rest; the function goes on.
            break;
        }
    }
    if failure.is_some() {
        answer.function_error = Some(FunctionError::Unhandled);
    }
    Ran::Whole(answer, failure.unwrap_or_else(|| all.freeze()))
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
