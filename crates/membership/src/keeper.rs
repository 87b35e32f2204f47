//! A member with access to the table: writes its own row and those of workers that announce themselves, and watches all.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::membership::{Error, Member, Membership, State, View};
use async_trait::async_trait;
use bytes::Bytes;
use storage::{Change, Expect, Row, Table, Watch};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use types::ProcessId;

use crate::ledger::{BEAT, Entry, Ledger};
use crate::{ASSIGNMENT, Views};

/// The rows of processes.
pub const MEMBER: &str = "cluster/member/";
/// The rows of hosts whose workers are to drain.
pub const DRAIN: &str = "cluster/drain/";
/// The rows of certificates that are valid no more.
pub const REVOKED: &str = "cluster/revoked/";
/// All of them.
const ALL: &str = "cluster/";
/// Which of the cluster's other rows mean nothing here is decided by their prefix.
const PREFIXES: [&str; 3] = [MEMBER, DRAIN, REVOKED];
/// A write that has not been acknowledged by then has failed: the next beat is due.
const WITHIN: Duration = Duration::from_secs(5);

/// See the module. Works while [`Keeper::run`] does.
pub struct Keeper {
    table: Arc<dyn Table>,
    own: Mutex<Member>,
    ledger: Mutex<Ledger>,
    views: watch::Sender<Arc<View>>,
    /// Told when this process's own row is to be written before the next beat.
    changed: tokio::sync::Notify,
}

impl Keeper {
    /// A keeper in a process that is `own`.
    pub fn new(table: Arc<dyn Table>, own: Member) -> Arc<Self> {
        let (views, _) = watch::channel(Arc::default());
        Arc::new(Self {
            table,
            own: Mutex::new(own),
            ledger: Mutex::default(),
            views,
            changed: tokio::sync::Notify::new(),
        })
    }

    /// Who is alive. Empty until the table has been read.
    pub fn views(&self) -> Views {
        self.views.subscribe()
    }

    /// From now on this process is in this state; the others learn it with its next row, which is written now.
    pub fn set_state(&self, state: State) {
        self.own().state = state;
        self.changed.notify_one();
    }

    /// Works until `stop`, then removes the own row, so that nobody has to wait until this process is silent.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0;
        let mut changes: Option<(Watch, Watch)> = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = beat.tick() => {
                    if changes.is_none() {
                        changes = self.watch().await;
                    }
                    count += 1;
                    self.say(count).await;
                }
                () = self.changed.notified() => {
                    count += 1;
                    self.say(count).await;
                }
                changed = next(&mut changes) => match changed {
                    Some(change) => self.take_in(change),
                    None => changes = None,
                },
            }
        }
        let process = self.own().process;
        if let Err(error) = self.leave(process).await {
            tracing::warn!(%error, "the row of this process stays until it is found to be silent");
        }
    }

    async fn watch(&self) -> Option<(Watch, Watch)> {
        let leaders = leasing::held_prefix(ASSIGNMENT);
        let watched = async {
            let cluster = self.table.watch(ALL).await?;
            Ok::<_, storage::Error>((cluster, self.table.watch(&leaders).await?))
        };
        match watched.await {
            Ok(watches) => {
                self.ledger().begin_again();
                Some(watches)
            }
            Err(error) => {
                warn(&error, "the cluster's members cannot be watched");
                None
            }
        }
    }

    /// Says that this process lives.
    async fn say(&self, beat: u64) {
        let member = self.own().clone();
        match self.write(member, beat).await {
            Ok(()) => self.ledger().beat(),
            Err(error) => warn(&error, "this process cannot say that it lives"),
        }
        let forgotten = self.ledger().forgotten();
        for (process, revision) in forgotten {
            let key = format!("{MEMBER}{process}");
            // If this fails, another keeper was faster, or it is done at the next beat.
            let _ = self.table.delete(&key, Expect::Revision(revision)).await;
        }
        self.show();
    }

    async fn write(&self, member: Member, beat: u64) -> Result<(), storage::Error> {
        let key = format!("{MEMBER}{}", member.process);
        let entry = Entry { member, beat };
        let value = serde_json::to_vec(&entry).expect("a member is JSON");
        let written = self.table.put(&key, Bytes::from(value), Expect::Any);
        match tokio::time::timeout(WITHIN, written).await {
            Ok(written) => {
                let revision = written?;
                self.ledger().put(entry.member, revision);
                Ok(())
            }
            Err(_) => Err(storage::Error::Unavailable("no answer in time".into())),
        }
    }

    fn take_in(&self, change: Change) {
        {
            let mut ledger = self.ledger();
            match change {
                Change::Put(row) => put(&mut ledger, &row),
                Change::Delete { key } => delete(&mut ledger, &key),
                Change::Current => {}
            }
        }
        self.show();
    }

    fn show(&self) {
        let view = self.ledger().view();
        self.views.send_if_modified(|shown| {
            let changed = **shown != view;
            if changed {
                *shown = Arc::new(view);
            }
            changed
        });
    }

    fn own(&self) -> MutexGuard<'_, Member> {
        self.own.lock().expect("nothing panics while it holds this")
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger
            .lock()
            .expect("nothing panics while it holds this")
    }
}

#[async_trait]
impl Membership for Keeper {
    async fn announce(&self, member: Member) -> Result<Arc<View>, Error> {
        // Each row differs from the one before, by whichever keeper that was written.
        let beat = types::Random::next_u64(&types::SystemRandom);
        let written = self.write(member, beat).await;
        written.map_err(|error| {
            warn(
                &error,
                "a worker that announces itself cannot be written down",
            );
            Error::Unavailable
        })?;
        self.show();
        Ok(self.views.borrow().clone())
    }

    async fn leave(&self, process: ProcessId) -> Result<(), Error> {
        let key = format!("{MEMBER}{process}");
        let deleted = self.table.delete(&key, Expect::Any);
        match tokio::time::timeout(WITHIN, deleted).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::Unavailable),
        }
    }
}

/// Waits for the next change of either watch; `None` when one has ended.
async fn next(changes: &mut Option<(Watch, Watch)>) -> Option<Change> {
    match changes {
        Some((cluster, leaders)) => tokio::select! {
            change = cluster.recv() => change,
            change = leaders.recv() => change,
        },
        None => std::future::pending().await,
    }
}

fn put(ledger: &mut Ledger, row: &Row) {
    match Key::of(&row.key) {
        Some(Key::Member(_)) => match serde_json::from_slice::<Entry>(&row.value) {
            Ok(entry) => ledger.put(entry.member, row.revision),
            // Of a version that has more to say than this one understands.
            Err(error) => tracing::warn!(key = row.key, %error, "a member's row is not understood"),
        },
        Some(Key::Drain(host)) => ledger.drain(host, true),
        Some(Key::Revoked(serial)) => ledger.revoke(serial, true),
        Some(Key::Leader(partition)) => {
            let holder = leasing::holder(&row.value);
            ledger.lead(partition, holder.and_then(|holder| holder.parse().ok()));
        }
        None => {}
    }
}

fn delete(ledger: &mut Ledger, key: &str) {
    match Key::of(key) {
        Some(Key::Member(process)) => {
            if let Ok(process) = process.parse() {
                ledger.remove(process);
            }
        }
        Some(Key::Drain(host)) => ledger.drain(host, false),
        Some(Key::Revoked(serial)) => ledger.revoke(serial, false),
        Some(Key::Leader(partition)) => ledger.lead(partition, None),
        None => {}
    }
}

/// What a row is about.
enum Key<'k> {
    Member(&'k str),
    Drain(&'k str),
    Revoked(&'k str),
    Leader(&'k str),
}

impl<'k> Key<'k> {
    fn of(key: &'k str) -> Option<Self> {
        let named = PREFIXES.map(|prefix| key.strip_prefix(prefix));
        match named {
            [Some(process), ..] => Some(Self::Member(process)),
            [_, Some(host), _] => Some(Self::Drain(host)),
            [.., Some(serial)] => Some(Self::Revoked(serial)),
            _ => key
                .strip_prefix(&leasing::held_prefix(ASSIGNMENT))
                .map(Self::Leader),
        }
    }
}

fn warn(error: &storage::Error, what: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
