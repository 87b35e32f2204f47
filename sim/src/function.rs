//! What functions do, as their events say, and what is noted of it.

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
    /// What then comes of it.
    pub deed: Deed,
}

/// What comes of an invoke.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Deed {
    /// A result.
    Answer,
    /// A result, piece by piece.
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

/// What a function answers: which event it had, and how often it had it.
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
    /// How often each event was begun with.
    runs: BTreeMap<u64, u32>,
    /// What each sandbox is at.
    at: BTreeMap<String, u64>,
    /// What must not be.
    wrong: Vec<String>,
}

impl Ledger {
    /// A function begins with an event; says how often that has happened.
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

    /// A sandbox is at nothing any more.
    pub(crate) fn end(&self, sandbox: &str) {
        self.lock().at.remove(sandbox);
    }

    /// How often an event was begun with.
    pub fn runs(&self, number: u64) -> u32 {
        self.lock().runs.get(&number).copied().unwrap_or(0)
    }

    /// What was seen that must not be.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().wrong.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
