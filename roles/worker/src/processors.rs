//! What the processors are used for: which accounts use more of them than would be theirs if all were given
//! the same, and which environments want one only for a moment at a time.
//!
//! An account that uses more is *busy*: its environments get what the others leave. It loses nothing by that as
//! long as the others want no more than they get, and theirs need not wait for it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use types::{AccountId, EnvironmentId};

/// An account becomes busy with this many fourths of its equal part, and is so until it uses less than
/// four: two that use the same do not take turns.
const BUSY_FROM_FOURTHS: u64 = 5;

/// No equal part is less than this part of a machine: among many accounts, one that uses little more than most
/// is not slowed down like one that uses everything.
const PARTS_MAX: u64 = 4;

/// An environment is *quick* whose invokes take less of a processor than this, each: the kernel looks only
/// every four milliseconds, or more seldom, whether somebody else should have the processor.
const QUICK: Duration = Duration::from_millis(4);

/// What the accounts of a machine used of its processors, from look to look.
#[derive(Default)]
pub(crate) struct Processors {
    /// Each environment at the last measurement.
    seen: HashMap<EnvironmentId, Seen>,
    /// What each account uses, thousandths of a processor: at each look the mean of before and now.
    uses: HashMap<AccountId, u64>,
    busy: HashSet<AccountId>,
}

/// An environment as it was.
#[derive(Clone, Copy, Default)]
struct Seen {
    used: Duration,
    begun: u64,
    quick: bool,
}

/// An environment at a look.
pub(crate) struct Look<'a> {
    pub(crate) id: EnvironmentId,
    pub(crate) account: &'a AccountId,
    /// Its processor time since it was made. `None` if it is frozen, or if it is not known: as it was before.
    pub(crate) used: Option<Duration>,
    /// How many invokes have begun in it.
    pub(crate) begun: u64,
}

impl Seen {
    /// How it is now, and how much processor time it has used since.
    fn now(self, one: &Look<'_>) -> (Self, Duration) {
        let Some(used) = one.used else {
            return (self, Duration::ZERO);
        };
        let since = used.saturating_sub(self.used);
        let invokes = u32::try_from(one.begun - self.begun).unwrap_or(u32::MAX);
        let quick = match invokes {
            // Of one that has worked all the time at an earlier invoke, that is known now.
            0 => self.quick && since < QUICK,
            _ => since / invokes < QUICK,
        };
        let now = Self {
            used,
            begun: one.begun,
            quick,
        };
        (now, since)
    }
}

impl Processors {
    /// Measures all environments of a machine that has `machine` thousandths of a processor, `since` the last
    /// look.
    pub(crate) fn look(&mut self, all: &[Look<'_>], since: Duration, machine: u32) {
        let mut now = HashMap::<&AccountId, Duration>::new();
        let mut seen = HashMap::with_capacity(all.len());
        for one in all {
            let before = self.seen.get(&one.id).copied().unwrap_or_default();
            let (after, used) = before.now(one);
            *now.entry(one.account).or_default() += used;
            seen.insert(one.id, after);
        }
        self.seen = seen;
        let since = since.as_micros().max(1);
        let uses = now.into_iter().map(|(account, used)| {
            let millis = used.as_micros().saturating_mul(1_000) / since;
            let millis = u64::try_from(millis).unwrap_or(u64::MAX / 2);
            let before = self.uses.get(account).copied().unwrap_or(0);
            (account.clone(), before.midpoint(millis))
        });
        self.uses = uses.collect();
        let equal = u64::from(machine) / (self.uses.len() as u64).clamp(1, PARTS_MAX);
        let busy = self.uses.iter().filter(|(account, millis)| {
            let least = match self.busy.contains(account) {
                true => equal,
                false => equal * BUSY_FROM_FOURTHS / 4,
            };
            **millis > least
        });
        self.busy = busy.map(|(account, _)| account.clone()).collect();
    }

    /// Whether an environment was there at the last look.
    pub(crate) fn has_seen(&self, id: EnvironmentId) -> bool {
        self.seen.contains_key(&id)
    }

    /// Whether an environment's invokes want a processor only for a moment each.
    pub(crate) fn is_quick(&self, id: EnvironmentId) -> bool {
        self.seen.get(&id).is_some_and(|seen| seen.quick)
    }

    /// Whether no other account has environments here.
    pub(crate) fn is_alone(&self, account: &AccountId) -> bool {
        self.uses.keys().all(|one| one == account)
    }

    /// Whether an account uses more than its equal part. One that is alone on a machine never does.
    pub(crate) fn is_busy(&self, account: &AccountId) -> bool {
        self.uses.len() > 1 && self.busy.contains(account)
    }
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    const MACHINE: u32 = 2_000;
    const SECOND: Duration = Duration::from_secs(1);

    /// One environment for each account, whose use of each second is given in thousandths.
    struct Machine {
        accounts: Vec<(EnvironmentId, AccountId, Duration)>,
        processors: Processors,
    }

    impl Machine {
        fn new(accounts: usize) -> Self {
            let one = |number: usize| {
                let account = AccountId::new(&format!("{number:012}")).unwrap();
                (
                    EnvironmentId::random(&SystemRandom),
                    account,
                    Duration::ZERO,
                )
            };
            Self {
                accounts: (1..=accounts).map(one).collect(),
                processors: Processors::default(),
            }
        }

        /// Which are busy after that many seconds.
        fn after(&mut self, seconds: u32, millis: &[u64]) -> Vec<bool> {
            for _ in 0..seconds {
                for (one, millis) in self.accounts.iter_mut().zip(millis) {
                    one.2 += Duration::from_millis(*millis);
                }
                let looks = self.accounts.iter().map(|(id, account, used)| Look {
                    id: *id,
                    account,
                    used: Some(*used),
                    begun: 0,
                });
                let looks: Vec<_> = looks.collect();
                self.processors.look(&looks, SECOND, MACHINE);
            }
            let accounts = self.accounts.iter();
            accounts
                .map(|(_, account, _)| self.processors.is_busy(account))
                .collect()
        }
    }

    #[test]
    fn who_uses_most_of_a_machine_is_busy_and_the_neighbour_is_not() {
        let mut machine = Machine::new(2);
        assert_eq!(machine.after(3, &[1_900, 100]), [true, false]);
        // Some seconds after it has stopped, it is as all others are.
        assert_eq!(machine.after(3, &[0, 100]), [false, false]);
    }

    #[test]
    fn one_that_is_alone_is_never_busy() {
        assert_eq!(Machine::new(1).after(10, &[2_000]), [false]);
    }

    #[test]
    fn beside_many_that_use_nothing_only_who_uses_much_is_busy() {
        let mut machine = Machine::new(20);
        let busy = machine.after(5, &[1_500, 130]);
        assert!(busy[0] && !busy[1..].contains(&true), "{busy:?}");
    }

    #[test]
    fn two_that_use_the_same_are_equals() {
        let mut machine = Machine::new(2);
        assert_eq!(machine.after(10, &[1_000, 1_000]), [false, false]);
        assert_eq!(machine.after(1, &[1_100, 900]), [false, false]);
        // Once busy, one is so until it uses less than its equal part.
        assert_eq!(machine.after(5, &[1_900, 100]), [true, false]);
        assert_eq!(machine.after(5, &[1_010, 990]), [true, false]);
        assert_eq!(machine.after(5, &[990, 1_010]), [false, false]);
    }

    #[test]
    fn a_frozen_environment_uses_nothing_and_is_not_counted_twice_when_it_wakes() {
        let mut machine = Machine::new(2);
        machine.after(3, &[1_900, 0]);
        let looks = |frozen: bool| {
            let looks = machine.accounts.iter().map(move |(id, account, all)| Look {
                id: *id,
                account,
                used: (!frozen).then_some(*all),
                begun: 0,
            });
            looks.collect::<Vec<_>>()
        };
        for frozen in [true, true, true, true, false] {
            let all = looks(frozen);
            machine.processors.look(&all, SECOND, MACHINE);
        }
        assert!(machine.processors.busy.is_empty());
    }

    /// Whether one environment is quick after each of some seconds, given each second's milliseconds
    /// and invokes.
    fn quick(seconds: &[(u64, u64)]) -> Vec<bool> {
        let id = EnvironmentId::random(&SystemRandom);
        let account = AccountId::new("000000000001").unwrap();
        let mut processors = Processors::default();
        let (mut all, mut begun) = (Duration::ZERO, 0);
        let mut second = |(millis, invokes): &(u64, u64)| {
            all += Duration::from_millis(*millis);
            begun += invokes;
            let look = Look {
                id,
                account: &account,
                used: Some(all),
                begun,
            };
            processors.look(&[look], SECOND, MACHINE);
            processors.is_quick(id)
        };
        seconds.iter().map(&mut second).collect()
    }

    #[test]
    fn who_wants_a_processor_for_a_moment_at_a_time_is_quick() {
        // Its init is not one.
        let seconds = [(30, 1), (300, 3_000), (0, 0), (900, 300)];
        assert_eq!(quick(&seconds), [false, true, true, true]);
    }

    #[test]
    fn invokes_are_counted_with_what_they_used() {
        let id = EnvironmentId::random(&SystemRandom);
        let account = AccountId::new("000000000001").unwrap();
        let mut processors = Processors::default();
        // It is frozen at the second look, after an invoke that computed.
        for (used, begun) in [(Some(1), 1), (None, 2), (Some(900), 2)] {
            let look = Look {
                id,
                account: &account,
                used: used.map(Duration::from_millis),
                begun,
            };
            processors.look(&[look], SECOND, MACHINE);
        }
        assert!(!processors.is_quick(id));
    }

    #[test]
    fn who_computes_is_not_quick_whether_its_invokes_end_or_not() {
        let seconds = [(10, 100), (260, 3), (10, 100), (900, 0), (900, 0)];
        assert_eq!(quick(&seconds), [true, false, true, false, false]);
    }
}
