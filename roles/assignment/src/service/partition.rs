//! One partition, as this process leads it: its state behind a lock, who waits, and what is to be written.
//!
//! From a claim to its end. If the process leads the partition again, that is another [`Partition`]: what was begun for
//! the former one finds that it does not lead, and changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use api::assignment::{Error, Lease};
use bytes::Bytes;
use records::functions::FunctionVersion;
use storage::Position;
use tokio::sync::{Notify, oneshot};
use types::{EnvironmentId, WorkerId};

use crate::command::{Command, Created, Reason};
use crate::leads::partition_name;
use crate::state::{Effect, State, WaiterId};

/// See the module. The lock is held for a few hundred nanoseconds and never over an await.
pub(super) struct Partition {
    /// Which it is.
    pub(super) number: u32,
    /// The journal's name.
    pub(super) name: String,
    inner: Mutex<Inner>,
    written: Notify,
}

pub(super) struct Inner {
    pub(super) state: State,
    /// Whether this replica decides. That ends permanently when an append is fenced, or the partition is let go.
    leading: bool,
    /// Whether the writer ends once it has written everything.
    pub(super) closing: bool,
    /// Where the next record goes, as the writer last learned.
    pub(super) next: Position,
    /// Records in the order in which the state took them in. Not bounded by itself, but an
    /// environment has three records in its life, and creations are bounded.
    outbox: Vec<Entry>,
    waiting: BTreeMap<WaiterId, oneshot::Sender<Result<Lease, Error>>>,
}

/// A record to be written.
pub(super) struct Entry {
    pub(super) bytes: Bytes,
    /// Whose `Created` it is.
    pub(super) created: Option<EnvironmentId>,
    /// Where to report when it is durable.
    pub(super) durable: Option<oneshot::Sender<()>>,
}

/// What is left to do outside the lock.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) appended: bool,
    pub(super) destroy: Vec<(EnvironmentId, WorkerId)>,
    pub(super) make_ahead: Vec<Arc<FunctionVersion>>,
}

impl Partition {
    pub(super) fn new(number: u32, state: State, next: Position) -> Self {
        let inner = Inner {
            state,
            leading: true,
            closing: false,
            next,
            outbox: Vec::new(),
            waiting: BTreeMap::new(),
        };
        Self {
            number,
            name: partition_name(number),
            inner: Mutex::new(inner),
            written: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("a panic under this lock is a broken invariant")
    }

    /// Tells the writer that there is something to do.
    pub(super) fn wake(&self) {
        self.written.notify_one();
    }

    /// Waits for [`Partition::wake`]; one that came before is remembered.
    pub(super) async fn woken(&self) {
        self.written.notified().await;
    }

    /// Whether this replica decides.
    pub(super) fn is_led(&self) -> bool {
        self.lock().leading
    }

    /// This replica decides nothing from here on, and serves no waiting caller. The writer ends once everything is
    /// written. Environments live on.
    pub(super) fn let_go(&self) {
        let mut inner = self.lock();
        inner.stop();
        inner.closing = true;
        drop(inner);
        self.wake();
    }

    /// The same, and nothing more is written: another replica leads, or the journal does not answer.
    pub(super) fn resign(&self) {
        let mut inner = self.lock();
        inner.stop();
        inner.outbox.clear();
    }

    /// Records a new environment. The answer comes when the journal has it; its end without an
    /// answer means that nobody waits for that any more. `None` if this replica does not lead.
    pub(super) fn record(&self, created: Created) -> Option<oneshot::Receiver<()>> {
        let environment = created.environment;
        self.write(&Command::Created(created), Some(environment))
    }

    /// Records that an environment has ended which lives somewhere and is not in the journal. Whether the journal
    /// has that: then this replica leads.
    pub(super) async fn disown(&self, environment: EnvironmentId) -> bool {
        let reason = Reason::Lost;
        let retired = Command::Retired {
            environment,
            reason,
        };
        match self.write(&retired, None) {
            Some(durable) => durable.await.is_ok(),
            None => false,
        }
    }

    fn write(
        &self,
        command: &Command,
        created: Option<EnvironmentId>,
    ) -> Option<oneshot::Receiver<()>> {
        let (sender, receiver) = oneshot::channel();
        let mut inner = self.lock();
        if !inner.leading {
            return None;
        }
        inner.state.apply(command);
        inner.outbox.push(Entry {
            bytes: command.encode(),
            created,
            durable: Some(sender),
        });
        drop(inner);
        self.wake();
        Some(receiver)
    }
}

impl Inner {
    /// Puts a waiter's answer where [`Effect::Serve`] and [`Effect::Refuse`] find it.
    pub(super) fn wait(&mut self, waiter: WaiterId) -> oneshot::Receiver<Result<Lease, Error>> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(waiter, sender);
        receiver
    }

    /// Whether the waiter is still queued.
    pub(super) fn waits(&self, waiter: WaiterId) -> bool {
        self.waiting.contains_key(&waiter)
    }

    /// Removes the waiter. Whether it was still queued.
    pub(super) fn stop_waiting(&mut self, waiter: WaiterId) -> bool {
        self.waiting.remove(&waiter).is_some()
    }

    /// Carries out what can be done under the lock.
    pub(super) fn absorb(&mut self, effects: Vec<Effect>) -> Work {
        let mut work = Work::default();
        for effect in effects {
            match effect {
                Effect::Append(command) => {
                    self.outbox.push(Entry {
                        bytes: command.encode(),
                        created: None,
                        durable: None,
                    });
                    work.appended = true;
                }
                Effect::Serve { waiter, lease } => self.answer(waiter, Ok(lease)),
                Effect::Refuse { waiter, error } => self.answer(waiter, Err(error)),
                Effect::MakeAhead { function } => work.make_ahead.push(function),
                Effect::Destroy {
                    environment,
                    worker,
                } => work.destroy.push((environment, worker)),
            }
        }
        work
    }

    /// The next records to write, `limit` at most.
    pub(super) fn take_outbox(&mut self, limit: usize) -> Vec<Entry> {
        let count = self.outbox.len().min(limit);
        self.outbox.drain(..count).collect()
    }

    /// Whether this replica decides.
    pub(super) fn is_led(&self) -> bool {
        self.leading
    }

    fn stop(&mut self) {
        self.leading = false;
        let effects = self.state.refuse_all();
        let work = self.absorb(effects);
        assert!(work.destroy.is_empty(), "refusing destroys nothing");
    }

    /// Where the oldest record stands that a restart needs.
    pub(super) fn needed_from(&self) -> Position {
        // Environments the journal has not confirmed stand at `next` or after.
        self.state
            .oldest_recorded()
            .map_or(self.next, |oldest| oldest.min(self.next))
    }

    fn answer(&mut self, waiter: WaiterId, answer: Result<Lease, Error>) {
        let sender = self
            .waiting
            .remove(&waiter)
            .expect("a queued waiter can be answered");
        // The receiver cannot be gone: its owner first takes the sender away, under this lock.
        let _ = sender.send(answer);
    }
}
