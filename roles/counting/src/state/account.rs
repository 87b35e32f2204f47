//! What counts against an account and its functions, and whether one more execution is within every limit.

use std::collections::{BTreeMap, HashMap};

use api::counting::{Acquire, Error};
use types::limits::{INVOKES_PER_SECOND_PER_CONCURRENCY, SCALING_BURST, SCALING_REFILL};
use types::{Bucket, FunctionName, Timestamp, Version};

use crate::Config;

#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) unreserved_in_use: u32,
    rate: Bucket,
    pub(super) functions: HashMap<FunctionName, Function>,
}

#[derive(Debug, Default)]
pub(super) struct Function {
    /// But for what is provisioned.
    pub(super) in_use: u32,
    /// Whether the last request said that it has a reservation; then it counts against that alone.
    pub(super) reserved: bool,
    rate: Bucket,
    scaling: Bucket,
    /// The highest concurrency it reached within [`Config::level_memory`].
    level: u32,
    pub(super) level_reached: Timestamp,
    /// Of versions with provisioned concurrency; few functions have any.
    pub(super) provisioned: BTreeMap<Version, Provisioned>,
}

#[derive(Debug, Default)]
pub(super) struct Provisioned {
    pub(super) in_use: u32,
    /// As the last request said.
    pub(super) available: u32,
    rate: Bucket,
}

impl Account {
    /// Checks every limit, and only then counts. Says whether it counts as provisioned.
    pub(super) fn admit(
        &mut self,
        now: Timestamp,
        request: &Acquire,
        config: &Config,
    ) -> Result<bool, Error> {
        if !self.functions.contains_key(&request.function) {
            // What a function needs to be remembered for begins with its first request.
            let function = Function {
                level_reached: now,
                ..Function::default()
            };
            self.functions.insert(request.function.clone(), function);
        }
        let function = self
            .functions
            .get_mut(&request.function)
            .expect("it was inserted above");
        function.follow_reservation(request.reserved.is_some(), &mut self.unreserved_in_use);

        let provisioned = function.has_provisioned(now, request);
        function.check_concurrency(request, provisioned, self.unreserved_in_use)?;
        let per_second = request
            .account_limit
            .saturating_mul(INVOKES_PER_SECOND_PER_CONCURRENCY);
        if !self.rate.fill(now, per_second, per_second) {
            return Err(Error::AccountRate { per_second });
        }
        if let Some(reserved) = request.reserved {
            let per_second = reserved.saturating_mul(INVOKES_PER_SECOND_PER_CONCURRENCY);
            if !function.rate.fill(now, per_second, per_second) {
                return Err(Error::FunctionRate {
                    function: request.function.clone(),
                    per_second,
                });
            }
        }
        if !provisioned && !function.may_grow(now, config) {
            return Err(Error::ScalingRate {
                function: request.function.clone(),
            });
        }

        self.rate.take();
        if request.reserved.is_some() {
            function.rate.take();
        }
        if provisioned {
            function.count_provisioned(request.version);
        } else {
            self.unreserved_in_use += u32::from(request.reserved.is_none());
            function.count(now);
        }
        Ok(provisioned)
    }
}

impl Function {
    /// A function that gets or loses its reservation takes its executions along from one pool to
    /// the other, so that neither counts what it does not hold.
    fn follow_reservation(&mut self, reserved: bool, unreserved_in_use: &mut u32) {
        match (self.reserved, reserved) {
            (false, true) => *unreserved_in_use -= self.in_use,
            (true, false) => *unreserved_in_use += self.in_use,
            _ => {}
        }
        self.reserved = reserved;
    }

    /// Whether provisioned concurrency of the version is free, in number and in requests a second.
    fn has_provisioned(&mut self, now: Timestamp, request: &Acquire) -> bool {
        if request.provisioned == 0 && self.provisioned.is_empty() {
            return false;
        }
        if let Some(provisioned) = self.provisioned.get_mut(&request.version) {
            provisioned.available = request.provisioned;
        }
        // Forgotten once it is neither there nor used.
        self.provisioned
            .retain(|_, provisioned| provisioned.in_use > 0 || provisioned.available > 0);
        if request.provisioned == 0 {
            return false;
        }
        let total = self.concurrent();
        let provisioned = self.provisioned.entry(request.version).or_default();
        provisioned.available = request.provisioned;
        let per_second = request
            .provisioned
            .saturating_mul(INVOKES_PER_SECOND_PER_CONCURRENCY);
        let in_time = provisioned.rate.fill(now, per_second, per_second);
        // What runs on demand since before may leave less than was reserved.
        let within = request.reserved.is_none_or(|limit| total < limit);
        in_time && within && provisioned.in_use < request.provisioned
    }

    /// What is not provisioned has what provisioned concurrency leaves of the reservation, or of
    /// the account.
    fn check_concurrency(
        &self,
        request: &Acquire,
        provisioned: bool,
        unreserved_in_use: u32,
    ) -> Result<(), Error> {
        if provisioned {
            return Ok(());
        }
        match request.reserved {
            Some(limit) => {
                let on_demand = limit.saturating_sub(request.provisioned_total);
                if self.in_use >= on_demand || self.concurrent() >= limit {
                    return Err(Error::FunctionConcurrency {
                        function: request.function.clone(),
                        limit,
                    });
                }
            }
            None => {
                let limit = request.account_limit.saturating_sub(request.reserved_total);
                if unreserved_in_use >= limit {
                    return Err(Error::AccountConcurrency { limit });
                }
            }
        }
        Ok(())
    }

    /// Everything of it that runs.
    pub(super) fn concurrent(&self) -> u32 {
        let provisioned = self.provisioned.values();
        self.in_use + provisioned.map(|version| version.in_use).sum::<u32>()
    }

    fn count_provisioned(&mut self, version: Version) {
        let provisioned = self.provisioned.entry(version).or_default();
        provisioned.rate.take();
        provisioned.in_use += 1;
    }

    /// Whether one more execution is within the level it reached lately or the scaling rate.
    fn may_grow(&mut self, now: Timestamp, config: &Config) -> bool {
        if now.since(self.level_reached) >= config.level_memory {
            self.level = self.in_use;
            self.level_reached = now;
        }
        let refill = u32::try_from(SCALING_REFILL.as_secs()).expect("it is ten");
        self.in_use < self.level
            || self
                .scaling
                .fill(now, SCALING_BURST / refill, SCALING_BURST)
    }

    fn count(&mut self, now: Timestamp) {
        self.in_use += 1;
        if self.in_use > self.level {
            self.scaling.take();
            self.level = self.in_use;
        }
        if self.in_use == self.level {
            self.level_reached = now;
        }
    }
}
