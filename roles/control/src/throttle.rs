//! How many calls a second an account may make in a region: three token buckets for each.
//!
//! ```text
//!   GetFunction ─▶ its own     GetPolicy ─▶ its own     everything else ─▶ one together
//! ```
//!
//! A bucket holds a second's worth: that many calls may arrive at once. It is checked once the caller
//! and the operation are known, so that nobody uses up another's calls, and before anything is read or
//! written. Soft state: a restart fills every bucket. Several control planes share the rates out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use types::{Bucket, Scope, Timestamp};
use wire::ApiError;
use wire::rest::Operation;

use crate::config::Rates;
use crate::shares::Shares;

/// Seconds after which a refused call may be retried: by then at least as many are accepted as a bucket
/// holds.
const RETRY_AFTER_SECONDS: u32 = 1;
/// How many accounts and regions are remembered before idle ones are removed: any region name that a
/// caller invents has buckets.
const SCOPES_REMEMBERED: usize = 1_024;

/// See the module.
pub(crate) struct Throttle {
    rates: Rates,
    shares: Shares,
    /// Only looked up and filtered entry by entry: its order never matters.
    scopes: Mutex<HashMap<Scope, Buckets>>,
}

#[derive(Debug, Default)]
struct Buckets {
    get_function: Bucket,
    get_policy: Bucket,
    others: Bucket,
}

impl Throttle {
    pub(crate) fn new(rates: Rates, shares: Shares) -> Self {
        Self {
            rates,
            shares,
            scopes: Mutex::default(),
        }
    }

    /// Counts a call, or refuses it.
    pub(crate) fn admit(
        &self,
        now: Timestamp,
        scope: &Scope,
        operation: Operation,
    ) -> Result<(), ApiError> {
        let rates = Rates {
            get_function: self.shares.of_calls(self.rates.get_function),
            get_policy: self.shares.of_calls(self.rates.get_policy),
            others: self.shares.of_calls(self.rates.others),
        };
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if scopes.len() >= SCOPES_REMEMBERED && !scopes.contains_key(scope) {
            scopes.retain(|_, buckets| !buckets.are_full(now, rates));
        }
        let buckets = scopes.entry(scope.clone()).or_default();
        let (bucket, rate) = buckets.of(operation, rates);
        if !bucket.fill(now, rate, rate) {
            return Err(ApiError::throttled(
                "Rate exceeded",
                Some("CallerRateLimitExceeded"),
                Some(RETRY_AFTER_SECONDS),
            ));
        }
        bucket.take();
        Ok(())
    }
}

impl Buckets {
    fn of(&mut self, operation: Operation, rates: Rates) -> (&mut Bucket, u32) {
        match operation {
            Operation::GetFunction => (&mut self.get_function, rates.get_function),
            Operation::GetPolicy => (&mut self.get_policy, rates.get_policy),
            _ => (&mut self.others, rates.others),
        }
    }

    fn are_full(&mut self, now: Timestamp, rates: Rates) -> bool {
        let full = |bucket: &mut Bucket, rate| bucket.is_full(now, rate, rate);
        full(&mut self.get_function, rates.get_function)
            && full(&mut self.get_policy, rates.get_policy)
            && full(&mut self.others, rates.others)
    }
}

#[cfg(test)]
mod tests {
    use types::{AccountId, Region};

    use super::*;

    fn scope(region: &str) -> Scope {
        Scope {
            account: AccountId::new("000000000000").unwrap(),
            region: Region::new(region).unwrap(),
        }
    }

    /// How many of a hundred calls are accepted.
    fn admitted(throttle: &Throttle, millis: u64, region: &str, operation: Operation) -> usize {
        let now = Timestamp::from_millis(millis);
        let admit = |_: &u32| throttle.admit(now, &scope(region), operation).is_ok();
        (0..100).filter(admit).count()
    }

    fn rates() -> Rates {
        Rates {
            get_function: 20,
            get_policy: 3,
            others: 5,
        }
    }

    #[test]
    fn each_kind_of_call_has_its_own_rate() {
        let throttle = Throttle::new(rates(), Shares::default());
        assert_eq!(admitted(&throttle, 0, "us-east-1", Operation::ListTags), 5);
        assert_eq!(
            admitted(&throttle, 0, "us-east-1", Operation::CreateAlias),
            0
        );
        assert_eq!(admitted(&throttle, 0, "us-east-1", Operation::GetPolicy), 3);
        assert_eq!(
            admitted(&throttle, 0, "us-east-1", Operation::GetFunction),
            20
        );
        assert_eq!(admitted(&throttle, 0, "us-west-2", Operation::ListTags), 5);
        assert_eq!(
            admitted(&throttle, 200, "us-east-1", Operation::ListTags),
            1
        );
        assert_eq!(
            admitted(&throttle, 1_200, "us-east-1", Operation::ListTags),
            5
        );
    }

    #[test]
    fn of_several_control_planes_each_grants_its_share_as_they_come_and_go() {
        let (count, seen) = tokio::sync::watch::channel(2);
        let throttle = Throttle::new(rates(), Shares::new(seen));
        let get = Operation::GetFunction;
        assert_eq!(admitted(&throttle, 0, "us-east-1", get), 10);
        assert_eq!(admitted(&throttle, 100, "us-east-1", get), 1);
        count.send_replace(1);
        assert_eq!(admitted(&throttle, 200, "us-east-1", get), 2);
        count.send_replace(30);
        assert_eq!(admitted(&throttle, 10_200, "us-east-1", get), 1);
    }

    #[test]
    fn the_refusal_says_why_and_when_to_come_again() {
        let none = Rates {
            others: 0,
            ..rates()
        };
        let throttle = Throttle::new(none, Shares::default());
        let now = Timestamp::from_millis(0);
        let refused = throttle.admit(now, &scope("us-east-1"), Operation::ListTags);
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, "TooManyRequestsException");
        assert_eq!(refused.reason.as_deref(), Some("CallerRateLimitExceeded"));
        assert_eq!(refused.retry_after_seconds, Some(1));
    }

    #[test]
    fn regions_that_are_made_up_take_no_room_for_long() {
        let throttle = Throttle::new(rates(), Shares::default());
        for number in 0..3 * SCOPES_REMEMBERED as u64 {
            let (place, digit) = (number / 9, number % 9 + 1);
            let letters = [place / 26 / 26, place / 26 % 26, place % 26];
            let word: String = letters
                .map(|letter| char::from(b'a' + u8::try_from(letter).unwrap()))
                .iter()
                .collect();
            let region = format!("eu-{word}-{digit}");
            // A second apart: by then the buckets of the previous calls are full again.
            let now = Timestamp::from_millis(number * 1_000);
            let admitted = throttle.admit(now, &scope(&region), Operation::ListTags);
            assert!(admitted.is_ok());
        }
        assert!(throttle.scopes.lock().unwrap().len() <= SCOPES_REMEMBERED);
    }
}
