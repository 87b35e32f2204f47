//! Counting is divided by account and region: the processes that count share them out, and all callers agree who counts
//! for whom as far as they see the same processes. While they do not, or after one has died, an account may have its limit
//! twice for as long as its invokes last.

use std::sync::Arc;

use api::counting::{Acquire, Counting, Error, Permit};
use api::membership::{Member, State, View};
use async_trait::async_trait;
use far::Far;
use membership::Views;
use types::{PermitId, ProcessId, Role, Scope, fnv};

use super::lines::LinesByAddress;

/// See the module.
pub(super) struct ByScope {
    pub(super) views: Views,
    pub(super) near: Option<(ProcessId, Arc<dyn Counting>)>,
    pub(super) lines: Arc<LinesByAddress>,
}

impl ByScope {
    fn of(&self, scope: &Scope) -> Result<Arc<dyn Counting>, Error> {
        let view = self.views.borrow().clone();
        let member = counts_for(&view, scope).ok_or(Error::Unavailable)?;
        match &self.near {
            Some((own, near)) if *own == member.process => Ok(Arc::clone(near)),
            _ => {
                let line = self.lines.to(Role::Counting, member.address);
                Ok(Arc::new(Far::<dyn Counting>::new(Arc::new(line))))
            }
        }
    }
}

/// The process with the highest hash of itself and the scope: when one comes or goes, only its own part moves.
fn counts_for<'v>(view: &'v View, scope: &Scope) -> Option<&'v Member> {
    let score = |member: &Member| {
        let process = member.process.as_uuid();
        let parts = [
            process.as_bytes().as_slice(),
            scope.account.as_str().as_bytes(),
            scope.region.as_str().as_bytes(),
        ];
        (fnv::hash_32(&parts), member.process)
    };
    let counting = |state: State| {
        let members = view.members.iter();
        members
            .filter(move |member| member.roles.contains(&Role::Counting) && member.state == state)
            .max_by_key(|member| score(member))
    };
    counting(State::Ready).or_else(|| counting(State::Draining))
}

#[async_trait]
impl Counting for ByScope {
    async fn acquire(&self, request: Acquire) -> Result<Permit, Error> {
        self.of(&request.scope)?.acquire(request).await
    }

    async fn release(&self, scope: Scope, permits: Vec<PermitId>) -> Result<(), Error> {
        self.of(&scope)?.release(scope, permits).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use types::{AccountId, Region, SystemRandom};

    use super::*;

    fn scope(number: u32) -> Scope {
        Scope {
            account: AccountId::new(&format!("{number:012}")).unwrap(),
            region: Region::new("us-east-1").unwrap(),
        }
    }

    #[test]
    fn accounts_are_shared_out_and_few_move_when_one_dies() {
        let members = (0..3).map(|_| Member {
            process: ProcessId::random(&SystemRandom),
            host: "h".to_owned(),
            zone: "a".to_owned(),
            roles: [Role::Counting].into(),
            address: "127.0.0.1:1".parse().unwrap(),
            version: String::new(),
            worker: None,
            runtimes: api::membership::Runtimes::default(),
            state: State::Ready,
        });
        let mut view = View {
            members: members.collect(),
            ..View::default()
        };
        let of = |view: &View| -> Vec<ProcessId> {
            let all = (0..300).map(|number| counts_for(view, &scope(number)).unwrap().process);
            all.collect()
        };
        let before = of(&view);
        let mut shares: BTreeMap<ProcessId, u32> = BTreeMap::new();
        for process in &before {
            *shares.entry(*process).or_default() += 1;
        }
        assert!(shares.values().all(|share| *share > 50), "{shares:?}");
        let dead = view.members.remove(0).process;
        for (before, after) in before.iter().zip(of(&view)) {
            assert!(*before == dead || *before == after);
        }
        assert!(counts_for(&View::default(), &scope(1)).is_none());
    }
}
