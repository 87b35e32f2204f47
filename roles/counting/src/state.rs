//! What counting knows, and how it decides.
//!
//! ```text
//!   scope ──▶ Account { unreserved in use, rate }
//!               └─ name ──▶ Function { in use, reserved?, rate, scaling }
//!                             └─ version ──▶ Provisioned { in use, rate }
//!   permit ──▶ Grant { scope, function, version if provisioned, lapses }
//! ```
//!
//! Provisioned concurrency is taken out of what a function has reserved, or else of the account's
//! unreserved pool, whether it is used or not; what runs there counts nowhere else. An invoke that
//! finds none of it free spills over and counts as any other.
//!
//! Invariants: the number of permits equals the sum of `in_use` over all functions and their
//! provisioned versions; an account's `unreserved_in_use` is the sum of functions' own `in_use` over
//! those without a reservation. A refused request
//! changes nothing but the time to which buckets are filled.
//! Deliberately absent: clocks, randomness, locks, tokio. [`crate::service`] has them.

mod account;

use std::collections::HashMap;

use api::counting::{Acquire, Error, Permit};
use types::{FunctionName, PermitId, Scope, Timestamp, Version};

use crate::Config;
use account::{Account, Function};

// The maps are only looked up, counted and filtered entry by entry: their order never matters,
// and on every invoke's path a hash beats comparing names down a tree.

/// All permits, and what they count against.
#[derive(Debug, Default)]
pub(crate) struct State {
    accounts: HashMap<Scope, Account>,
    permits: HashMap<PermitId, Grant>,
    /// No permit lapses before this. May be too early after releases: then one sweep finds nothing.
    next_lapse: Option<Timestamp>,
}

#[derive(Debug)]
struct Grant {
    scope: Scope,
    function: FunctionName,
    /// If it counts as provisioned concurrency, of that version.
    provisioned: Option<Version>,
    lapses: Timestamp,
}

/// Concurrent executions of one account in one region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Count {
    /// Whose, and where.
    pub scope: Scope,
    /// All of them.
    pub concurrent: u32,
    /// Those of functions without a reservation, but for what is provisioned.
    pub unreserved: u32,
}

/// Concurrent executions of one function version with provisioned concurrency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvisionedCount {
    /// Whose, and where.
    pub scope: Scope,
    /// The function.
    pub function: FunctionName,
    /// The version.
    pub version: Version,
    /// How many.
    pub in_use: u32,
    /// How many there may be before more spill over.
    pub available: u32,
}

impl State {
    /// Takes back what is returned, then grants a permit or says which limit is in the way: concurrency
    /// first, then requests a second, then the scaling rate. Asked again, it says what it said.
    pub(crate) fn acquire(
        &mut self,
        now: Timestamp,
        request: Acquire,
        config: &Config,
    ) -> Result<Permit, Error> {
        for id in &request.returned {
            self.release(*id);
        }
        let id = request.permit;
        if let Some(grant) = self.permits.get(&id) {
            let provisioned = grant.provisioned.is_some();
            return Ok(Permit { id, provisioned });
        }
        if self.next_lapse.is_some_and(|lapse| lapse <= now) {
            self.lapse(now);
        }
        if !self.accounts.contains_key(&request.scope) {
            self.accounts
                .insert(request.scope.clone(), Account::default());
        }
        let account = self
            .accounts
            .get_mut(&request.scope)
            .expect("it was inserted above");
        let provisioned = account.admit(now, &request, config)?;

        let lasts = std::time::Duration::from_millis(request.lasts_ms);
        let lapses = now.after(lasts).after(config.grace);
        self.next_lapse = Some(self.next_lapse.map_or(lapses, |next| next.min(lapses)));
        let Acquire {
            scope,
            function,
            version,
            ..
        } = request;
        let grant = Grant {
            scope,
            function,
            provisioned: provisioned.then_some(version),
            lapses,
        };
        self.permits.insert(id, grant);
        Ok(Permit { id, provisioned })
    }

    /// Takes a permit back; nothing happens if it is not out any more.
    pub(crate) fn release(&mut self, id: PermitId) -> bool {
        let Some(grant) = self.permits.remove(&id) else {
            return false;
        };
        give_back(&mut self.accounts, &grant);
        true
    }

    /// Takes back what lapsed and forgets functions that have nothing left to remember.
    pub(crate) fn sweep(&mut self, now: Timestamp, config: &Config) -> usize {
        let lapsed = self.lapse(now);
        self.accounts.retain(|_, account| {
            account.functions.retain(|_, function| {
                function.concurrent() > 0 || now.since(function.level_reached) < config.level_memory
            });
            !account.functions.is_empty()
        });
        lapsed
    }

    /// Concurrent executions of every account, in order of scope.
    pub(crate) fn counts(&self) -> Vec<Count> {
        let mut counts: Vec<Count> = self
            .accounts
            .iter()
            .map(|(scope, account)| Count {
                scope: scope.clone(),
                concurrent: account.functions.values().map(Function::concurrent).sum(),
                unreserved: account.unreserved_in_use,
            })
            .collect();
        counts.sort_by(|a, b| a.scope.cmp(&b.scope));
        counts
    }

    /// Provisioned concurrency of every function version that a request has named, in order.
    pub(crate) fn provisioned(&self) -> Vec<ProvisionedCount> {
        let mut counts = Vec::new();
        for (scope, account) in &self.accounts {
            for (name, function) in &account.functions {
                let versions = function.provisioned.iter();
                counts.extend(versions.map(|(version, provisioned)| ProvisionedCount {
                    scope: scope.clone(),
                    function: name.clone(),
                    version: *version,
                    in_use: provisioned.in_use,
                    available: provisioned.available,
                }));
            }
        }
        let place = |count: &ProvisionedCount| {
            let (scope, function) = (count.scope.clone(), count.function.clone());
            (scope, function, count.version)
        };
        counts.sort_by_key(place);
        counts
    }

    fn lapse(&mut self, now: Timestamp) -> usize {
        let before = self.permits.len();
        let mut next = None;
        let Self {
            accounts, permits, ..
        } = self;
        permits.retain(|_, grant| {
            if grant.lapses <= now {
                give_back(accounts, grant);
                return false;
            }
            next = Some(next.map_or(grant.lapses, |next: Timestamp| next.min(grant.lapses)));
            true
        });
        self.next_lapse = next;
        before - self.permits.len()
    }
}

fn give_back(accounts: &mut HashMap<Scope, Account>, grant: &Grant) {
    let account = accounts
        .get_mut(&grant.scope)
        .expect("an account with permits is kept");
    let function = account
        .functions
        .get_mut(&grant.function)
        .expect("a function with permits is kept");
    if let Some(version) = grant.provisioned {
        let provisioned = function.provisioned.get_mut(&version);
        let provisioned = provisioned.expect("a version with permits is kept");
        provisioned.in_use -= 1;
        return;
    }
    function.in_use -= 1;
    if !function.reserved {
        account.unreserved_in_use -= 1;
    }
}
