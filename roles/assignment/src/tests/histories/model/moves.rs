//! A history's partition moves to another leader, and workers are gone.

use std::collections::BTreeSet;

use api::assignment::LeaseNumber;
use types::{EnvironmentId, WorkerId};

use super::{Model, pick};
use crate::state::State;

impl Model {
    /// The next leader replays the journal and asks the workers.
    pub(super) fn move_on(&mut self, received: bool) {
        self.waiting.clear();
        self.patient.clear();
        for creation in std::mem::take(&mut self.creations) {
            self.orphans.extend(creation.recorded);
        }
        for id in std::mem::take(&mut self.destroying) {
            if !received {
                let function = self.function_of(id);
                self.free.insert(id, function);
            }
        }
        self.orphans.retain(|orphan| self.free.contains_key(orphan));
        self.term += 1_000;
        self.state = State::default();
        for command in &self.journal {
            self.state.apply(command);
        }
        self.state.lead(self.term);
        let draining = self.draining.clone();
        let effects = self.state.workers_are(&BTreeSet::new(), draining);
        assert_eq!(effects, []);
        let running = self.running.keys().map(|id| (*id, true));
        let free = self.free.keys();
        let free = free.map(|id| (*id, self.orphans.contains(id)));
        let living = running.chain(free).collect();
        let effects = self.state.recover(self.now, &living);
        self.carry_out(effects);
    }

    /// A worker has created what a former leader ordered, or has not; the leader asks, as it does when something is lent
    /// for long.
    pub(super) fn end_orphan(&mut self, which: usize, well: bool) {
        let Some(place) = pick(which, &self.orphans) else {
            return;
        };
        let id = self.orphans.swap_remove(place);
        let effects = match well {
            true => self.state.returned(self.now, id, LeaseNumber::default()),
            false => {
                self.free.remove(&id);
                self.state.gone(id)
            }
        };
        self.carry_out(effects);
    }

    /// A worker is gone with all that is on it. Creations there are tried elsewhere.
    pub(super) fn worker_gone(&mut self, gone: WorkerId) {
        let on = &self.on;
        let stays = |id: &EnvironmentId| on[id] != gone;
        self.running.retain(|id, _| stays(id));
        self.free.retain(|id, _| stays(id));
        self.orphans.retain(stays);
        self.destroying.retain(stays);
        let draining = self.draining.clone();
        let effects = self.state.workers_are(&[gone].into(), draining);
        self.carry_out(effects);
        for place in 0..self.creations.len() {
            let recorded = self.creations[place].recorded;
            if let Some(id) = recorded.filter(|id| self.on[id] == gone) {
                self.creations[place].recorded = None;
                let effects = self.state.give_up(id);
                self.carry_out(effects);
            }
        }
    }
}
