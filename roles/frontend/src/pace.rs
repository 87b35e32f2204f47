//! How fast a streamed result may be sent. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// The first bytes of a stream are sent as fast as they arrive; the rest is paced.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Bytes that may still be sent at once.
    free: u64,
    /// Bytes a second after that; 0 for no bound.
    per_second: u64,
    /// When everything that was sent has used up its time.
    until: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(free: u64, per_second: u64) -> Self {
        Self {
            free,
            per_second,
            until: None,
        }
    }

    /// When a piece of `bytes` may be sent; `None` for now.
    pub(crate) fn next(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let bytes = bytes as u64;
        let free = bytes.min(self.free);
        self.free -= free;
        let paced = bytes - free;
        if paced == 0 || self.per_second == 0 {
            return None;
        }
        let takes = Duration::from_nanos(paced.saturating_mul(1_000_000_000) / self.per_second);
        // Time in which nothing arrived is not saved up.
        let from = self.until.map_or(now, |until| until.max(now));
        self.until = Some(from + takes);
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_free_bytes_each_takes_its_time() {
        let now = Instant::now();
        let after = |ms| Some(now + Duration::from_millis(ms));
        let mut pace = Pace::new(100, 1_000);
        assert_eq!(pace.next(60, now), None);
        // 40 are free, 20 take 20 ms.
        assert_eq!(pace.next(60, now), after(20));
        assert_eq!(pace.next(100, now), after(120));
        // A pause is not saved up.
        let later = now + Duration::from_millis(500);
        assert_eq!(pace.next(10, later), after(510));
    }

    #[test]
    fn there_may_be_no_bound() {
        let mut pace = Pace::new(0, 0);
        assert_eq!(pace.next(usize::MAX, Instant::now()), None);
    }
}
