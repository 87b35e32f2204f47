//! The network between the roles of a world, an arrow at a time.

use std::sync::Arc;

use faulty::{Faults, Rates, Seeded};
use types::Random as _;

/// What happens to the calls of each arrow.
pub struct Network {
    /// To counting.
    pub counting: Arc<Faults>,
    /// To assignment, from frontends and workers.
    pub assignment: Arc<Faults>,
    /// To placement, from assignment and workers.
    pub placement: Arc<Faults>,
    /// From assignment to the issuer of keys.
    pub credentials: Arc<Faults>,
    /// To workers, from frontends and assignment.
    pub workers: Arc<Faults>,
    /// From assignment to its journal.
    pub journal: Arc<Faults>,
}

impl Network {
    /// One that is fast and loses nothing.
    pub(crate) fn begin(chance: &Seeded) -> Self {
        let quick = || Faults::new(chance.next_u64(), Rates::default());
        Self {
            counting: quick(),
            assignment: quick(),
            placement: quick(),
            credentials: quick(),
            workers: quick(),
            journal: quick(),
        }
    }

    /// From now on all arrows behave like this.
    pub fn set_arrows(&self, rates: Rates) {
        self.arrows()
            .into_iter()
            .for_each(|faults| faults.set(rates));
    }

    /// The latest faults, in order.
    pub fn history(&self) -> Vec<String> {
        let all = self.arrows().into_iter().chain([&self.journal]);
        let mut history: Vec<String> = all.flat_map(|faults| faults.history()).collect();
        history.sort();
        history
    }

    fn arrows(&self) -> [&Arc<Faults>; 5] {
        [
            &self.counting,
            &self.assignment,
            &self.placement,
            &self.credentials,
            &self.workers,
        ]
    }
}
