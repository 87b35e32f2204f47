//! For how long an invoke that certainly did not run is given other environments. Pure.

use std::time::Duration;

use tokio::time::Instant;
use types::Backoff;

/// The time for all attempts. When processors are short, an environment can be lent long before its
/// runtime gets to ask for another event; its invoke then goes to the next one, however often that
/// happens. And within this time somebody else leads a partition whose leader has died: leases have terms of some
/// seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many attempts follow each other without a pause.
const STRAIGHT: u32 = 8;
/// Then there is a pause before each.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// The pauses while nobody can be asked. Longer: a call that was lost may have lent an environment.
const NOBODY_MIN: Duration = Duration::from_millis(20);
const NOBODY_MAX: Duration = Duration::from_millis(500);

/// The attempts of one invoke.
pub(crate) struct Attempts {
    over: Instant,
    made: u32,
    pauses: Backoff,
    nobody: Backoff,
}

/// Why an invoke has not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotRun {
    /// Its environment was busy or gone.
    Environment,
    /// Nobody leads the function's partition at the moment, or it is not known yet where its worker is.
    Nobody,
}

impl Attempts {
    /// The attempts of an invoke that begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            over: now + PATIENCE,
            made: 0,
            pauses: Backoff::new(PAUSE_MIN, PAUSE_MAX),
            nobody: Backoff::new(NOBODY_MIN, NOBODY_MAX),
        }
    }

    /// The pause before the next attempt, after one that did not run; `None` if there is to be none.
    pub(crate) fn after(&mut self, now: Instant, why: NotRun) -> Option<Duration> {
        if now >= self.over {
            return None;
        }
        if why == NotRun::Nobody {
            return Some(self.nobody.pause());
        }
        self.made += 1;
        match self.made < STRAIGHT {
            true => Some(Duration::ZERO),
            false => Some(self.pauses.pause()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoke_that_finds_busy_environments_goes_on_until_its_time_is_over() {
        let began = Instant::now();
        let mut attempts = Attempts::new(began);
        let mut now = began;
        let mut made = 0;
        while let Some(pause) = attempts.after(now, NotRun::Environment) {
            // As long as a worker waits for a runtime that does not ask.
            now += pause + Duration::from_millis(3);
            made += 1;
            assert!(pause <= PAUSE_MAX);
        }
        assert!(now - began >= PATIENCE && now - began < PATIENCE + Duration::from_millis(200));
        assert!(made > 90, "{made}");
    }

    #[test]
    fn the_first_ones_are_made_at_once() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        let mut after = |why| attempts.after(now, why).unwrap();
        assert_eq!(
            [(); 7].map(|()| after(NotRun::Environment)),
            [Duration::ZERO; 7]
        );
        let pauses = [(); 2].map(|()| after(NotRun::Environment));
        assert_eq!(pauses, [1, 2].map(Duration::from_millis));
    }

    #[test]
    fn an_invoke_that_nobody_can_be_asked_about_is_tried_some_dozens_of_times() {
        let began = Instant::now();
        let mut attempts = Attempts::new(began);
        let (mut now, mut made) = (began, 0);
        while let Some(pause) = attempts.after(now, NotRun::Nobody) {
            now += pause;
            made += 1;
        }
        assert!((20..50).contains(&made), "{made}");
        assert!(now - began >= PATIENCE);
    }
}
