//! A member of a group: keeps its leases, takes free ones, tells which it holds.

// Long: a member is one loop, and what it does in each of its turns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use storage::{Change, Consistency, Error, Expect, Revision, Row, Table, Timely, Watch};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::decide::{Step, decide};
use crate::view::{Claim, Kind, Seen, View};
use crate::waits::{changed, next};

/// The works that are held now. Ends with the member.
pub type Held = watch::Receiver<BTreeSet<String>>;

/// See the module. All it does it does in [`Member::run`].
pub struct Member {
    config: Config,
    table: Arc<dyn Table>,
    wanted: watch::Receiver<BTreeSet<String>>,
    held: watch::Sender<BTreeSet<String>>,
    began: Instant,
    /// When the last beat began.
    last: Instant,
    /// For how long the table has answered.
    answered: Duration,
    beat: u64,
    view: View,
    /// Of each held work: when it was last certainly ours.
    sure: BTreeMap<String, Instant>,
    /// What is still used of what is or was held.
    used: Option<watch::Receiver<BTreeSet<String>>>,
    /// What is not held any more and still used. Its rows are ours, and not written any more: others wait for a term.
    giving: BTreeSet<String>,
}

impl Member {
    /// A member of a group whose work is what `wanted` says, which every member must be told alike.
    pub fn new(
        config: Config,
        table: Arc<dyn Table>,
        wanted: watch::Receiver<BTreeSet<String>>,
    ) -> (Self, Held) {
        let (held, receiver) = watch::channel(BTreeSet::new());
        let member = Self {
            // A holder whose renewal is not confirmed before the next is due has to stop in time nevertheless.
            table: Arc::new(Timely::new(table, config.term / 3)),
            config,
            wanted,
            held,
            began: Instant::now(),
            last: Instant::now(),
            answered: Duration::ZERO,
            beat: 0,
            view: View::default(),
            sure: BTreeMap::new(),
            used: None,
            giving: BTreeSet::new(),
        };
        (member, receiver)
    }

    /// Before a work is given to others, waits until `used` does not have it any more, for a term at most. Who uses a work
    /// puts it there first, and then looks whether it is held.
    #[must_use]
    pub fn until_let_go(mut self, used: watch::Receiver<BTreeSet<String>>) -> Self {
        self.used = Some(used);
        self
    }

    /// Works until `stop`; then gives everything back, so that others need not wait for a term.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut beat = tokio::time::interval(self.config.term / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changes: Option<Watch> = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = beat.tick() => {
                    if changes.is_none() {
                        changes = self.watch().await;
                    }
                    self.beat().await;
                    self.step().await;
                }
                change = next(&mut changes) => match change {
                    Some(change) => {
                        let free = matches!(change, Change::Delete { .. });
                        self.take_in(change);
                        if free {
                            self.step().await;
                        }
                    }
                    None => changes = None,
                },
                () = changed(&mut self.used) => self.give_what_is_let_go().await,
                changed = self.wanted.changed() => match changed {
                    Ok(()) => self.step().await,
                    // Nobody is left to say what is wanted.
                    Err(_) => break,
                },
            }
        }
        self.leave().await;
    }

    async fn watch(&mut self) -> Option<Watch> {
        match self.table.watch(&self.prefix()).await {
            Ok(changes) => {
                // What was deleted while nobody watched must not stay. What is held is written at
                // the next beat, and is found out then if it is not held any more.
                let sure = &self.sure;
                self.view.works.retain(|work, _| sure.contains_key(work));
                self.view.members.clear();
                Some(changes)
            }
            Err(error) => {
                self.warn(&error, "leases cannot be watched");
                None
            }
        }
    }

    /// Writes this member's row and those of all that is its own. What could not be written in time
    /// is released; what was released and nobody has taken is taken back.
    async fn beat(&mut self) {
        self.beat += 1;
        let key = self.key(Kind::Member, &self.config.holder);
        let passed = self.last.elapsed().min(self.config.term / 2);
        self.last = Instant::now();
        match self.table.put(&key, self.claim(), Expect::Any).await {
            Ok(_) => self.answered += passed,
            Err(error) => self.warn(&error, "a member's sign of life cannot be written"),
        }
        let mut held: BTreeSet<String> = self.sure.keys().cloned().collect();
        let own = self.view.held_by(&self.config.holder);
        held.extend(own.filter(|work| !self.giving.contains(*work)).cloned());
        let (mine, lost): (Vec<_>, Vec<_>) = held
            .into_iter()
            .map(|work| (self.mine(&work), work))
            .partition(|(revision, _)| revision.is_some());
        for (_, work) in lost {
            self.lose(&work);
        }
        // All at a time: a store that writes together what comes together needs no longer for many.
        let this = &*self;
        let written = mine.into_iter().filter_map(|(revision, work)| {
            let expect = Expect::Revision(revision?);
            Some(async move { (this.put(&work, expect).await, work) })
        });
        for (written, work) in join_all(written).await {
            match written {
                Ok(written) => self.wrote(&work, written),
                Err(Error::Conflict { .. }) => self.look_again(&work).await,
                Err(error) => {
                    self.warn(&error, "a lease cannot be renewed");
                    let silent = self.sure.get(&work).map(Instant::elapsed);
                    let long = silent.is_some_and(|silent| silent >= self.config.term * 2 / 3);
                    if long && !self.config.fenced {
                        self.lose(&work);
                    }
                }
            }
        }
        self.tell();
    }

    /// A row is not as it was: another has taken it, or a write of our own arrived without an answer. Who gets no answers
    /// stops renewing what others could do, unless that is fenced.
    async fn look_again(&mut self, work: &str) {
        let key = self.key(Kind::Work, work);
        if self.config.fenced
            && let Ok(Some(row)) = self.table.get(&key, Consistency::Strong).await
        {
            self.see(&row);
            if self.mine(work) == Some(row.revision) {
                return;
            }
        }
        self.lose(work);
        self.view.remove(Kind::Work, work);
    }

    /// By which others are silent. For fenced work it does not pass while the table is away: then nobody can show that they live.
    fn time(&self) -> Duration {
        match self.config.fenced {
            true => self.answered,
            false => self.began.elapsed(),
        }
    }

    async fn step(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        let (now, term) = (self.time(), self.config.term);
        for step in decide(&self.view, &self.config.holder, &wanted, now, term) {
            match step {
                Step::Take(work) => {
                    let seen = self.view.works.get(&work);
                    let expect =
                        seen.map_or(Expect::Absent, |seen| Expect::Revision(seen.revision));
                    match self.put(&work, expect).await {
                        Ok(written) => self.wrote(&work, written),
                        // Another was faster.
                        Err(Error::Conflict { .. }) => {}
                        Err(error) => self.warn(&error, "a lease cannot be taken"),
                    }
                }
                Step::Give(work) => self.give(&work).await,
                Step::Forget(kind, name) => self.forget(kind, &name).await,
            }
        }
        self.tell();
    }

    /// Claims a work. It is ours from before the write, for others may see it at once.
    async fn put(&self, work: &str, expect: Expect) -> Result<(Revision, Instant), Error> {
        let before = Instant::now();
        let key = self.key(Kind::Work, work);
        let revision = self.table.put(&key, self.claim(), expect).await?;
        Ok((revision, before))
    }

    fn wrote(&mut self, work: &str, (revision, before): (Revision, Instant)) {
        let claim = Claim {
            holder: self.config.holder.clone(),
            beat: self.beat,
        };
        let at = self.time();
        let seen = Seen {
            claim,
            revision,
            at,
        };
        self.view.put(Kind::Work, work, seen);
        self.sure.insert(work.to_owned(), before);
    }

    /// Stops using a work first, then lets others have it.
    async fn give(&mut self, work: &str) {
        self.lose(work);
        self.tell();
        if self.is_used(work) {
            self.giving.insert(work.to_owned());
        } else {
            self.let_go(work).await;
        }
    }

    fn is_used(&self, work: &str) -> bool {
        let used = self.used.as_ref();
        used.is_some_and(|used| used.borrow().contains(work))
    }

    async fn give_what_is_let_go(&mut self) {
        for work in self.giving.clone() {
            if !self.is_used(&work) {
                self.let_go(&work).await;
            }
        }
    }

    async fn let_go(&mut self, work: &str) {
        self.giving.remove(work);
        let Some(revision) = self.mine(work) else {
            return;
        };
        let key = self.key(Kind::Work, work);
        match self.table.delete(&key, Expect::Revision(revision)).await {
            Ok(()) => self.view.remove(Kind::Work, work),
            Err(Error::Conflict { .. }) => {}
            Err(error) => self.warn(&error, "a lease cannot be given back"),
        }
    }

    async fn forget(&mut self, kind: Kind, name: &str) {
        let Some(revision) = self.view.revision(kind, name) else {
            return;
        };
        let key = self.key(kind, name);
        match self.table.delete(&key, Expect::Revision(revision)).await {
            Ok(()) => self.view.remove(kind, name),
            // It lives after all, or another has removed it.
            Err(Error::Conflict { .. }) => {}
            Err(error) => self.warn(&error, "a row of the dead cannot be removed"),
        }
    }

    async fn leave(&mut self) {
        let held = std::mem::take(&mut self.sure).into_keys();
        self.giving.extend(held);
        self.tell();
        if let Some(used) = &mut self.used {
            let let_go = used.wait_for(|used| used.is_disjoint(&self.giving));
            // After a term others take it.
            let _ = tokio::time::timeout(self.config.term, let_go).await;
        }
        // All at a time: a store that does not answer is waited for once.
        let this = &*self;
        join_all(this.giving.iter().filter_map(|work| {
            let (key, revision) = (this.key(Kind::Work, work), this.mine(work)?);
            Some(async move {
                let given = this.table.delete(&key, Expect::Revision(revision)).await;
                if let Err(error @ Error::Unavailable(_)) = given {
                    this.warn(&error, "a lease cannot be given back");
                }
            })
        }))
        .await;
        let key = self.key(Kind::Member, &self.config.holder);
        if let Err(error) = self.table.delete(&key, Expect::Any).await {
            self.warn(&error, "a member's row cannot be removed");
        }
    }

    fn take_in(&mut self, change: Change) {
        match change {
            Change::Put(row) => self.see(&row),
            Change::Delete { key } => {
                if let Some((kind, name)) = self.place(&key) {
                    let name = name.to_owned();
                    self.view.remove(kind, &name);
                }
            }
            Change::Current => {}
        }
    }

    fn see(&mut self, row: &Row) {
        let claim = serde_json::from_slice::<Claim>(&row.value);
        let (Some((kind, name)), Ok(claim)) = (self.place(&row.key), claim) else {
            tracing::error!(
                key = row.key,
                "a lease's row cannot be read and is left out"
            );
            return;
        };
        let (revision, at, name) = (row.revision, self.time(), name.to_owned());
        self.view.put(
            kind,
            &name,
            Seen {
                claim,
                revision,
                at,
            },
        );
    }

    /// The revision of a work's row, if it is ours.
    fn mine(&self, work: &str) -> Option<Revision> {
        let seen = self.view.works.get(work)?;
        (seen.claim.holder == self.config.holder).then_some(seen.revision)
    }

    fn lose(&mut self, work: &str) {
        self.sure.remove(work);
    }

    fn tell(&self) {
        self.held.send_if_modified(|held| {
            let now: BTreeSet<String> = self.sure.keys().cloned().collect();
            let changed = *held != now;
            *held = now;
            changed
        });
    }

    fn claim(&self) -> Bytes {
        let claim = Claim {
            holder: self.config.holder.clone(),
            beat: self.beat,
        };
        let text = serde_json::to_vec(&claim).expect("a text and a number are JSON");
        text.into()
    }

    fn prefix(&self) -> String {
        format!("lease/{}/", self.config.group)
    }

    fn key(&self, kind: Kind, name: &str) -> String {
        let kind = match kind {
            Kind::Work => "held",
            Kind::Member => "member",
        };
        format!("{}{kind}/{name}", self.prefix())
    }

    fn place<'k>(&self, key: &'k str) -> Option<(Kind, &'k str)> {
        let rest = key.strip_prefix(&self.prefix())?;
        match rest.split_once('/')? {
            ("held", name) => Some((Kind::Work, name)),
            ("member", name) => Some((Kind::Member, name)),
            _ => None,
        }
    }

    fn warn(&self, error: &Error, what: &'static str) {
        let error = error as &dyn std::error::Error;
        tracing::warn!(group = self.config.group, error, "{what}");
    }
}
