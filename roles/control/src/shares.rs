//! What each of several control planes grants: its share of what all may grant together. Requests are spread over them, and
//! none asks another.

use tokio::sync::watch;

/// See the module.
#[derive(Clone, Debug)]
pub struct Shares(watch::Receiver<usize>);

impl Shares {
    /// `count` is how many control planes there are, this one included.
    pub fn new(count: watch::Receiver<usize>) -> Self {
        Self(count)
    }

    /// Whether there are others.
    pub(crate) fn are_several(&self) -> bool {
        self.count() > 1
    }

    /// The share of a number of calls; at least one, so that each gets on.
    pub(crate) fn of_calls(&self, limit: u32) -> u32 {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        (limit / count).max(limit.min(1))
    }

    /// The share of a number of bytes; enough for one piece of `largest` bytes, if the limit is.
    pub(crate) fn of_bytes(&self, limit: u64, largest: u64) -> u64 {
        (limit / self.count() as u64).max(limit.min(largest))
    }

    fn count(&self) -> usize {
        (*self.0.borrow()).max(1)
    }
}

impl Default for Shares {
    /// Of one control plane: all.
    fn default() -> Self {
        Self(watch::channel(1).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_are_no_more_than_the_limit_unless_each_would_get_nothing() {
        let (count, seen) = watch::channel(0);
        let shares = Shares::new(seen);
        assert!(!shares.are_several());
        assert_eq!((shares.of_calls(15), shares.of_bytes(90, 20)), (15, 90));
        count.send_replace(4);
        assert!(shares.are_several());
        assert_eq!((shares.of_calls(15), shares.of_bytes(90, 20)), (3, 22));
        assert_eq!((shares.of_calls(2), shares.of_bytes(60, 20)), (1, 20));
        assert_eq!((shares.of_calls(0), shares.of_bytes(0, 20)), (0, 0));
        assert_eq!(shares.of_bytes(10, 20), 10);
    }
}
