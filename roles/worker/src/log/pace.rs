//! How fast the output of an account's functions is read: a function that writes faster waits, as at any full pipe.
//!
//! Without a bound one function keeps a processor busy with its log alone, and all others wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::time::Instant;
use types::AccountId;

/// This many seconds' worth may come at once: short bursts are never delayed.
const BURST: Duration = Duration::from_secs(4);

/// What is read at the end of an invoke is read at any pace: nobody waits for it longer than this.
const DEBT_MAX: Duration = Duration::from_secs(10);

/// The pace of one account.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: u64,
    /// When all that was taken would have come at this pace.
    even: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            even: Mutex::new(Instant::now()),
        }
    }

    /// `bytes` were read.
    pub(super) fn took(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second.max(1));
        let worth = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let now = Instant::now();
        let mut even = self.lock();
        *even = ((*even).max(now) + worth.min(BURST)).min(now + BURST + DEBT_MAX);
    }

    /// How long nothing more is read.
    pub(super) fn wait(&self) -> Duration {
        let ahead = self.lock().saturating_duration_since(Instant::now());
        ahead.saturating_sub(BURST)
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.even
            .lock()
            .expect("no code panics while it holds a pace")
    }
}

/// The paces of the accounts that have environments.
pub(crate) struct Paces {
    bytes_per_second: u64,
    known: Mutex<HashMap<AccountId, Weak<Pace>>>,
}

impl Paces {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            known: Mutex::default(),
        }
    }

    /// The one that all environments of an account share.
    pub(crate) fn of(&self, account: &AccountId) -> Arc<Pace> {
        let mut known = self
            .known
            .lock()
            .expect("no code panics while it holds the paces");
        if let Some(pace) = known.get(account).and_then(Weak::upgrade) {
            return pace;
        }
        // Those of accounts that have no environment any more.
        known.retain(|_, pace| pace.strong_count() > 0);
        let pace = Arc::new(Pace::new(self.bytes_per_second));
        known.insert(account.clone(), Arc::downgrade(&pace));
        pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_at_once_is_read_at_once_and_what_goes_on_at_its_pace() {
        let pace = Pace::new(1_000);
        for _ in 0..4 {
            assert!(pace.wait().is_zero());
            pace.took(1_000);
        }
        pace.took(1_000);
        assert_eq!(pace.wait(), Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pace.wait().is_zero());
        // Long silence is worth no more than one burst.
        tokio::time::advance(Duration::from_secs(1_000)).await;
        pace.took(4_000);
        pace.took(500);
        assert_eq!(pace.wait(), Duration::from_millis(500));
    }

    #[tokio::test(start_paused = true)]
    async fn however_much_was_read_nobody_waits_without_end() {
        let pace = Pace::new(1_000);
        for _ in 0..1_000 {
            pace.took(1_000_000);
        }
        assert_eq!(pace.wait(), DEBT_MAX);
    }

    #[tokio::test]
    async fn an_account_has_one_pace_while_it_has_environments() {
        let paces = Paces::new(1);
        let [one, other] = ["111111111111", "222222222222"].map(|id| AccountId::new(id).unwrap());
        let first = paces.of(&one);
        assert!(Arc::ptr_eq(&first, &paces.of(&one)));
        assert!(!Arc::ptr_eq(&first, &paces.of(&other)));
        drop(first);
        paces.of(&other);
        assert_eq!(paces.known.lock().unwrap().len(), 1);
    }
}
