//! What is known of the cluster's rows, and who is silent. Pure.
//!
//! Time is counted in beats of this process that the table has acknowledged: while the table is away nobody can show
//! that it lives, and nobody counts as dead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::membership::{Member, View};
use serde::{Deserialize, Serialize};
use storage::Revision;
use types::ProcessId;

/// How often a process says that it lives.
pub const BEAT: Duration = Duration::from_millis(700);
/// A process whose row has not changed for this many beats is dead: within 3 s of its last.
const SILENT_BEATS: u64 = 4;
/// Then its row goes, too.
const FORGOTTEN_BEATS: u64 = 120;

/// A member's row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) member: Member,
    /// Only serves to change the row.
    pub(crate) beat: u64,
}

struct Seen {
    member: Member,
    revision: Revision,
    /// The beat at which this revision was first seen.
    at: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Acknowledged beats of this process.
    beats: u64,
    members: BTreeMap<ProcessId, Seen>,
    draining_hosts: BTreeSet<String>,
    revoked: BTreeSet<String>,
    leaders: BTreeMap<String, ProcessId>,
}

impl Ledger {
    /// A beat of this process was acknowledged.
    pub(crate) fn beat(&mut self) {
        self.beats += 1;
    }

    /// A member's row, as it is now.
    pub(crate) fn put(&mut self, member: Member, revision: Revision) {
        let known = self.members.get(&member.process);
        if known.is_none_or(|seen| seen.revision < revision) {
            let at = self.beats;
            let process = member.process;
            let seen = Seen {
                member,
                revision,
                at,
            };
            self.members.insert(process, seen);
        }
    }

    /// A member's row was deleted.
    pub(crate) fn remove(&mut self, process: ProcessId) {
        self.members.remove(&process);
    }

    pub(crate) fn drain(&mut self, host: &str, drains: bool) {
        set(&mut self.draining_hosts, host, drains);
    }

    pub(crate) fn revoke(&mut self, serial: &str, revoked: bool) {
        set(&mut self.revoked, serial, revoked);
    }

    /// Who leads a partition; `None` if nobody does.
    pub(crate) fn lead(&mut self, partition: &str, leader: Option<ProcessId>) {
        match leader {
            Some(leader) => self.leaders.insert(partition.to_owned(), leader),
            None => self.leaders.remove(partition),
        };
    }

    /// All rows will be read again: what was deleted meanwhile must not stay.
    pub(crate) fn begin_again(&mut self) {
        self.draining_hosts.clear();
        self.revoked.clear();
        self.leaders.clear();
        // They count as changed now, and are silent in time if their rows are gone.
        for seen in self.members.values_mut() {
            seen.at = self.beats;
        }
    }

    /// Who lives, and what else is known.
    pub(crate) fn view(&self) -> View {
        let alive = self.members.values().filter(|seen| self.lives(seen));
        View {
            members: alive.map(|seen| seen.member.clone()).collect(),
            draining_hosts: self.draining_hosts.clone(),
            revoked: self.revoked.clone(),
            leaders: self.leaders.clone(),
        }
    }

    /// Rows that mean nothing any more.
    pub(crate) fn forgotten(&self) -> Vec<(ProcessId, Revision)> {
        let silent = self
            .members
            .iter()
            .filter(|(_, seen)| self.beats.saturating_sub(seen.at) >= FORGOTTEN_BEATS);
        silent
            .map(|(process, seen)| (*process, seen.revision))
            .collect()
    }

    fn lives(&self, seen: &Seen) -> bool {
        self.beats.saturating_sub(seen.at) < SILENT_BEATS
    }
}

fn set(of: &mut BTreeSet<String>, name: &str, is_in: bool) {
    match is_in {
        true => of.insert(name.to_owned()),
        false => of.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use api::membership::State;
    use types::{Role, SystemRandom};

    use super::*;

    fn member() -> Member {
        Member {
            process: ProcessId::random(&SystemRandom),
            host: "h1".to_owned(),
            zone: "a".to_owned(),
            roles: [Role::Frontend].into(),
            address: "127.0.0.1:7100".parse().unwrap(),
            version: "1".to_owned(),
            worker: None,
            runtimes: api::membership::Runtimes::default(),
            state: State::Ready,
        }
    }

    fn alive(ledger: &Ledger) -> usize {
        ledger.view().members.len()
    }

    #[test]
    fn who_is_silent_for_four_beats_is_dead() {
        let mut ledger = Ledger::default();
        let one = member();
        ledger.put(one.clone(), Revision(1));
        for _ in 0..3 {
            ledger.beat();
            // The same row again is no sign of life.
            ledger.put(one.clone(), Revision(1));
        }
        assert_eq!(alive(&ledger), 1);
        ledger.beat();
        assert_eq!(alive(&ledger), 0);
        ledger.put(one.clone(), Revision(2));
        assert_eq!(alive(&ledger), 1, "it was only slow");
        for _ in 0..120 {
            assert!(ledger.forgotten().is_empty());
            ledger.beat();
        }
        assert_eq!(ledger.forgotten(), [(one.process, Revision(2))]);
        assert!(SILENT_BEATS as u32 * BEAT < Duration::from_secs(3));
    }

    #[test]
    fn while_the_table_is_away_nobody_dies() {
        let mut ledger = Ledger::default();
        ledger.put(member(), Revision(1));
        assert_eq!(alive(&ledger), 1);
    }

    #[test]
    fn what_was_deleted_while_nobody_watched_does_not_stay() {
        let mut ledger = Ledger::default();
        let one = member();
        ledger.put(one.clone(), Revision(1));
        ledger.drain("h1", true);
        ledger.revoke("01", true);
        ledger.lead("assignment-0", Some(one.process));
        let view = ledger.view();
        assert!(view.draining_hosts.contains("h1") && view.revoked.contains("01"));
        assert_eq!(view.leaders.get("assignment-0"), Some(&one.process));
        ledger.begin_again();
        let view = ledger.view();
        assert!(view.draining_hosts.is_empty() && view.revoked.is_empty());
        assert!(view.leaders.is_empty());
        assert_eq!(alive(&ledger), 1, "unless it is silent from now on");
        ledger.remove(one.process);
        assert_eq!(alive(&ledger), 0);
    }
}
