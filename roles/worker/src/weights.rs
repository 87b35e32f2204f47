//! Who gets the processors when there are not enough of them for all.
//!
//! An environment may use the share that its memory buys; that is a limit, and all limits together are many
//! times what a machine has. When all run at once, each gets of the machine in proportion to its weight: its
//! share, and not too little; and several times that if its invokes want a processor only for a moment each,
//! so that these do not wait for those who compute. The environments of one account together have a maximum weight: an account that runs
//! hundreds at once is itself slow, and does not slow down a neighbour that runs one. An account that has used more
//! than an equal part gets what the others leave, see [`crate::processors`].

use std::collections::HashMap;
use std::sync::MutexGuard;
use std::time::Duration;

use sandbox::CpuWeight;
use types::AccountId;

use crate::environment::Environment;
use crate::plan;
use crate::processors::{Look, Processors};
use crate::service::Service;

/// The least share that is weighed, thousandths of a processor. The kernel lets who weighs little wait long
/// for its turn, however little it wants of it; what it takes is bounded by its limit anyway.
const SHARE_MIN: u32 = 250;

/// All environments of the only account weigh at most this many times what the machine has: with a few
/// for each processor, as a busy function has them, each weighs its share. If there are other accounts, at most once.
const ALONE_MAX: u64 = 8;

/// How many times its share a quick environment weighs. When the kernel lets it run depends on that: it is due
/// after the kernel's slice, divided by its weight. What it uses of the processors hardly does.
const QUICK_TIMES: u32 = 8;

/// The share of processors that memory buys, as it is weighed; thousandths of one.
fn share(memory_mb: u32) -> u32 {
    plan::cpu_millis(memory_mb).max(SHARE_MIN)
}

/// What an environment with a share weighs in an account whose environments have `together`, on a machine
/// of `machine`; all in thousandths of a processor. Never 0.
pub(crate) fn weight(share: u32, together: u64, machine: u32, alone: bool) -> u32 {
    let most = u64::from(machine) * if alone { ALONE_MAX } else { 1 };
    let weight = u64::from(share) * most / together.max(most).max(1);
    u32::try_from(weight).unwrap_or(share).max(1)
}

/// Whether a weight is so far from what it should be, by more than a quarter, that it is set again.
fn differs(set: CpuWeight, wanted: CpuWeight) -> bool {
    match (set, wanted) {
        (CpuWeight::Share(set), CpuWeight::Share(wanted)) => set.abs_diff(wanted) > wanted / 4,
        _ => is_another_kind(set, wanted),
    }
}

fn is_another_kind(set: CpuWeight, wanted: CpuWeight) -> bool {
    (set == CpuWeight::Rest) != (wanted == CpuWeight::Rest)
}

impl Service {
    /// What a new environment with this memory weighs: its account's others are adjusted later.
    pub(crate) fn first_weight(&self, account: &AccountId, memory_mb: u32) -> CpuWeight {
        let share = share(memory_mb);
        let (busy, alone) = {
            let processors = self.processors();
            (processors.is_busy(account), processors.is_alone(account))
        };
        if busy {
            return CpuWeight::Rest;
        }
        let others = self.made().into_iter().filter(|one| !one.is_frozen());
        let others = others.filter(|one| one.account() == account);
        let together = others.map(|one| u64::from(one.share())).sum::<u64>();
        let together = together + u64::from(share);
        CpuWeight::Share(weight(share, together, self.machine_millis, alone))
    }

    /// Weighs all by what they used `since` the last time. The share of a frozen one is right within a second
    /// of its next invoke.
    pub(crate) fn weigh_all(&self, since: Duration) {
        let made = self.made();
        let mut together = HashMap::<&AccountId, u64>::new();
        for one in made.iter().filter(|one| !one.is_frozen()) {
            *together.entry(one.account()).or_default() += u64::from(one.share());
        }
        let mut wanted = Vec::with_capacity(made.len());
        {
            let mut processors = self.processors();
            let looks = made.iter().map(|one| Look {
                id: one.id,
                account: one.account(),
                used: (!one.is_frozen() || !processors.has_seen(one.id))
                    .then(|| one.sandbox.cpu_used())
                    .flatten(),
                begun: one.begun(),
            });
            let looks: Vec<_> = looks.collect();
            processors.look(&looks, since, self.machine_millis);
            wanted.extend(made.iter().map(|one| {
                let account = one.account();
                if processors.is_busy(account) {
                    return CpuWeight::Rest;
                }
                let alone = processors.is_alone(account);
                let together = together.get(account).copied().unwrap_or(0);
                let weight = weight(one.share(), together, self.machine_millis, alone);
                CpuWeight::Share(match processors.is_quick(one.id) {
                    true => weight.saturating_mul(QUICK_TIMES),
                    false => weight,
                })
            }));
        }
        for (one, wanted) in made.iter().zip(wanted) {
            one.weigh(wanted);
        }
    }

    fn processors(&self) -> MutexGuard<'_, Processors> {
        self.processors
            .lock()
            .expect("no code panics while it holds the processors")
    }
}

impl Environment {
    fn account(&self) -> &AccountId {
        &self.function.scope.account
    }

    /// The share of processors that its memory buys, as it is weighed; thousandths of one.
    fn share(&self) -> u32 {
        share(self.function.configuration.memory_mb)
    }

    fn weigh(&self, wanted: CpuWeight) {
        let mut weight = self
            .weight
            .lock()
            .expect("no code panics while it holds a weight");
        let differs = match self.is_frozen() {
            true => is_another_kind(*weight, wanted),
            false => differs(*weight, wanted),
        };
        if !differs {
            return;
        }
        match self.sandbox.weigh_cpu(wanted) {
            Ok(()) => *weight = wanted,
            // It may have ended. If not, it keeps the weight it has, and is tried again.
            Err(error) if !self.is_dead() => {
                tracing::warn!(environment = %self.id, %error, "could not change an environment's CPU weight");
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
        assert_eq!(weight(250, 250, 2_000, false), 250);
        assert_eq!(weight(1_000, 16_000, 2_000, true), 1_000);
        // The smallest do not wait for their turn for ever.
        assert_eq!((share(128), share(1_769)), (250, 1_000));
    }

    #[test]
    fn those_of_one_account_together_have_a_greatest_weight() {
        for (share, count) in [(250, 200), (1_000, 50), (5_788, 3), (1, 1_000_000)] {
            let together = u64::from(share) * count;
            let all = u64::from(weight(share, together, 2_000, false)) * count;
            // A weight of 1 is the least there is.
            assert!(all <= 2_000.max(count), "{count} of {share} weigh {all}");
        }
        // Among themselves they differ as their memory does.
        assert_eq!(weight(1_000, 20_000, 2_000, false), 100);
        assert_eq!(weight(100, 20_000, 2_000, false), 10);
    }

    #[test]
    fn a_weight_is_set_anew_if_it_is_off_by_a_quarter() {
        let shares = |set, wanted| differs(CpuWeight::Share(set), CpuWeight::Share(wanted));
        assert!(!shares(100, 100) && !shares(100, 110) && !shares(1, 1));
        assert!(shares(100, 70) && shares(100, 200) && shares(2, 1));
        assert!(differs(CpuWeight::Rest, CpuWeight::Share(1)));
        assert!(differs(CpuWeight::Share(1), CpuWeight::Rest));
        assert!(!differs(CpuWeight::Rest, CpuWeight::Rest));
    }
}
