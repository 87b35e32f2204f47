//! Callees that are all alike: those of this zone first, each as often as the others; then those that drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::membership::{Member, State, View};
use far::{Line, Lines};
use membership::Views;
use types::Role;

use super::lines::LinesByAddress;

/// How many are tried for one call.
const TRIES: usize = 4;

/// See the module.
pub(super) struct AnyOf {
    role: Role,
    zone: String,
    views: Views,
    lines: Arc<LinesByAddress>,
    turn: AtomicUsize,
}

impl AnyOf {
    pub(super) fn new(role: Role, zone: String, views: Views, lines: Arc<LinesByAddress>) -> Self {
        Self {
            role,
            zone,
            views,
            lines,
            turn: AtomicUsize::new(0),
        }
    }
}

impl Lines for AnyOf {
    fn lines(&self) -> Vec<Line> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let view = self.views.borrow().clone();
        let addresses = order(&view, self.role, &self.zone, turn);
        addresses
            .into_iter()
            .map(|address| self.lines.to(self.role, address))
            .collect()
    }
}

/// Where a call goes, in the order in which it is tried.
fn order(view: &View, role: Role, zone: &str, turn: usize) -> Vec<SocketAddr> {
    let candidates = view
        .members
        .iter()
        .filter(|member| member.roles.contains(&role) && member.state != State::Starting);
    let mut candidates: Vec<&Member> = candidates.collect();
    let count = candidates.len().max(1);
    candidates.rotate_left(turn % count);
    candidates.sort_by_key(|member| (member.state, member.zone != zone));
    candidates.truncate(TRIES);
    candidates.iter().map(|member| member.address).collect()
}

/// Callees of several roles, the first one's first, and where some with the role placement are before anything is known of
/// others.
pub(super) struct OrSeeds {
    any: Vec<Arc<AnyOf>>,
    seeds: Vec<SocketAddr>,
    lines: Arc<LinesByAddress>,
}

impl OrSeeds {
    pub(super) fn new(
        any: Vec<Arc<AnyOf>>,
        seeds: Vec<SocketAddr>,
        lines: Arc<LinesByAddress>,
    ) -> Self {
        Self { any, seeds, lines }
    }
}

impl Lines for OrSeeds {
    fn lines(&self) -> Vec<Line> {
        let any = self.any.iter().flat_map(|any| any.lines());
        let seeds = self.seeds.iter();
        any.chain(seeds.map(|seed| self.lines.to(Role::Placement, *seed)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use types::{ProcessId, SystemRandom};

    use super::*;

    fn member(port: u16, zone: &str, state: State) -> Member {
        Member {
            process: ProcessId::random(&SystemRandom),
            host: "h".to_owned(),
            zone: zone.to_owned(),
            roles: [Role::Identity].into(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            version: String::new(),
            worker: None,
            runtimes: api::membership::Runtimes::default(),
            state,
        }
    }

    fn ports(view: &View, turn: usize) -> Vec<u16> {
        let addresses = order(view, Role::Identity, "a", turn);
        addresses.iter().map(SocketAddr::port).collect()
    }

    #[test]
    fn the_own_zone_comes_first_and_what_drains_last() {
        let view = View {
            members: vec![
                member(1, "b", State::Ready),
                member(2, "a", State::Draining),
                member(3, "a", State::Ready),
                member(4, "a", State::Ready),
                member(5, "a", State::Starting),
            ],
            ..View::default()
        };
        assert_eq!(ports(&view, 0), [3, 4, 1, 2]);
        assert_eq!(ports(&view, 3), [4, 3, 1, 2], "each gets its turn");
        assert!(order(&view, Role::Counting, "a", 0).is_empty());
        assert!(order(&View::default(), Role::Identity, "a", 7).is_empty());
    }
}
