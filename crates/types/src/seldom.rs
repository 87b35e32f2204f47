//! Log lines that would otherwise be repeated.

use std::time::{Duration, Instant};

/// Says when it is time to say something again.
#[derive(Clone, Copy, Debug)]
pub struct Seldom {
    every: Duration,
    last: Option<Instant>,
}

impl Seldom {
    /// For something that is said at most once in `every`.
    pub const fn every(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether it is to be said now. It then counts as said.
    pub fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_in_so_long() {
        let mut seldom = Seldom::every(Duration::from_secs(3_600));
        assert!(seldom.is_due());
        assert!(!seldom.is_due());
        let mut often = Seldom::every(Duration::ZERO);
        assert!(often.is_due() && often.is_due());
    }
}
