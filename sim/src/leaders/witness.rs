//! Sees what is written to the journal, and by which process: only by the one whose claim is the last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use storage::memory::MemoryJournal;
use storage::{Appended, Error, Journal, Position, Record};

/// What was seen.
#[derive(Default)]
pub(super) struct Notes {
    /// Who has claimed a partition last.
    claimed: BTreeMap<String, usize>,
    pub(super) wrong: Vec<String>,
}

/// The journal, as one process reaches it.
pub(super) struct Witness {
    process: usize,
    journal: Arc<MemoryJournal>,
    notes: Arc<Mutex<Notes>>,
}

impl Witness {
    pub(super) fn new(
        process: usize,
        journal: Arc<MemoryJournal>,
        notes: Arc<Mutex<Notes>>,
    ) -> Self {
        Self {
            process,
            journal,
            notes,
        }
    }

    fn note(&self, partition: &str, records: &[Bytes]) {
        let mut notes = super::locked(&self.notes);
        for record in records {
            let text = String::from_utf8_lossy(record);
            if text.contains(r#""claimed""#) {
                notes.claimed.insert(partition.to_owned(), self.process);
            } else if notes.claimed.get(partition) != Some(&self.process) {
                let (process, claimed) = (self.process, notes.claimed.get(partition).copied());
                let wrong = format!(
                    "process {process} writes {text} to {partition}, claimed by {claimed:?}"
                );
                notes.wrong.push(wrong);
            }
        }
    }
}

#[async_trait]
impl Journal for Witness {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        let appended = self.journal.append(partition, expected, records.clone());
        let appended = appended.await;
        if let Appended::Done { .. } = appended {
            self.note(partition, &records);
        }
        appended
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        self.journal.read(partition, from, limit).await
    }

    async fn tail(&self, partition: &str) -> Result<Position, Error> {
        self.journal.tail(partition).await
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), Error> {
        self.journal.trim(partition, before).await
    }
}
