//! Whose turn it is in an environment. Pure.
//!
//! ```text
//!   none ──begin──▶ one ──answer──▶ one, answered ──begin──▶ one, answered + one behind it
//!     ▲              │                    │                              │
//!     └─────end──────┴────────end─────────┘◀────────────end──────────────┘
//! ```
//!
//! Invariant: at most two turns are under way, and the second begins only when the first has its
//! answer: its runtime is about to ask for the next event.

use api::assignment::LeaseNumber;

/// Invokes that have begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Turns {
    begun: u64,
    under_way: u8,
    answered: bool,
    refused: bool,
    /// The highest lease by which it was to be used.
    seen: LeaseNumber,
}

/// Why an invoke does not get a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoTurn {
    /// Another has it.
    Busy,
    /// The lease was seen before, or a newer one: its invoke may have run.
    Late,
}

/// What the end of a turn leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TurnEnd {
    /// No invoke is under way any more.
    pub(crate) idle: bool,
    /// Somebody was refused since nothing was under way: assignment holds that it is lent to them.
    pub(crate) refused: bool,
}

impl Turns {
    /// Takes the next turn for the invoke of a lease. A lease that is refused is never good again.
    pub(crate) fn begin(&mut self, lease: LeaseNumber) -> Result<u64, NoTurn> {
        if lease <= self.seen {
            return Err(NoTurn::Late);
        }
        self.seen = lease;
        let free = match self.under_way {
            0 => true,
            1 => self.answered,
            _ => false,
        };
        if !free {
            self.refused = true;
            return Err(NoTurn::Busy);
        }
        self.begun += 1;
        self.under_way += 1;
        self.answered = false;
        Ok(self.begun)
    }

    /// The highest lease there has been.
    pub(crate) fn seen(&self) -> LeaseNumber {
        self.seen
    }

    /// This turn's invoke has its answer. Only the last to have begun can say so.
    pub(crate) fn answer(&mut self, turn: u64) {
        if self.begun == turn {
            self.answered = true;
        }
    }

    /// A turn is over; `refused` if its invoke never ran.
    pub(crate) fn end(&mut self, refused: bool) -> TurnEnd {
        self.under_way -= 1;
        self.refused |= refused;
        let idle = self.under_way == 0;
        let end = TurnEnd {
            idle,
            refused: self.refused,
        };
        if idle {
            self.refused = false;
        }
        end
    }

    /// How many invokes have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun
    }

    /// Whether an invoke is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.under_way > 0
    }

    /// Whether nothing has happened since this turn, which is over.
    pub(crate) fn is_idle_since(&self, turn: u64) -> bool {
        self.begun == turn && !self.is_busy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WENT_WELL: bool = false;
    const REFUSED: bool = true;

    fn lease(count: u64) -> LeaseNumber {
        LeaseNumber { term: 1, count }
    }

    #[test]
    fn one_lease_is_good_for_one_invoke() {
        let mut turns = Turns::default();
        turns.begin(lease(2)).unwrap();
        assert_eq!(turns.begin(lease(2)), Err(NoTurn::Late));
        assert_eq!(turns.begin(lease(3)), Err(NoTurn::Busy));
        turns.end(WENT_WELL);
        // What was refused runs elsewhere by now.
        for late in [1, 2, 3] {
            assert_eq!(turns.begin(lease(late)), Err(NoTurn::Late));
        }
        assert_eq!(turns.seen(), lease(3));
        let by_another_leader = LeaseNumber { term: 2, count: 1 };
        turns.begin(by_another_leader).unwrap();
    }

    #[test]
    fn one_invoke_runs_at_a_time() {
        let mut turns = Turns::default();
        assert_eq!(turns.begin(lease(1)), Ok(1));
        assert_eq!(turns.begin(lease(2)), Err(NoTurn::Busy));
        assert!(turns.is_busy());
    }

    #[test]
    fn one_more_may_wait_behind_an_answered_one() {
        let mut turns = Turns::default();
        turns.begin(lease(3)).unwrap();
        turns.answer(1);
        assert_eq!(turns.begin(lease(4)), Ok(2));
        assert_eq!(turns.begin(lease(5)), Err(NoTurn::Busy));
        // The first can't answer for the second.
        turns.answer(1);
        assert_eq!(turns.begin(lease(6)), Err(NoTurn::Busy));
        assert!(!turns.end(WENT_WELL).idle);
        assert!(turns.end(WENT_WELL).idle);
    }

    #[test]
    fn who_was_refused_is_remembered_until_it_is_idle() {
        let mut turns = Turns::default();
        turns.begin(lease(7)).unwrap();
        assert_eq!(turns.begin(lease(8)), Err(NoTurn::Busy));
        let end = turns.end(WENT_WELL);
        assert!(end.idle && end.refused);
        turns.begin(lease(9)).unwrap();
        assert!(!turns.end(WENT_WELL).refused);
        turns.begin(lease(10)).unwrap();
        turns.answer(3);
        turns.begin(lease(11)).unwrap();
        assert!(!turns.end(WENT_WELL).idle);
        let end = turns.end(REFUSED);
        assert!(end.idle && end.refused);
    }

    #[test]
    fn it_is_idle_only_since_its_last_turn() {
        let mut turns = Turns::default();
        assert!(turns.is_idle_since(0));
        turns.begin(lease(12)).unwrap();
        assert!(!turns.is_idle_since(1));
        turns.end(WENT_WELL);
        assert!(turns.is_idle_since(1) && !turns.is_idle_since(0));
    }
}
