//! What functions do, as their events say, and the record of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// An event: what its function is to do with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Tells events apart.
    pub number: u64,
    /// How long it takes.
    pub millis: u64,
    /// Its outcome.
    pub deed: Deed,
}

/// The outcome of an invoke.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Deed {
    /// A result.
    Answer,
    /// A result, streamed.
    Stream,
    /// A part of a result; then the process ends.
    BreakStream,
    /// An error of the function's own.
    Fail,
    /// The process ends, without an answer.
    Exit,
    /// The process ends after its answer.
    AnswerAndExit,
    /// It uses more memory than it has.
    Swallow,
    /// Nothing, for ever.
    Hang,
    /// The sandbox ends.
    Vanish,
}

/// What a function answers: which event it had, and how many times it had it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Result {
    /// The event's number.
    pub number: u64,
    /// How often it has begun with this event, this time included.
    pub runs: u32,
}

impl Event {
    /// One that is answered after this time.
    pub const fn answered(number: u64, millis: u64) -> Self {
        let deed = Deed::Answer;
        Self {
            number,
            millis,
            deed,
        }
    }

    /// How long it takes.
    pub const fn takes(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// As it is sent.
    pub fn payload(&self) -> Bytes {
        serde_json::to_vec(self).unwrap().into()
    }
}

/// What all functions have done.
#[derive(Default)]
pub struct Ledger(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    /// How many times each event was begun.
    runs: BTreeMap<u64, u32>,
    /// What each sandbox is running.
    at: BTreeMap<String, u64>,
    /// Violations.
    wrong: Vec<String>,
}

impl Ledger {
    /// A function begins an event; returns how many times that has happened.
    pub(crate) fn begin(&self, sandbox: &str, number: u64) -> u32 {
        let mut notes = self.lock();
        if let Some(other) = notes.at.insert(sandbox.to_owned(), number) {
            let wrong = format!("{sandbox} begins with event {number} while it is at {other}");
            notes.wrong.push(wrong);
        }
        let runs = notes.runs.entry(number).or_default();
        *runs += 1;
        let runs = *runs;
        if runs > 1 {
            let wrong = format!("event {number} is run {runs} times, now in {sandbox}");
            notes.wrong.push(wrong);
        }
        runs
    }

    /// A sandbox no longer runs anything.
    pub(crate) fn end(&self, sandbox: &str) {
        self.lock().at.remove(sandbox);
    }

    /// How many times an event was begun.
    pub fn runs(&self, number: u64) -> u32 {
        self.lock().runs.get(&number).copied().unwrap_or(0)
    }

    /// The violations that were seen.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().wrong.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
