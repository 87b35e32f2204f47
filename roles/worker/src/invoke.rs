//! The invoke phase: one event in, one answer out, and the environment free again.
//!
//! The caller has its answer as soon as the runtime gives it; the environment is free when the
//! runtime and all extensions have asked for the next event.

mod streaming;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{self, Event};
use api::worker::{Body, Error, Invoke, Response, StreamError};
use bytes::Bytes;
use environment::{Answer, AnswerBody, InvokeEvent, ShutdownReason};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use traces::{Kind, Span};
use types::RequestId;

use crate::environment::Environment;
use crate::hints::hint;
use crate::outcome::{Cause, Failure};
use crate::platform::Outcome;
use crate::service::Service;

/// One invoke under way.
struct Run {
    environment: Arc<Environment>,
    request: Invoke,
    turn: u64,
    caller: Option<oneshot::Sender<Result<Response, Error>>>,
    /// The answer, kept back until the invoke is over because its caller wants the log with it.
    kept_back: Option<Response>,
    limit: Duration,
    began: Instant,
    init: Option<Duration>,
    /// It was reported to assignment that the environment is idle.
    said_idle: bool,
    /// When the runtime was through, and how the invoke went up to then.
    answered: Option<(Instant, Outcome)>,
    /// Bytes of an answer that came whole.
    produced_bytes: Option<u64>,
    /// While the answer is streamed: where its failure goes.
    stream: Option<oneshot::Sender<StreamError>>,
    /// Where the log's end goes when the answer was streamed.
    tail_of_stream: Option<oneshot::Sender<Bytes>>,
    /// For people, of the function's own error.
    hint: Option<&'static str>,
    span: Span,
}

/// How an invoke ended.
enum End {
    /// It never began.
    Refused,
    /// All went well, or the function reported its own error: the environment lives on.
    Done { error_type: Option<String> },
    /// The environment must be reset.
    Failed(Failure),
}

impl Service {
    /// Runs an invoke whose turn is taken, to its very end.
    pub(crate) async fn run(
        self: Arc<Self>,
        environment: Arc<Environment>,
        turn: u64,
        request: Invoke,
        caller: oneshot::Sender<Result<Response, Error>>,
    ) {
        let limit = environment.timeout();
        let began = Instant::now();
        let init = None;
        let caller = Some(caller);
        let mut span = self
            .with
            .tracer
            .begin(&request.trace_id, "run", Kind::Server);
        span.note("lambent.environment", environment.id);
        span.note("faas.invocation_id", request.request);
        let kept_back = None;
        let mut run = Run {
            environment,
            request,
            turn,
            caller,
            kept_back,
            limit,
            began,
            init,
            said_idle: false,
            answered: None,
            produced_bytes: None,
            stream: None,
            tail_of_stream: None,
            hint: None,
            span,
        };
        if run.request.log_tail {
            run.environment.log.begin_tail();
        }
        let end = self.phases(&mut run).await;
        if let End::Failed(Failure {
            cause: Cause::Body(body),
            ..
        }) = &end
        {
            run.hint = self.look_at(&run, body);
        }
        run.put_down(&end);
        if let Some(sender) = run.tail_of_stream.take()
            && let Some(tail) = run.take_tail()
        {
            // The caller may have gone.
            let _ = sender.send(tail);
        }
        match &end {
            End::Refused => {
                self.metrics.refused.inc();
                let environment = run.environment.id;
                run.answer(Err(Error::Busy { environment }));
            }
            End::Done { error_type } => {
                self.metrics.invokes.inc();
                if error_type.is_some() {
                    self.metrics.function_errors.inc();
                }
            }
            End::Failed(failure) => {
                run.span.fail(&failure.error_type);
                if let Some(reason) = failure.reason_for_log() {
                    let (request_id, environment) = (run.request.request, run.environment.id);
                    tracing::error!(%request_id, %environment, reason, "an environment failed an invoke");
                }
                self.metrics.invokes.inc();
                self.metrics.function_errors.inc();
                let body = failure.body(run.request.request, run.limit);
                // A stream that is complete stays what it is.
                if run.answered.is_none()
                    && let Some(stream) = run.stream.take()
                {
                    let error_type = failure.error_type.clone();
                    let body = body.clone();
                    // The stream may have ended already.
                    let _ = stream.send(StreamError { error_type, body });
                }
                // What the runtime has answered is the answer, whether its caller had it at once or waits for the log.
                let response = run.kept_back.take();
                let log_tail = run.take_tail();
                let response = response.unwrap_or_else(|| failed(body, None));
                run.answer(Ok(Response {
                    log_tail,
                    ..response
                }));
                let timeout = failure.status == "timeout";
                let reason = if timeout {
                    ShutdownReason::Timeout
                } else {
                    ShutdownReason::Failure
                };
                run.environment.end_attempt(reason).await;
            }
        }
        if let Some(response) = run.kept_back.take() {
            let log_tail = run.take_tail();
            run.answer(Ok(Response {
                log_tail,
                ..response
            }));
        }
        self.finish(run, matches!(end, End::Refused)).await;
    }

    /// Init if need be, then the invoke itself.
    async fn phases(self: &Arc<Self>, run: &mut Run) -> End {
        let environment = Arc::clone(&run.environment);
        let (initialised, init) = {
            let mut state = environment.lock();
            (state.initialised, state.init.take())
        };
        run.init = init;
        if let Some(init) = init {
            run.span.took("init", init);
        }
        let deadline_ms = environment.now().after(run.limit).as_millis();
        if environment.is_dead() {
            return End::Refused;
        }
        if !initialised {
            run.put_start();
            let span = run.span.child("init", Kind::Internal);
            let initialised = environment.initialise("invoke", run.limit).await;
            drop(span);
            match initialised {
                Ok(_) => {}
                // That is nobody's failure, and nothing there has seen the event.
                Err(_) if environment.is_dead() => return End::Refused,
                Err(failure) => return End::Failed(failure),
            }
        }
        let invoked = environment.session.begin_invoke(InvokeEvent {
            request: run.request.request,
            deadline_ms,
            invoked_arn: run.request.invoked_arn.to_string(),
            trace_id: run.span.header(&run.request.trace_id).into_owned(),
            client_context: run.request.client_context.take(),
            payload: std::mem::take(&mut run.request.payload),
        });
        // The turn was ours, so only a process that has just ended can be the reason.
        let Ok(invoked) = invoked else {
            return End::Refused;
        };
        let request = run.request.request;
        if !self
            .has_started(&environment, request, invoked.started)
            .await
        {
            return End::Refused;
        }
        if initialised {
            run.put_start();
            run.began = Instant::now();
        }
        let over = run.began + run.limit;
        let error_type = match tokio::time::timeout_at(over, invoked.answer).await {
            Ok(Ok(answer)) => self.pass_on(run, answer).await,
            Ok(Err(_)) => return End::Failed(environment.failure()),
            Err(_) => return End::Failed(Failure::timeout()),
        };
        match tokio::time::timeout_at(over, invoked.answered).await {
            Ok(Ok(answered)) => run.put_answered(answered, error_type.as_deref()),
            Ok(Err(_)) => return End::Failed(environment.failure()),
            Err(_) => return End::Failed(Failure::timeout()),
        }
        match tokio::time::timeout_at(over, invoked.done).await {
            Ok(Ok(())) => End::Done { error_type },
            Ok(Err(_)) => End::Failed(environment.failure()),
            Err(_) => End::Failed(Failure::timeout()),
        }
    }

    /// Waits a little for the runtime to ask, if the invoke before this one is just ending.
    async fn has_started(
        &self,
        environment: &Environment,
        request: RequestId,
        mut started: oneshot::Receiver<()>,
    ) -> bool {
        if started.try_recv().is_ok() {
            return true;
        }
        match tokio::time::timeout(self.config.turn_patience, &mut started).await {
            Ok(started) => started.is_ok(),
            // If it can't be taken back it has started this very moment.
            Err(_) => !environment.session.cancel(request),
        }
    }

    /// A hint at the cause of a failure, if it is examined.
    fn look_at(&self, run: &Run, error: &[u8]) -> Option<&'static str> {
        let looks = run.environment.log.looks_at_failure();
        looks.then(|| hint(error, self.config.way_out)).flatten()
    }

    /// Hands the runtime's answer to the caller; returns the error's type if it is one.
    async fn pass_on(self: &Arc<Self>, run: &mut Run, answer: Answer) -> Option<String> {
        let (response, error_type, whole) = match answer {
            Answer::Error { error_type, body } => {
                run.hint = self.look_at(run, &body);
                (failed(body, None), Some(error_type), true)
            }
            Answer::Result {
                content_type,
                body: AnswerBody::Full(body),
            } => {
                run.produced_bytes = Some(body.len() as u64);
                let body = Body::Full(body);
                (
                    Response {
                        failed: false,
                        content_type,
                        body,
                        log_tail: None,
                    },
                    None,
                    true,
                )
            }
            Answer::Result {
                content_type,
                body: AnswerBody::Stream(pieces),
            } => {
                let (failure, failed) = oneshot::channel();
                run.stream = Some(failure);
                let (sender, log_tail) = oneshot::channel();
                // If it was not asked for, its end is reported at once.
                run.tail_of_stream = run.request.log_tail.then_some(sender);
                let pieces = self.adapt(pieces, failed);
                let body = Body::Stream(streaming::with_end(pieces, log_tail));
                (
                    Response {
                        failed: false,
                        content_type,
                        body,
                        log_tail: None,
                    },
                    None,
                    false,
                )
            }
        };
        // Only a whole answer frees the turn; and with extensions at work the next invoke would
        // wait longer than it is worth.
        if whole && run.environment.session.extensions().all.is_empty() {
            run.environment.answer_turn(run.turn);
            run.said_idle = true;
        }
        if run.request.log_tail && whole {
            run.kept_back = Some(response);
        } else {
            run.answer(Ok(response));
        }
        if run.said_idle {
            self.say_idle(&run.environment);
        }
        error_type
    }

    /// The same stream in the words of the arrow.
    fn adapt(
        &self,
        pieces: mpsc::Receiver<Result<Bytes, (String, Bytes)>>,
        failed: oneshot::Receiver<StreamError>,
    ) -> mpsc::Receiver<Result<Bytes, StreamError>> {
        // The session's channel bounds what waits; this one only passes on.
        let (sender, receiver) = mpsc::channel(1);
        self.tasks.spawn(streaming::pass_on(pieces, failed, sender));
        receiver
    }

    /// Gives the turn back, tells assignment, and freezes what stays idle.
    async fn finish(self: Arc<Self>, run: Run, refused: bool) {
        let end = run.environment.end_turn(refused);
        if run.environment.is_dead() {
            // A sandbox whose init has died cannot be used again.
            self.say(&run.environment, Event::Gone);
            self.remove(run.environment.id).await;
            return;
        }
        // An early report must not be repeated: the environment may be lent again by now. Unless its
        // borrower was refused, and nobody else will report it.
        if end.idle && (end.refused || !run.said_idle) {
            self.say_idle(&run.environment);
        }
        if end.idle {
            self.freeze_soon(run.environment, run.turn);
        }
    }

    fn say_idle(self: &Arc<Self>, environment: &Environment) {
        let seen = environment.seen();
        self.say(environment, Event::Idle { seen });
    }

    pub(crate) fn say(self: &Arc<Self>, environment: &Environment, event: Event) {
        self.report(assignment::Report {
            environment: environment.id,
            function: environment.function.key(),
            event,
        });
    }
}

impl Run {
    /// Answers the caller, who may have gone.
    fn answer(&mut self, answer: Result<Response, Error>) {
        if let Some(caller) = self.caller.take() {
            let _ = caller.send(answer);
        }
    }

    fn take_tail(&self) -> Option<Bytes> {
        self.environment
            .log
            .take_tail()
            .map(Bytes::from)
            .filter(|_| self.request.log_tail)
    }
}

fn failed(body: Bytes, log_tail: Option<Bytes>) -> Response {
    Response {
        failed: true,
        content_type: None,
        body: Body::Full(body),
        log_tail,
    }
}
