//! How a history ends: everything comes to its end, or all goes well.

use super::{Model, Step};

impl Model {
    /// From here on all goes well: then exactly the requested environments exist.
    pub(in crate::tests) fn prosper(&mut self) {
        // What was made for a shorter life has been replaced by then.
        self.take(Step::Pass { seconds: 2_000 });
        for _ in 0..8 {
            self.wish();
            while !self.patient.is_empty() {
                self.lose_patience(0);
            }
            while let Some(creation) = self.creations.pop() {
                let recorded = creation.recorded.is_some();
                self.creations.insert(0, creation);
                if !recorded {
                    self.record(0, 7_000);
                }
                self.end_creation(0, true);
            }
            while let Some(id) = self.running.keys().next().copied() {
                self.give_back(id);
            }
            while !self.orphans.is_empty() {
                self.end_orphan(0, true);
            }
            while !self.destroying.is_empty() {
                self.take(Step::Destroyed(0));
            }
            self.take(Step::Pass { seconds: 1 });
        }
        let standings = self.state.standings();
        for which in 0..2 {
            let standing = standings.get(&self.key(which));
            let ready = standing.map_or(0, |standing| standing.ready);
            assert_eq!(ready as usize, self.wishes[which]);
            assert_eq!(standing.and_then(|standing| standing.failure.clone()), None);
        }
        assert_eq!(self.state.provisioned_that_leave(), 0);
    }

    /// Everything comes to its end: then nothing is left.
    pub(in crate::tests) fn settle(mut self) {
        while !self.patient.is_empty() {
            self.lose_patience(0);
        }
        while !self.creations.is_empty() {
            self.end_creation(0, true);
        }
        assert_eq!(self.waiting.len(), 0, "everybody has been answered");
        while !self.orphans.is_empty() {
            self.end_orphan(0, true);
        }
        while let Some(id) = self.running.keys().next().copied() {
            self.give_back(id);
        }
        let effects = self.state.drain();
        self.carry_out(effects);
        // Creations begun before continue and are found to be too late.
        while !self.creations.is_empty() {
            self.end_creation(0, true);
        }
        while !self.destroying.is_empty() {
            self.take(Step::Destroyed(0));
        }
        self.take(Step::Pass { seconds: 0 });
        self.state.assert_invariants(self.now, &self.journal);
        assert!(self.state.remembers_nothing());
    }
}
