//! What this process holds: by what words of the server's each message is extended and acknowledged, and until when
//! nobody else gets it. The server does not ask whose a message is; the time does, by this process's own clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use storage::queue::Receipt;
use tokio::time::Instant;

/// A hold ends a little earlier here than at the server.
const MARGIN: Duration = Duration::from_millis(20);
/// For how long after its end a hold is remembered, so that a late acknowledgement takes the short way.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Within which time a stream lets go of what was acknowledged.
const JUST_NOW: Duration = Duration::from_secs(1);
/// How many are remembered before the old ones are looked for.
const MANY: usize = 10_000;

/// A message that was received here.
#[derive(Clone)]
pub(super) struct Hold {
    pub(super) stream: String,
    /// The subject that takes acknowledgements.
    pub(super) reply: String,
    pub(super) blob: Option<String>,
    pub(super) receives: u32,
    pub(super) until: Instant,
}

/// All of them, by queue and message.
#[derive(Default)]
pub(super) struct Holds {
    holds: Mutex<HashMap<(String, u64), Hold>>,
    /// The message of each stream that was acknowledged last, and when.
    last: Mutex<HashMap<String, (u64, Instant)>>,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u64), Hold>> {
        self.holds
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    pub(super) fn add(&self, queue: &str, message: u64, hold: Hold) {
        let mut holds = self.lock();
        if holds.len() >= MANY && holds.len().is_power_of_two() {
            let now = Instant::now();
            holds.retain(|_, hold| hold.until + REMEMBERED > now);
        }
        holds.insert((queue.to_owned(), message), hold);
    }

    /// The hold that this receipt proves, if it has not ended.
    pub(super) fn find(&self, queue: &str, receipt: Receipt) -> Option<Hold> {
        let hold = self.any(queue, receipt.message)?;
        let present = hold.receives == receipt.receives && Instant::now() + MARGIN < hold.until;
        present.then_some(hold)
    }

    /// The last hold of a message, without asking for its receipt.
    pub(super) fn any(&self, queue: &str, message: u64) -> Option<Hold> {
        let key = (queue.to_owned(), message);
        self.lock().get(&key).cloned()
    }

    pub(super) fn extend(&self, queue: &str, receipt: Receipt, until: Instant) {
        let key = (queue.to_owned(), receipt.message);
        if let Some(hold) = self.lock().get_mut(&key)
            && hold.receives == receipt.receives
        {
            hold.until = until;
        }
    }

    pub(super) fn remove(&self, queue: &str, message: u64) {
        let key = (queue.to_owned(), message);
        self.lock().remove(&key);
    }

    fn last(&self) -> MutexGuard<'_, HashMap<String, (u64, Instant)>> {
        self.last
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// A message has been acknowledged. Its stream lets go of it a moment later.
    pub(super) fn acknowledge(&self, stream: &str, message: u64) {
        let now = (message, Instant::now());
        self.last().insert(stream.to_owned(), now);
    }

    /// The last of each stream, if that was just now.
    pub(super) fn acknowledged(&self) -> Vec<(String, u64)> {
        let mut last = self.last();
        last.retain(|_, (_, at)| at.elapsed() < JUST_NOW);
        let last = last.iter();
        last.map(|(stream, (message, _))| (stream.clone(), *message))
            .collect()
    }
}
