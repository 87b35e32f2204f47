//! Whether this process has started, is ready for requests, or is stopping, and why it is not ready. Pure, but for the
//! channels by which its parts say so.
//!
//! ```text
//!   starting ──▶ started: ready, unless a part says otherwise ──▶ stopping: not ready any more
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

/// What one part says of itself: `Ok`, or why requests are better sent to another process.
pub(crate) type Said = Result<(), String>;

/// See the module. All clones are one.
#[derive(Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    phase: Phase,
    parts: Vec<(&'static str, watch::Receiver<Said>)>,
}

/// How far a process is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    /// It answers no requests yet.
    #[default]
    Starting,
    /// It does.
    Started,
    /// It was told to stop: requests under way are finished.
    Stopping,
}

/// What those who watch it are answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Answer {
    pub(super) ready: bool,
    /// Why not.
    reasons: Vec<Reason>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Reason {
    part: &'static str,
    reason: String,
}

impl Readiness {
    /// Asks a part from now on. One that has gone is no longer asked: it has said all.
    pub(crate) fn ask(&self, part: &'static str, says: watch::Receiver<Said>) {
        self.lock().parts.push((part, says));
    }

    /// Requests are answered from now on.
    pub(crate) fn started(&self) {
        self.lock().phase = Phase::Started;
    }

    /// It was told to stop.
    pub(crate) fn stopping(&self) {
        self.lock().phase = Phase::Stopping;
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    pub(super) fn answer(&self) -> Answer {
        let known = self.lock();
        let phase = match known.phase {
            Phase::Starting => Some("starting"),
            Phase::Started => None,
            Phase::Stopping => Some("stopping"),
        };
        let phase = phase.map(|reason| Reason {
            part: "process",
            reason: reason.to_owned(),
        });
        let parts = known.parts.iter().filter_map(|(part, says)| {
            let reason = says.borrow().as_ref().err()?.clone();
            Some(Reason { part, reason })
        });
        let reasons: Vec<_> = phase.into_iter().chain(parts).collect();
        Answer {
            ready: reasons.is_empty(),
            reasons,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(readiness: &Readiness) -> String {
        serde_json::to_string(&readiness.answer()).unwrap()
    }

    #[test]
    fn a_process_is_ready_from_its_start_to_the_signal_unless_a_part_is_not() {
        let readiness = Readiness::default();
        let (counting, says) = watch::channel(Err("no counting is known".to_owned()));
        readiness.ask("counting", says);
        let counting_is_not = r#"{"part":"counting","reason":"no counting is known"}"#;
        let process = |reason| format!(r#"{{"part":"process","reason":"{reason}"}}"#);
        let not =
            |reasons: &[&str]| format!(r#"{{"ready":false,"reasons":[{}]}}"#, reasons.join(","));
        assert_eq!(
            said(&readiness),
            not(&[&process("starting"), counting_is_not])
        );
        readiness.started();
        assert_eq!(said(&readiness), not(&[counting_is_not]));
        counting.send(Ok(())).unwrap();
        assert_eq!(said(&readiness), r#"{"ready":true,"reasons":[]}"#);
        readiness.stopping();
        assert_eq!(said(&readiness), not(&[&process("stopping")]));
    }
}
