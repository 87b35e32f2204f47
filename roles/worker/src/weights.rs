//! Who gets the processors when there are not enough of them for all.
//!
//! An environment may use the share that its memory buys; that is a limit, and all limits together are many
//! times what a machine has. When all run at once, each gets of the machine in proportion to its share. The
//! environments of one account together never weigh more than the machine has: whoever runs hundreds at
//! once is slow by itself, and does not make a neighbour slow who runs one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use types::AccountId;

use crate::environment::Environment;
use crate::plan;
use crate::service::Service;

/// What an environment with a share weighs in an account whose environments have `together`, on a machine
/// of `machine`; all in thousandths of a processor. Never 0.
pub(crate) fn weight(share: u32, together: u64, machine: u32) -> u32 {
    let machine = u64::from(machine);
    let weight = u64::from(share) * machine / together.max(machine).max(1);
    u32::try_from(weight).unwrap_or(share).max(1)
}

/// Whether a weight is so far from what it should be, by more than a quarter, that it is set anew.
fn differs(set: u32, wanted: u32) -> bool {
    set.abs_diff(wanted) > wanted / 4
}

impl Service {
    /// What a new environment with this share weighs: its account's others are weighed anew later.
    pub(crate) fn first_weight(&self, account: &AccountId, share: u32) -> u32 {
        let others = self.awake().into_iter();
        let others = others.filter(|one| one.function.scope.account == *account);
        let together = others.map(|one| u64::from(one.share())).sum::<u64>();
        weight(share, together + u64::from(share), self.machine_millis)
    }

    /// Weighs all that are not frozen. A frozen one takes nothing, and its weight is right within a second
    /// of its next invoke.
    pub(crate) fn weigh_all(&self) {
        let awake = self.awake();
        let mut together = HashMap::<&AccountId, u64>::new();
        for one in &awake {
            *together.entry(&one.function.scope.account).or_default() += u64::from(one.share());
        }
        for one in &awake {
            let together = together[&one.function.scope.account];
            let wanted = weight(one.share(), together, self.machine_millis);
            if differs(one.weight.load(Ordering::Relaxed), wanted) {
                one.weigh(wanted);
            }
        }
    }

    fn awake(&self) -> Vec<Arc<Environment>> {
        let mut awake = self.made();
        awake.retain(|one| !one.is_frozen());
        awake
    }
}

impl Environment {
    /// The share of processors that its memory buys, thousandths of one.
    fn share(&self) -> u32 {
        plan::cpu_millis(self.function.configuration.memory_mb)
    }

    fn weigh(&self, weight: u32) {
        match self.sandbox.weigh_cpu(weight) {
            Ok(()) => self.weight.store(weight, Ordering::Relaxed),
            // It may have ended. If not, it goes on with the weight it has, and is tried again.
            Err(error) if !self.is_dead() => {
                tracing::warn!(environment = %self.id, %error, "an environment is not weighed anew");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_environments_weigh_what_their_memory_buys() {
        assert_eq!(weight(72, 72, 2_000), 72);
        assert_eq!(weight(1_000, 2_000, 2_000), 1_000);
    }

    #[test]
    fn those_of_one_account_together_weigh_no_more_than_the_machine() {
        for (share, count) in [(72, 200), (1_000, 50), (5_788, 3), (1, 1_000_000)] {
            let together = u64::from(share) * count;
            let all = u64::from(weight(share, together, 2_000)) * count;
            // A weight of 1 is the least there is.
            assert!(all <= 2_000.max(count), "{count} of {share} weigh {all}");
        }
        // Among themselves they differ as their memory does.
        assert_eq!(weight(1_000, 20_000, 2_000), 100);
        assert_eq!(weight(100, 20_000, 2_000), 10);
    }

    #[test]
    fn a_weight_is_set_anew_if_it_is_off_by_a_quarter() {
        assert!(!differs(100, 100) && !differs(100, 110) && !differs(1, 1));
        assert!(differs(100, 70) && differs(100, 200) && differs(2, 1));
    }
}
