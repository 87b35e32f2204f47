//! What callers measure: how long answers take, and how many are none.

use std::time::Duration;

/// Failures whose words are kept.
const FAILURES_KEPT: usize = 5;

/// At one zone's front door.
#[derive(Clone, Default, Debug)]
pub(super) struct Measured {
    /// Answers that were as expected.
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Requests that another door got, since no connection to this one could be made.
    pub(super) elsewhere: u64,
    /// Of those that succeeded since this was taken last.
    pub(super) took: Vec<Duration>,
    /// The first failures.
    pub(super) why: Vec<String>,
}

impl Measured {
    pub(super) fn success(&mut self, took: Duration) {
        self.succeeded += 1;
        self.took.push(took);
    }

    pub(super) fn failure(&mut self, why: String) {
        self.failed += 1;
        if self.why.len() < FAILURES_KEPT {
            self.why.push(why);
        }
    }

    /// What there is; times are then measured from here on.
    pub(super) fn take(&mut self) -> Self {
        let took = std::mem::take(&mut self.took);
        Self {
            took,
            ..self.clone()
        }
    }
}

/// The smallest time that at least `percent` of all do not exceed; `None` of none.
pub(super) fn percentile(times: &mut [Duration], percent: usize) -> Option<Duration> {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(millis: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        millis.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut all = times((1..=100).rev());
        for percent in [1, 50, 99, 100] {
            let found = percentile(&mut all, percent).unwrap();
            assert_eq!(found.as_millis(), percent as u128);
        }
        assert_eq!(
            percentile(&mut times([7]), 50),
            Some(Duration::from_millis(7))
        );
        assert_eq!(
            percentile(&mut times([3, 1, 2]), 50),
            Some(Duration::from_millis(2))
        );
        assert_eq!(percentile(&mut [], 99), None);
    }

    #[test]
    fn times_are_taken_once_and_sums_stay() {
        let mut measured = Measured::default();
        measured.success(Duration::from_millis(1));
        (0..9).for_each(|n| measured.failure(n.to_string()));
        assert_eq!(measured.take().took.len(), 1);
        let later = measured.take();
        assert_eq!((later.took.len(), later.succeeded, later.failed), (0, 1, 9));
        assert_eq!(later.why.len(), FAILURES_KEPT);
    }
}
