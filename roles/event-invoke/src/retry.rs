//! What to do with an event after an attempt. Pure.
//!
//! ```text
//!   it ran well             ─▶ over
//!   it failed               ─▶ again in 1 minute, then in 2, then over; sooner over by its settings
//!   it could not run        ─▶ again in 1 s, 2 s, 4 s … 5 min, until it would be too old by then
//!   nothing may run at all  ─▶ over at once, and so is a recursive loop
//!   there is no function    ─▶ as if it had failed: it may be created again
//! ```

use std::time::Duration;

use records::event_invoke::{EVENT_AGE_SECONDS_DEFAULT, RETRY_ATTEMPTS_DEFAULT};
use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::event::{Condition, State};

/// Waits before a failed run is tried again (AWS).
const FAILURE_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The first wait after an event could not run (AWS).
const REFUSAL_WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest one (AWS: 5 minutes).
const REFUSAL_WAIT_MAX: Duration = Duration::from_secs(300);

/// How long a function's events are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// `MaximumRetryAttempts`.
    pub(crate) retries_max: u32,
    /// `MaximumEventAgeInSeconds`.
    pub(crate) age_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            retries_max: RETRY_ATTEMPTS_DEFAULT,
            age_max: Duration::from_secs(EVENT_AGE_SECONDS_DEFAULT.into()),
        }
    }
}

/// How a try ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attempt {
    /// The function ran well.
    Succeeded,
    /// The function ran, and failed.
    Failed,
    /// It could not run now: throttled, or something is not in order.
    Refused,
    /// It may not run at all: its reserved concurrency is 0.
    Stopped,
    /// It comes through a chain that leads back to itself.
    Recursive,
    /// There is no such function any more.
    Gone,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// It is tried again after this.
    Again(Duration),
    /// It is over.
    Over(Condition),
}

/// Whether an event is too old to be tried.
pub(crate) fn is_expired(state: &State, limits: Limits, now: Timestamp) -> bool {
    now.since(state.accepted) >= limits.age_max
}

/// Decides, where `state` counts this try already. `fraction`, in `[0, 1)`, spreads what would
/// otherwise come back all at once.
pub(crate) fn next(
    state: &State,
    limits: Limits,
    attempt: Attempt,
    now: Timestamp,
    fraction: f64,
) -> Next {
    let wait = match attempt {
        Attempt::Succeeded => return Next::Over(Condition::Success),
        Attempt::Stopped => return Next::Over(Condition::ZeroReservedConcurrency),
        Attempt::Recursive => return Next::Over(Condition::RetriesExhausted),
        Attempt::Failed | Attempt::Gone if state.failures > limits.retries_max => {
            return Next::Over(Condition::RetriesExhausted);
        }
        Attempt::Failed | Attempt::Gone => failure_wait(state.failures),
        Attempt::Refused => refusal_wait(state.refusals, fraction),
    };
    let left = limits.age_max.saturating_sub(now.since(state.accepted));
    // It would be too old by then (AWS: of an event that may be 60 s old and is throttled, the record comes
    // half a minute after the event, when the next wait would be 32 s).
    match wait >= left {
        true => Next::Over(Condition::EventAgeExceeded),
        false => Next::Again(wait),
    }
}

fn failure_wait(failures: u32) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    FAILURE_WAITS[index.min(FAILURE_WAITS.len() - 1)]
}

/// Doubles from try to try; at most a tenth is added.
pub(crate) fn refusal_wait(refusals: u32, fraction: f64) -> Duration {
    let doublings = refusals.saturating_sub(1).min(16);
    let wait = REFUSAL_WAIT_MIN
        .saturating_mul(1 << doublings)
        .min(REFUSAL_WAIT_MAX);
    wait.mul_f64(1.0 + fraction.clamp(0.0, 1.0) / 10.0)
        .min(REFUSAL_WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::tests::event;

    fn state(failures: u32, refusals: u32) -> State {
        let mut state = event("{}", 1_000).event.state;
        (state.failures, state.refusals) = (failures, refusals);
        state
    }

    fn check(state: &State, attempt: Attempt, age_secs: u64, expected: Next) {
        let now = state.accepted.after(Duration::from_secs(age_secs));
        assert_eq!(next(state, Limits::default(), attempt, now, 0.0), expected);
    }

    fn again(seconds: u64) -> Next {
        Next::Again(Duration::from_secs(seconds))
    }

    #[test]
    fn a_failure_is_tried_again_after_one_minute_and_after_two() {
        check(&state(1, 0), Attempt::Failed, 0, again(60));
        check(&state(2, 0), Attempt::Failed, 61, again(120));
        check(
            &state(3, 0),
            Attempt::Failed,
            182,
            Next::Over(Condition::RetriesExhausted),
        );
    }

    #[test]
    fn a_function_that_is_gone_may_be_back_in_a_minute() {
        check(&state(1, 0), Attempt::Gone, 0, again(60));
        let over = Next::Over(Condition::RetriesExhausted);
        check(&state(3, 0), Attempt::Gone, 182, over);
    }

    #[test]
    fn a_function_says_how_often() {
        let state = state(1, 0);
        for (retries_max, expected) in
            [(0, Next::Over(Condition::RetriesExhausted)), (1, again(60))]
        {
            let limits = Limits {
                retries_max,
                ..Limits::default()
            };
            assert_eq!(
                next(&state, limits, Attempt::Failed, state.accepted, 0.0),
                expected
            );
        }
    }

    #[test]
    fn refusals_wait_longer_and_longer() {
        let waits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        for (refusals, seconds) in (1..).zip(waits) {
            check(&state(0, refusals), Attempt::Refused, 0, again(seconds));
        }
        check(&state(0, u32::MAX), Attempt::Refused, 0, again(300));
    }

    #[test]
    fn an_event_is_over_when_it_would_be_too_old_at_its_next_try() {
        check(&state(1, 0), Attempt::Failed, 21_539, again(60));
        check(&state(0, 9), Attempt::Refused, 21_343, again(256));
        let over = Next::Over(Condition::EventAgeExceeded);
        check(&state(0, 9), Attempt::Refused, 21_344, over);
        check(&state(1, 0), Attempt::Failed, 21_540, over);
        check(&state(0, 9), Attempt::Refused, 21_600, over);
        check(&state(1, 0), Attempt::Failed, 30_000, over);
        check(
            &state(3, 0),
            Attempt::Failed,
            30_000,
            Next::Over(Condition::RetriesExhausted),
        );
    }

    #[test]
    fn what_cannot_come_right_is_not_tried_again() {
        let over = Next::Over(Condition::RetriesExhausted);
        let stopped = Next::Over(Condition::ZeroReservedConcurrency);
        check(&state(0, 0), Attempt::Stopped, 0, stopped);
        check(&state(0, 0), Attempt::Recursive, 0, over);
        check(
            &state(0, 0),
            Attempt::Succeeded,
            30_000,
            Next::Over(Condition::Success),
        );
    }

    proptest! {
        /// Whatever happens in whatever order, an event is over by its age, and within its retries.
        #[test]
        fn every_event_comes_to_an_end(retries_max in 0_u32..3, age in 60_u64..21_601,
                                       failed in prop::collection::vec(any::<bool>(), 200)) {
            let limits = Limits { retries_max, age_max: Duration::from_secs(age) };
            let mut state = state(0, 0);
            let mut now = state.accepted;
            for failed in failed.into_iter().cycle().take(10_000) {
                let attempt = match failed {
                    true => { state.failures += 1; state.refusals = 0; Attempt::Failed }
                    false => { state.refusals += 1; Attempt::Refused }
                };
                if is_expired(&state, limits, now) {
                    return Ok(());
                }
                match next(&state, limits, attempt, now, 0.5) {
                    Next::Again(wait) => {
                        prop_assert!(wait > Duration::ZERO && wait <= Duration::from_secs(300));
                        now = now.after(wait);
                        prop_assert!(now.since(state.accepted) <= limits.age_max);
                    }
                    Next::Over(condition) => {
                        let exhausted = state.failures > retries_max;
                        prop_assert_eq!(condition == Condition::RetriesExhausted, exhausted);
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "it continues for ever");
        }
    }
}
