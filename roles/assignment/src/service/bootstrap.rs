//! How a partition comes to life: replay its journal, claim it, ask the workers what lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::Position;
use storage::journal::APPEND_RECORDS_MAX;
use types::EnvironmentId;

use super::partition::Partition;
use super::{Dependencies, Error, Shared, writer};
use crate::command::Command;
use crate::state::State;

/// Replays the journal from its oldest record and claims the lead.
pub(super) async fn lead(name: String, dependencies: &Dependencies) -> Result<Partition, Error> {
    let Dependencies {
        journal, random, ..
    } = dependencies;
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
            Ok(Partition::new(name, state, after))
        }
        Err(writer::Fenced) => Err(Error::Fenced { partition: name }),
    }
}

/// Asks the workers which of the replayed environments live. A worker nobody knows is gone, and
/// its environments with it: a worker's id is that of one run of its process. Those of one that does not answer
/// may be at work: they are lent again when it says that they are idle.
pub(super) async fn recover(shared: &Arc<Shared>, index: usize) {
    let workers = shared.partitions[index].lock().state.workers();
    let mut living: BTreeMap<EnvironmentId, bool> = BTreeMap::new();
    for id in workers {
        if let Some(worker) = shared.dependencies.workers.worker(id) {
            match worker.environments().await {
                Ok(environments) => living.extend(environments),
                Err(_) => {
                    let partition = shared.partitions[index].lock();
                    let there = partition.state.environments_on(id);
                    living.extend(there.map(|environment| (environment, true)));
                }
            }
        }
    }
    shared.act(index, |state, now| state.recover(now, &living));
}
