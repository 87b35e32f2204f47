//! What a member does about what it sees. Pure.
//!
//! Every member computes its fair share from the members it believes alive, takes what is free
//! until it has its share, and gives back what it has beyond it. Nobody takes from the living: who
//! has too much gives up by itself at its next beat. So at every moment at most one believes to hold.

use std::collections::BTreeSet;
use std::time::Duration;

use types::fnv;

use crate::view::{Kind, View};

/// One step of a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Take a work that nobody holds, or whose holder is silent.
    Take(String),
    /// Give a work back: more than the share, or not wanted any more.
    Give(String),
    /// Remove a row that means nothing any more: of a work that is not wanted and whose holder is
    /// silent, or of a member that has been silent for long.
    Forget(Kind, String),
}

/// Terms of silence after which a member's row is removed.
const FORGET_TERMS: u32 = 10;

/// The steps of member `me` at `now` (time since it began), where `wanted` is all the work there is.
pub(crate) fn decide(
    view: &View,
    me: &str,
    wanted: &BTreeSet<String>,
    now: Duration,
    term: Duration,
) -> Vec<Step> {
    let (kept, unwanted): (Vec<&String>, Vec<&String>) =
        view.held_by(me).partition(|work| wanted.contains(*work));
    let mut steps: Vec<Step> = unwanted.into_iter().cloned().map(Step::Give).collect();
    steps.extend(meaningless(view, wanted, now, term));
    let others = view
        .members
        .iter()
        .filter(|(name, seen)| *name != me && !seen.is_stale(now, term));
    let members = others.count() + 1;
    let share = wanted.len().div_ceil(members);
    if kept.len() > share {
        let beyond = &kept[share..];
        steps.extend(beyond.iter().map(|work| Step::Give((*work).clone())));
        return steps;
    }
    let free = wanted.iter().filter(|work| match view.works.get(*work) {
        None => true,
        Some(seen) => seen.claim.holder != me && seen.is_stale(now, term),
    });
    // Members begin at different places, so that they seldom reach for the same work.
    let free: Vec<&String> = free.collect();
    let from = turn(me) % free.len().max(1);
    let ordered = free[from..].iter().chain(&free[..from]);
    let room = share - kept.len();
    steps.extend(ordered.take(room).map(|work| Step::Take((*work).clone())));
    steps
}

/// A number of a member's own.
fn turn(member: &str) -> usize {
    let hash = fnv::hash_32(&[member.as_bytes()]);
    // FNV's low bits are its weakest; fold the high half in before a remainder is taken.
    ((hash >> 16) ^ hash) as usize
}

fn meaningless(
    view: &View,
    wanted: &BTreeSet<String>,
    now: Duration,
    term: Duration,
) -> impl Iterator<Item = Step> {
    let works = view
        .works
        .iter()
        .filter(move |(work, seen)| !wanted.contains(*work) && seen.is_stale(now, term))
        .map(|(work, _)| Step::Forget(Kind::Work, work.clone()));
    let members = view
        .members
        .iter()
        .filter(move |(_, seen)| seen.is_stale(now, term * FORGET_TERMS))
        .map(|(member, _)| Step::Forget(Kind::Member, member.clone()));
    works.chain(members)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::Revision;

    use super::*;
    use crate::view::{Claim, Seen};

    const TERM: Duration = Duration::from_secs(10);

    fn seen(holder: &str, at_secs: u64) -> Seen {
        Seen {
            claim: Claim {
                holder: holder.to_owned(),
                beat: 0,
            },
            revision: Revision(1),
            at: Duration::from_secs(at_secs),
        }
    }

    fn view(works: &[(&str, &str, u64)], members: &[(&str, u64)]) -> View {
        let mut view = View::default();
        for (work, holder, at) in works {
            view.put(Kind::Work, work, seen(holder, *at));
        }
        for (member, at) in members {
            view.put(Kind::Member, member, seen(member, *at));
        }
        view
    }

    fn check(view: &View, wanted: &[&str], expected: &[Step]) {
        let wanted = wanted.iter().map(|work| (*work).to_owned()).collect();
        let steps = decide(view, "me", &wanted, Duration::from_secs(20), TERM);
        let sorted = |mut steps: Vec<Step>| {
            steps.sort_by_key(|step| format!("{step:?}"));
            steps
        };
        assert_eq!(sorted(steps), sorted(expected.to_vec()));
    }

    fn take(work: &str) -> Step {
        Step::Take(work.to_owned())
    }

    fn give(work: &str) -> Step {
        Step::Give(work.to_owned())
    }

    #[test]
    fn alone_it_takes_everything_that_is_free() {
        check(&view(&[], &[]), &["a", "b"], &[take("a"), take("b")]);
        check(&view(&[("a", "me", 15)], &[("me", 15)]), &["a"], &[]);
    }

    #[test]
    fn the_living_keep_theirs_and_the_silent_lose_theirs() {
        let members = [("me", 19), ("alive", 19), ("dead", 5)];
        let works = [("a", "alive", 15), ("b", "dead", 5)];
        check(&view(&works, &members), &["a", "b"], &[take("b")]);
    }

    #[test]
    fn what_is_beyond_the_share_or_not_wanted_is_given_back() {
        let members = [("me", 19), ("new", 19)];
        let works = [("a", "me", 15), ("b", "me", 15), ("gone", "me", 15)];
        check(
            &view(&works, &members),
            &["a", "b"],
            &[give("b"), give("gone")],
        );
    }

    #[test]
    fn rows_that_mean_nothing_are_removed() {
        let mut view = view(&[("old", "dead", 5)], &[("dead", 5), ("me", 20)]);
        check(&view, &[], &[Step::Forget(Kind::Work, "old".to_owned())]);
        view.remove(Kind::Work, "old");
        let later = Duration::from_secs(105);
        view.put(
            Kind::Member,
            "me",
            Seen {
                revision: Revision(2),
                ..seen("me", 104)
            },
        );
        let steps = decide(&view, "me", &BTreeSet::new(), later, TERM);
        assert_eq!(steps, [Step::Forget(Kind::Member, "dead".to_owned())]);
    }

    #[test]
    fn nothing_wanted_is_nothing_to_do() {
        check(&view(&[], &[("new", 19)]), &[], &[]);
    }

    proptest! {
        /// Members that step one after the other, over what all see at once, come to rest with every
        /// work held and nobody above the share.
        #[test]
        fn shares_even_out(works in 1_usize..30, members in 1_usize..6) {
            let wanted: BTreeSet<String> = (0..works).map(|n| format!("w{n}")).collect();
            let names: Vec<String> = (0..members).map(|n| format!("m{n}")).collect();
            let now = Duration::from_secs(20);
            let mut view = View::default();
            for name in &names {
                view.put(Kind::Member, name, seen(name, 20));
            }
            for work in &wanted {
                view.put(Kind::Work, work, seen("m0", 20));
            }
            for _ in 0..3 {
                for name in &names {
                    for step in decide(&view, name, &wanted, now, TERM) {
                        match step {
                            Step::Take(work) => {
                                prop_assert!(!view.works.contains_key(&work));
                                view.put(Kind::Work, &work, seen(name, 20));
                            }
                            Step::Give(work) => view.remove(Kind::Work, &work),
                            Step::Forget(..) => prop_assert!(false, "all are alive"),
                        }
                    }
                }
            }
            prop_assert_eq!(view.works.len(), works);
            let share = works.div_ceil(members);
            for name in &names {
                let held = view.works.values().filter(|seen| seen.claim.holder == *name).count();
                prop_assert!(held <= share);
            }
        }
    }
}
