//! The memory that requests may take: one budget of bytes for heads and bodies, from their first
//! byte until they are answered.
//!
//! ```text
//!   bytes come ─▶ grow ─▶ there is room                     taken
//!                    ├──▶ another sender can be cut off     it is, then taken
//!                    └──▶ neither                           wait a while, then refused
//! ```
//!
//! When it is full, a request that is still being sent is cut off: first those whose signature is not verified,
//! of these the address that holds most, of this the account, of this the slowest. They are cut off for
//! requests that hold less, and slow ones for any other. So nobody keeps others out by sending
//! slowly or much, and one alone may use all of it.
//!
//! What has come whole waits for its answer and is not cut. Of that one account has half at most.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::conversation::Conversation;

/// A request that has been sending for this long at less than [`SLOW_BYTES_PER_SECOND`] can be cut off for any other.
const SLOW_AFTER: Duration = Duration::from_secs(5);
/// A sixteenth of a slow line.
const SLOW_BYTES_PER_SECOND: u64 = 64 * 1024;
/// How long to wait for room.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How many requests wait for room at once. The rest are refused at once.
const WAITING_MAX: usize = 64;

/// The budget.
pub(super) struct Intake {
    max: u64,
    held: Mutex<Held>,
    /// Some of it has become free.
    freed: Notify,
}

#[derive(Default)]
struct Held {
    next: u64,
    bytes: u64,
    by_party: BTreeMap<IpAddr, u64>,
    by_account: BTreeMap<(IpAddr, Account), u64>,
    holders: BTreeMap<u64, Holder>,
    /// Requests that wait for room.
    waiting: usize,
}

struct Holder {
    whose: Whose,
    part: Part,
    bytes: u64,
    since: Instant,
    /// All of it has come.
    whole: bool,
    conversation: Arc<Conversation>,
}

type Account = Option<Arc<str>>;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// A head: it has come when the answer begins.
    Head,
    /// A body: its reader knows when it is complete.
    Body,
}

/// One sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Whose {
    /// Of which address.
    pub(super) party: IpAddr,
    /// Whose account it is said to be for; nobody's yet.
    pub(super) account: Account,
    /// Whether the signature is known to be good.
    pub(super) verified: bool,
}

/// Bytes that a request holds, until this is dropped.
pub(super) struct Holding {
    intake: Arc<Intake>,
    number: u64,
}

/// There is no room, or this one was cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

impl Intake {
    /// A budget of `max` bytes.
    pub(super) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self {
            max,
            held: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A holding of nothing yet.
    pub(super) fn open(
        self: &Arc<Self>,
        part: Part,
        whose: Whose,
        conversation: &Arc<Conversation>,
    ) -> Holding {
        let mut held = self.lock();
        let number = held.next;
        held.next += 1;
        let holder = Holder {
            whose,
            part,
            bytes: 0,
            since: Instant::now(),
            whole: false,
            conversation: Arc::clone(conversation),
        };
        held.holders.insert(number, holder);
        Holding {
            intake: Arc::clone(self),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A panic between two whole operations leaves the sums as they should be.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding {
    /// Takes `bytes` more if that can be done at once.
    pub(super) fn try_grow(&self, bytes: usize) -> Result<(), Full> {
        let max = self.intake.max;
        self.intake
            .lock()
            .grow(self.number, bytes as u64, max, Instant::now())
    }

    /// Takes `bytes` more; waits for them for a while.
    pub(super) async fn grow(&self, bytes: usize) -> Result<(), Full> {
        self.patiently(|| self.try_grow(bytes)).await
    }

    /// All has come: from now on it is not cut. Waits for a while if its account has much that
    /// waits for answers.
    pub(super) async fn whole(&self) -> Result<(), Full> {
        self.patiently(|| self.try_whole()).await
    }

    fn try_whole(&self) -> Result<(), Full> {
        let max = self.intake.max;
        self.intake.lock().whole(self.number, max)
    }

    async fn patiently(&self, attempt: impl Fn() -> Result<(), Full>) -> Result<(), Full> {
        if attempt().is_ok() {
            return Ok(());
        }
        let _waiting = Waiting::new(&self.intake)?;
        let deadline = tokio::time::Instant::now() + WAIT_MAX;
        loop {
            // Without a change it is tried again: a fast sender may have become slow.
            let news = (tokio::time::Instant::now() + Duration::from_secs(1)).min(deadline);
            let _ = tokio::time::timeout_at(news, self.intake.freed.notified()).await;
            let done = attempt();
            if done.is_ok() || tokio::time::Instant::now() >= deadline {
                return done;
            }
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let left = self.intake.lock().leave(self.number);
        if left.is_some() {
            self.intake.freed.notify_one();
        }
    }
}

/// A place among those who wait for room.
struct Waiting<'i>(&'i Intake);

impl<'i> Waiting<'i> {
    fn new(intake: &'i Intake) -> Result<Self, Full> {
        let mut held = intake.lock();
        if held.waiting >= WAITING_MAX {
            return Err(Full);
        }
        held.waiting += 1;
        Ok(Self(intake))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
        // The news that woke this one may be of use to the next.
        self.0.freed.notify_one();
    }
}

impl Held {
    fn grow(&mut self, number: u64, bytes: u64, max: u64, now: Instant) -> Result<(), Full> {
        // Not there any more if it was cut.
        let whose = self.holders.get(&number).ok_or(Full)?.whose.clone();
        while self.bytes + bytes > max {
            let victim = self.victim(number, &whose, bytes, max, now).ok_or(Full)?;
            if let Some(cut) = self.leave(victim) {
                cut.conversation.cut();
            }
        }
        let holder = self.holders.get_mut(&number).ok_or(Full)?;
        holder.bytes += bytes;
        self.bytes += bytes;
        *self.by_party.entry(whose.party).or_default() += bytes;
        *self
            .by_account
            .entry((whose.party, whose.account))
            .or_default() += bytes;
        Ok(())
    }

    fn leave(&mut self, number: u64) -> Option<Holder> {
        let left = self.holders.remove(&number)?;
        self.bytes -= left.bytes;
        let Whose { party, account, .. } = &left.whose;
        subtract(&mut self.by_party, *party, left.bytes);
        subtract(&mut self.by_account, (*party, account.clone()), left.bytes);
        Some(left)
    }

    fn whole(&mut self, number: u64, max: u64) -> Result<(), Full> {
        let holder = self.holders.get(&number).ok_or(Full)?;
        let account = holder.whose.account.as_ref();
        let same = self.holders.iter().filter(|(other, holder)| {
            (**other == number || holder.whole) && holder.whose.account.as_ref() == account
        });
        let waiting: u64 = same.map(|(_, holder)| holder.bytes).sum();
        if waiting > max / 2 && waiting > holder.bytes {
            return Err(Full);
        }
        if let Some(holder) = self.holders.get_mut(&number) {
            holder.whole = true;
        }
        Ok(())
    }

    /// Whom `whose` may have cut to get `bytes` more.
    fn victim(
        &self,
        number: u64,
        whose: &Whose,
        bytes: u64,
        max: u64,
        now: Instant,
    ) -> Option<u64> {
        let of_party = |party: IpAddr| self.by_party.get(&party).copied().unwrap_or(0);
        let sending = || {
            let others = self.holders.iter().filter(|(other, _)| **other != number);
            others.filter(|(_, holder)| holder.is_sending())
        };
        let slow = sending().filter(|(_, holder)| holder.is_slow(now));
        if let Some((slowest, _)) = slow.min_by_key(|(_, holder)| holder.rate(now)) {
            return Some(*slowest);
        }
        let (_, first) = sending().max_by_key(|(_, holder)| {
            let Whose {
                party,
                account,
                verified,
            } = &holder.whose;
            let of_account = self.by_account.get(&(*party, account.clone()));
            (!verified, of_party(*party), of_account.copied())
        })?;
        let mine = of_party(whose.party) + bytes;
        let outranks = whose.verified && !first.whose.verified && mine <= max / 2;
        if !outranks && of_party(first.whose.party) <= mine {
            return None;
        }
        let same = sending().filter(|(_, holder)| holder.whose == first.whose);
        let slowest = same.min_by_key(|(_, holder)| holder.rate(now));
        slowest.map(|(victim, _)| *victim)
    }
}

/// Takes `bytes` from a sum, which goes when it is nothing.
fn subtract<K: Ord>(sums: &mut BTreeMap<K, u64>, key: K, bytes: u64) {
    if let std::collections::btree_map::Entry::Occupied(mut sum) = sums.entry(key) {
        *sum.get_mut() -= bytes;
        if *sum.get() == 0 {
            sum.remove();
        }
    }
}

impl Holder {
    /// Whether it holds something and may be cut.
    fn is_sending(&self) -> bool {
        let come = match self.part {
            Part::Head => self.conversation.is_answering(),
            Part::Body => self.whole,
        };
        !come && self.bytes > 0
    }

    /// Bytes a second until now.
    fn rate(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.since).as_millis();
        self.bytes.saturating_mul(1_000) / u64::try_from(millis).unwrap_or(u64::MAX).max(1)
    }

    fn is_slow(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= SLOW_AFTER
            && self.rate(now) < SLOW_BYTES_PER_SECOND
    }
}

#[cfg(test)]
mod tests;
