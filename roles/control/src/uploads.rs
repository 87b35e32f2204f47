//! How much each account has uploaded lately. What replaces other code, and what no function ever
//! names, is on the disk until it is removed; so that one account alone cannot fill it in that time,
//! its uploads have a bound. Soft state: a restart counts from zero. Several control
//! planes share the bound out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::{AccountId, Timestamp};

/// Uploads within this time are counted as one.
const STEP: Duration = Duration::from_secs(60);

/// By account: when, and how many bytes, the oldest first.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<BTreeMap<AccountId, VecDeque<(Timestamp, u64)>>>);

impl Uploads {
    /// Reserves room for `bytes`, if the account has no more than `most` including them, in the last
    /// `within`.
    pub(crate) fn take(
        &self,
        account: &AccountId,
        (now, bytes): (Timestamp, u64),
        (within, most): (Duration, u64),
    ) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An account without uploads in that time is forgotten, so that only active ones take memory.
        all.retain(|_, uploads| {
            uploads.retain(|(at, _)| now.since(*at) < within);
            !uploads.is_empty()
        });
        let uploads = all.get(account).into_iter().flatten();
        let sum: u64 = uploads.map(|(_, bytes)| bytes).sum();
        if sum.saturating_add(bytes) > most {
            return false;
        }
        let uploads = all.entry(account.clone()).or_default();
        match uploads.back_mut() {
            Some((at, last)) if now.since(*at) < STEP => *last += bytes,
            _ => uploads.push_back((now, bytes)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_uploads_so_much_in_so_long() {
        let uploads = Uploads::default();
        let [one, other] = ["111111111111", "222222222222"].map(|id| AccountId::new(id).unwrap());
        let hour = Duration::from_secs(3_600);
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let take =
            |account, seconds, bytes| uploads.take(account, (at(seconds), bytes), (hour, 10));
        assert!(take(&one, 0, 4) && take(&one, 30, 2) && take(&one, 1_800, 4));
        assert!(!take(&one, 1_900, 1));
        assert!(take(&other, 1_900, 10), "another account has its own");
        assert!(take(&one, 3_600, 6), "old uploads have been removed by now");
        assert!(!take(&one, 3_601, 1));
        assert!(!take(&one, 100_000, u64::MAX));
        assert_eq!(uploads.0.lock().unwrap().len(), 0, "no account is active");
    }
}
