//! How a partition comes to life: replay its journal, claim it, ask the workers what lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use storage::Position;
use storage::journal::APPEND_RECORDS_MAX;
use types::{EnvironmentId, WorkerId};

use super::census::Found;
use super::partition::Partition;
use super::strays::end_strays;
use super::{Dependencies, Error, Shared, writer};
use crate::command::Command;
use crate::leads::partition_name;
use crate::state::State;

/// Leads a partition from here on.
pub(super) async fn gain(shared: &Arc<Shared>, number: u32) -> Result<Arc<Partition>, Error> {
    let partition = Arc::new(claim(number, &shared.dependencies).await?);
    let live = shared.dependencies.live.borrow().clone();
    recover(shared, &partition, &live.alive).await;
    shared.led.lead(Arc::clone(&partition));
    // Who follows the workers has not told this partition of those that went meanwhile.
    let now = shared.dependencies.live.borrow().clone();
    shared.tell_of_workers(&partition, &live, &now);
    tracing::info!(partition = partition.name, "a partition is led");
    Ok(partition)
}

/// Replays the journal from its oldest record and claims the lead.
async fn claim(number: u32, dependencies: &Dependencies) -> Result<Partition, Error> {
    let Dependencies {
        journal, random, ..
    } = dependencies;
    let name = partition_name(number);
    let storage = |source| Error::Storage {
        partition: name.clone(),
        source,
    };
    // Asked for before the reading: if nothing is left to read, the next record goes here, and one
    // that came in between fences the claim.
    let mut next = journal.tail(&name).await.map_err(storage)?;
    let mut from = Position(0);
    let mut state = State::default();
    loop {
        let records = journal
            .read(&name, from, APPEND_RECORDS_MAX)
            .await
            .map_err(storage)?;
        let Some(last) = records.last() else { break };
        from = Position(last.position.0 + 1);
        next = next.max(from);
        for record in &records {
            let command = Command::decode(&record.bytes).map_err(|source| Error::Record {
                partition: name.clone(),
                position: record.position.0,
                source: Box::new(source),
            })?;
            state.apply(&command);
            if let Command::Created(created) = &command {
                state.recorded(created.environment, record.position);
            }
        }
    }
    let claim = Command::Claimed {
        leader: random.next_u64(),
        term: next.0,
    };
    match writer::append(&**journal, &name, next, vec![claim.encode()]).await {
        Ok(after) => {
            state.lead(next.0);
            Ok(Partition::new(number, state, after))
        }
        Err(writer::Fenced) => Err(Error::Fenced { partition: name }),
    }
}

/// Asks the workers which of the replayed environments live, and whether there are others. Those of a worker that
/// does not answer may be at work: they are lent again when it says that they are idle. So may those of one that is not
/// known: a process that has just joined learns of the others one after the other. `doubts` then finds out.
async fn recover(shared: &Arc<Shared>, partition: &Arc<Partition>, alive: &BTreeSet<WorkerId>) {
    let mut workers = partition.lock().state.workers();
    workers.extend(alive);
    let census = shared.census(workers).await;
    // Nobody says it again: there are no others.
    let all_known = shared.dependencies.live.has_changed().is_err();
    let mut living: BTreeMap<EnvironmentId, bool> = BTreeMap::new();
    for (worker, id) in partition.lock().state.places() {
        let busy = match census.find(worker, id) {
            Found::Living { busy } => busy,
            Found::Unknown => true,
            Found::Gone if !all_known && !alive.contains(&worker) => true,
            Found::Gone => continue,
        };
        living.insert(id, busy);
    }
    let draining = shared.dependencies.live.borrow().draining.clone();
    shared.act(partition, |state, now| {
        let mut effects = state.workers_are(&BTreeSet::new(), draining);
        effects.extend(state.recover(now, &living));
        effects
    });
    end_strays(shared, partition, &census);
}
