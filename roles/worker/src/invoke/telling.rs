//! What an invoke puts into the log and sends to subscribers.

use std::time::Duration;

use environment::Answered;
use tokio::time::Instant;
use types::Timestamp;

use super::{End, Run};
use crate::platform::{Event, Outcome, RuntimeDone};
use crate::report::Report;

impl Run {
    pub(super) fn put_start(&self) {
        let start = Event::Start {
            request: self.request.request,
            version: self.environment.function.configuration.version,
            trace_id: self.request.trace_id.clone(),
        };
        self.environment.log.platform([start]);
    }

    /// The runtime is through; its extensions may not be.
    pub(super) fn put_answered(&mut self, answered: Answered, error_type: Option<&str>) {
        let outcome = match error_type {
            None => Outcome::success(),
            Some(error_type) => Outcome {
                status: "error",
                error_type: Some(error_type.to_owned()),
            },
        };
        let now = Instant::now();
        let between = |from: Instant, to: Instant| to.saturating_duration_since(from);
        let at = |instant| self.at(instant);
        let Answered { began, ended } = answered;
        let spans = vec![
            (
                "responseLatency",
                at(self.began),
                between(self.began, began),
            ),
            ("responseDuration", at(began), between(began, ended)),
            ("runtimeOverhead", at(ended), between(ended, now)),
        ];
        self.environment
            .log
            .platform([Event::RuntimeDone(RuntimeDone {
                request: self.request.request,
                outcome: outcome.clone(),
                duration: between(self.began, now),
                produced_bytes: self.produced_bytes,
                spans,
            })]);
        self.answered = Some((now, outcome));
    }

    /// The last lines of the invoke's log.
    pub(super) fn put_down(&self, end: &End) {
        let request = self.request.request;
        let log = &self.environment.log;
        let duration = self.began.elapsed().min(self.limit);
        let outcome = match (end, &self.answered) {
            (End::Refused, _) => return,
            (End::Done { .. }, Some((_, outcome))) => outcome.clone(),
            (End::Done { .. }, None) => Outcome::success(),
            (End::Failed(failure), answered) => {
                let outcome = failure.outcome();
                if let Some(line) = failure.log_line(request, self.limit, self.environment.now()) {
                    log.platform([Event::Fault(line)]);
                }
                if answered.is_none() {
                    log.platform([Event::RuntimeDone(RuntimeDone {
                        request,
                        outcome: outcome.clone(),
                        duration,
                        produced_bytes: None,
                        spans: Vec::new(),
                    })]);
                }
                outcome
            }
        };
        if let Some(hint) = self.hint {
            log.hint(hint);
        }
        let report = Report {
            request,
            duration,
            memory_mb: self.environment.function.configuration.memory_mb,
            peak_bytes: self.environment.sandbox.memory_peak_bytes(),
            init: self.init,
            outcome,
            extensions: self.extensions_went_on(),
        };
        log.platform([Event::End(request), Event::Report(report)]);
    }

    /// Since when and how long extensions have gone on after the runtime, if there are some.
    fn extensions_went_on(&self) -> Option<(Timestamp, Duration)> {
        let (since, _) = self.answered.as_ref()?;
        let any = !self.environment.session.extensions().all.is_empty();
        any.then(|| (self.at(*since), since.elapsed()))
    }

    /// The time of an instant that has passed.
    fn at(&self, instant: Instant) -> Timestamp {
        let ago = u64::try_from(instant.elapsed().as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.environment.now().as_millis().saturating_sub(ago))
    }
}
