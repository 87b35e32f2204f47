//! How long a slow client may take: a period of grace, and more as it makes progress. Pure.

use std::time::Duration;

/// What is left of the time that one transfer may keep us waiting.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    grace: Duration,
    /// Bytes that must come, on average, for each further second of waiting.
    per_second: u64,
    waited: Duration,
    moved: u64,
}

impl Patience {
    pub(super) const fn new(grace: Duration, per_second: u64) -> Self {
        Self {
            grace,
            per_second,
            waited: Duration::ZERO,
            moved: 0,
        }
    }

    /// How long to wait for the next bytes.
    pub(super) fn left(&self) -> Duration {
        let earned = Duration::from_millis(self.moved.saturating_mul(1_000) / self.per_second);
        (self.grace + earned).saturating_sub(self.waited)
    }

    /// We waited.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// `bytes` more were transferred.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_us_waiting_must_get_on_by_the_least_rate() {
        let seconds = Duration::from_secs;
        let mut patience = Patience::new(seconds(30), 1_000);
        assert_eq!(patience.left(), seconds(30));
        patience.waited(seconds(20));
        patience.moved(5_000);
        assert_eq!(patience.left(), seconds(15));
        // A byte now and then earns nothing.
        for _ in 0..15 {
            patience.waited(seconds(1));
            patience.moved(1);
        }
        assert!(patience.left() < Duration::from_millis(100));
        patience.waited(seconds(100));
        assert_eq!(patience.left(), Duration::ZERO);
    }
}
