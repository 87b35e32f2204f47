//! Writes a partition's journal: all that waits in one append, one append at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::{Appended, Journal, Position, Record};
use types::Backoff;

use super::Shared;
use super::partition::Partition;

/// Between two tries of a journal that does not answer, at first and at most. Nothing warm waits
/// for it; new environments wait for [`crate::Config::append_timeout`] and are given up then.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Somebody else has written to the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fenced;

/// Writes what comes into the partition's outbox until it is let go or fenced.
pub(super) async fn run(shared: &Shared, partition: &Arc<Partition>) -> Result<(), Fenced> {
    loop {
        let (entries, next) = {
            let mut inner = partition.lock();
            (
                inner.take_outbox(storage::journal::APPEND_RECORDS_MAX),
                inner.next,
            )
        };
        if entries.is_empty() {
            if partition.lock().closing {
                return Ok(());
            }
            partition.woken().await;
            continue;
        }
        let records: Vec<Bytes> = entries.iter().map(|entry| entry.bytes.clone()).collect();
        let count = u64::try_from(records.len()).expect("it is a thousand at most");
        let journal = &*shared.dependencies.journal;
        match append(journal, &partition.name, next, records).await {
            Ok(after) => {
                shared.metrics.records_appended.inc_by(count);
                let mut inner = partition.lock();
                inner.next = after;
                for (place, entry) in (next.0..).zip(entries) {
                    if let Some(environment) = entry.created {
                        inner.state.recorded(environment, Position(place));
                    }
                    if let Some(durable) = entry.durable {
                        // A creation that has given up meanwhile does not listen; its record stays
                        // until its `Retired`.
                        let _ = durable.send(());
                    }
                }
            }
            Err(Fenced) => {
                tracing::warn!(
                    partition = partition.name,
                    "another replica leads now; this one stops lending"
                );
                partition.resign();
                return Err(Fenced);
            }
        }
    }
}

/// Appends at `expected`, as often as it takes to know the outcome. Says the next position.
pub(super) async fn append(
    journal: &dyn Journal,
    partition: &str,
    expected: Position,
    records: Vec<Bytes>,
) -> Result<Position, Fenced> {
    let mut pauses = Backoff::new(RETRY_FIRST, RETRY_MAX);
    let mut tried = false;
    loop {
        match journal.append(partition, expected, records.clone()).await {
            Appended::Done { next } => return Ok(next),
            Appended::Fenced { .. } if !tried => return Err(Fenced),
            // Either way an earlier try of ours may be what is there: only reading tells.
            Appended::Fenced { .. } | Appended::Unknown => {}
        }
        tried = true;
        match journal.read(partition, expected, records.len()).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) if are_ours(&found, expected, &records) => {
                return Ok(Position(expected.0 + records.len() as u64));
            }
            Ok(_) => return Err(Fenced),
            Err(error) => tracing::warn!(
                partition,
                error = &error as &dyn std::error::Error,
                "a journal does not answer; it is tried again"
            ),
        }
        tokio::time::sleep(pauses.pause()).await;
    }
}

fn are_ours(found: &[Record], expected: Position, records: &[Bytes]) -> bool {
    let found = found
        .iter()
        .map(|record| (record.position.0, &record.bytes));
    found.eq((expected.0..).zip(records))
}
