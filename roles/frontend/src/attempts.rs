//! For how long an invoke that certainly did not run is given other environments. Pure.

use std::time::Duration;

use tokio::time::Instant;
use types::Backoff;

/// The time for all attempts. When processors are short, an environment can be lent long before its
/// runtime gets to ask for another event; its invoke then goes to the next one, however often that
/// happens.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many attempts follow each other without a pause.
const STRAIGHT: u32 = 8;
/// Then there is a pause before each.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// The attempts of one invoke.
pub(crate) struct Attempts {
    over: Instant,
    made: u32,
    pauses: Backoff,
}

impl Attempts {
    /// The attempts of an invoke that begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            over: now + PATIENCE,
            made: 0,
            pauses: Backoff::new(PAUSE_MIN, PAUSE_MAX),
        }
    }

    /// The pause before the next attempt; `None` if there is to be none.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Duration> {
        if now >= self.over {
            return None;
        }
        if self.made < STRAIGHT {
            self.made += 1;
            return Some(Duration::ZERO);
        }
        Some(self.pauses.pause())
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
        while let Some(pause) = attempts.next(now) {
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
        let pauses: Vec<_> = (0..10).filter_map(|_| attempts.next(now)).collect();
        assert_eq!(pauses[..8], [Duration::ZERO; 8]);
        assert_eq!(pauses[8..], [1, 2].map(Duration::from_millis));
    }
}
