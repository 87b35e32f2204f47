//! Assignment is divided into partitions: a call goes to the process that leads the function's partition. Where nobody
//! leads, or somebody else does since a moment, the answer is `Unavailable`, and the caller asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::assignment::{Assign, Assignment, Error, Lease, Lend, Provision, Report, Standing};
use async_trait::async_trait;
use far::Far;
use membership::Views;
use records::functions::FunctionKey;
use types::{ProcessId, Role, WorkerId};

use super::lines::LinesByAddress;

/// See the module.
pub(super) struct ByPartition {
    pub(super) partitions: u32,
    pub(super) views: Views,
    pub(super) near: Option<(ProcessId, Arc<dyn Assignment>)>,
    pub(super) lines: Arc<LinesByAddress>,
}

impl ByPartition {
    /// Who leads the function's partition.
    fn leader(&self, function: &FunctionKey) -> Option<ProcessId> {
        let partition = assignment::partition(function, self.partitions);
        let view = self.views.borrow();
        let name = assignment::partition_name(partition);
        view.leaders.get(&name).copied()
    }

    fn of(&self, function: &FunctionKey) -> Result<Arc<dyn Assignment>, Error> {
        let leader = self.leader(function).ok_or(Error::Unavailable)?;
        self.at(leader)
    }

    fn at(&self, process: ProcessId) -> Result<Arc<dyn Assignment>, Error> {
        match &self.near {
            Some((own, near)) if *own == process => return Ok(Arc::clone(near)),
            _ => {}
        }
        let view = self.views.borrow().clone();
        let mut members = view.members.iter();
        let member = members.find(|member| member.process == process);
        let address = member.ok_or(Error::Unavailable)?.address;
        let line = self.lines.to(Role::Assignment, address);
        Ok(Arc::new(Far::<dyn Assignment>::new(Arc::new(line))))
    }

    /// All that lead a partition.
    fn leaders(&self) -> impl Iterator<Item = ProcessId> {
        let view = self.views.borrow().clone();
        let leaders: BTreeSet<ProcessId> = view.leaders.values().copied().collect();
        leaders.into_iter()
    }
}

#[async_trait]
impl Assignment for ByPartition {
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, Error> {
        self.of(&request.function)?.lend(request).await
    }

    async fn assign(&self, request: Assign) -> Result<Lease, Error> {
        self.of(&request.function.key())?.assign(request).await
    }

    async fn give_back(&self, lease: Lease, function: FunctionKey) -> Result<(), Error> {
        self.of(&function)?.give_back(lease, function).await
    }

    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Option<Standing>>, Error> {
        let mut standings = vec![None; wanted.len()];
        // Each takes its own from the whole list, and learns that of others nothing is wanted any more.
        for leader in self.leaders() {
            let answers = match self.at(leader) {
                Ok(leader) => leader.provision(wanted.clone()).await,
                Err(error) => Err(error),
            };
            // Where nobody answers, nothing is known.
            let answers = answers.unwrap_or_default();
            for (standing, answer) in standings.iter_mut().zip(answers) {
                *standing = answer.or(standing.take());
            }
        }
        Ok(standings)
    }

    async fn report(&self, from: Option<WorkerId>, reports: Vec<Report>) -> Result<(), Error> {
        let mut parts: BTreeMap<Option<ProcessId>, Vec<Report>> = BTreeMap::new();
        for report in reports {
            let leader = self.leader(&report.function);
            parts.entry(leader).or_default().push(report);
        }
        let mut heard = Ok(());
        for (leader, part) in parts {
            let sent = match leader.map(|leader| self.at(leader)) {
                Some(Ok(leader)) => leader.report(from, part).await,
                _ => Err(Error::Unavailable),
            };
            // The others are told nevertheless; all are repeated until all have heard them.
            heard = heard.and(sent);
        }
        heard
    }
}
