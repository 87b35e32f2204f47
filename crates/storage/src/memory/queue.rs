//! Queues in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;
use types::{Clock, Timestamp};

use super::lock;
use crate::queue::{
    Charge, Depth, Kept as Browsed, Message, RECEIVE_BYTES_MAX, RECEIVE_MAX, Receipt, Usage,
    beginnings, check_charge, check_message, check_queue,
};
use crate::{Error, Queue};

/// Queues in memory, by the clock they are given.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    queues: Mutex<BTreeMap<String, Messages>>,
    /// By owner. Locked after the queues.
    usage: Mutex<BTreeMap<Arc<str>, Usage>>,
    /// The last message's number, across all queues: a queue that is deleted and created again has no
    /// number twice.
    last: AtomicU64,
    /// Something may have become visible, or will at another time than before.
    changed: Notify,
}

#[derive(Default)]
struct Messages {
    messages: BTreeMap<u64, Kept>,
    /// All of them by the time from which they are visible.
    by_time: BTreeSet<(Timestamp, u64)>,
}

struct Kept {
    owner: Arc<str>,
    body: Bytes,
    visible_from: Timestamp,
    receives: u32,
}

impl MemoryQueue {
    /// No queues yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            queues: Mutex::default(),
            usage: Mutex::default(),
            last: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn more(&self, owner: &Arc<str>, bytes: u64) {
        let mut usage = lock(&self.usage);
        let of_owner = usage.entry(Arc::clone(owner)).or_default();
        *of_owner = of_owner.with(bytes);
    }

    fn less(&self, kept: &Kept) {
        let mut usage = lock(&self.usage);
        if let Some(of_owner) = usage.get_mut(&kept.owner) {
            of_owner.messages -= 1;
            of_owner.bytes -= kept.body.len() as u64;
            if of_owner.messages == 0 {
                usage.remove(&kept.owner);
            }
        }
    }

    /// Works on the message if `receipt` holds it.
    fn held(&self, queue: &str, receipt: Receipt, work: impl FnOnce(&mut Messages)) -> bool {
        let held = match lock(&self.queues).get_mut(queue) {
            Some(messages) => {
                let found = messages.messages.get(&receipt.message);
                let held = found.is_some_and(|kept| {
                    kept.receives == receipt.receives && kept.visible_from > self.clock.now()
                });
                if held {
                    work(messages);
                }
                held
            }
            None => false,
        };
        self.changed.notify_waiters();
        held
    }
}

/// As many as one look may give.
fn browsed(later: impl Iterator<Item = Browsed>, limit: usize) -> Vec<Browsed> {
    let mut bytes = 0;
    let fits = |kept: &Browsed| {
        let first = bytes == 0;
        bytes += kept.body.len();
        first || bytes <= RECEIVE_BYTES_MAX
    };
    let most = limit.min(RECEIVE_MAX);
    later.take(most).take_while(fits).collect()
}

impl Messages {
    fn put(&mut self, message: u64, owner: Arc<str>, body: Bytes, visible_from: Timestamp) {
        self.by_time.insert((visible_from, message));
        let kept = Kept {
            owner,
            body,
            visible_from,
            receives: 0,
        };
        self.messages.insert(message, kept);
    }

    fn remove(&mut self, message: u64) -> Option<Kept> {
        let kept = self.messages.remove(&message)?;
        self.by_time.remove(&(kept.visible_from, message));
        Some(kept)
    }

    fn hide(&mut self, message: u64, until: Timestamp) {
        if let Some(kept) = self.messages.get_mut(&message) {
            self.by_time.remove(&(kept.visible_from, message));
            self.by_time.insert((until, message));
            kept.visible_from = until;
        }
    }

    fn take(&mut self, max: usize, now: Timestamp, until: Timestamp) -> Vec<Message> {
        let visible = self.by_time.iter().take_while(|(from, _)| *from <= now);
        let mut bytes = 0;
        let fits = visible.take(max).take_while(|(_, message)| {
            let first = bytes == 0;
            bytes += self.messages.get(message).map_or(0, |kept| kept.body.len());
            first || bytes <= RECEIVE_BYTES_MAX
        });
        let taken: Vec<u64> = fits.map(|(_, message)| *message).collect();
        let hold = |message: u64| {
            self.hide(message, until);
            let kept = self.messages.get_mut(&message)?;
            kept.receives += 1;
            let receipt = Receipt {
                message,
                receives: kept.receives,
            };
            Some(Message {
                receipt,
                body: kept.body.clone(),
            })
        };
        taken.into_iter().filter_map(hold).collect()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), Error> {
        check_message(queue, &body)?;
        check_charge(charge)?;
        let visible_from = self.clock.now().after(delay);
        let mut queues = lock(&self.queues);
        let bytes = body.len() as u64;
        for bound in &charge.bounds {
            let usage = lock(&self.usage);
            let of_it = usage
                .iter()
                .filter(|(owner, _)| beginnings(owner).any(|part| part == bound.of));
            let kept = of_it.fold(Usage::default(), |sum, (_, usage)| Usage {
                messages: sum.messages + usage.messages,
                bytes: sum.bytes + usage.bytes,
            });
            if !kept.with(bytes).fits(bound.most) {
                return Err(Error::Full { what: "a queue" });
            }
        }
        let owner: Arc<str> = charge.owner.as_str().into();
        self.more(&owner, bytes);
        let messages = queues.entry(queue.to_owned()).or_default();
        messages.put(self.next(), owner, body, visible_from);
        drop(queues);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error> {
        let usage = lock(&self.usage);
        let owners = usage.iter().filter(|(owner, _)| !owner.is_empty());
        Ok(owners
            .map(|(owner, usage)| (owner.to_string(), *usage))
            .collect())
    }

    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, Error> {
        let now = self.clock.now();
        let mut shown = 0;
        for messages in lock(&self.queues).values_mut() {
            let late = messages
                .messages
                .iter()
                .filter(|(_, kept)| *kept.owner == *owner && kept.visible_from > now.after(beyond));
            let late: Vec<u64> = late.map(|(message, _)| *message).collect();
            shown += late.len() as u64;
            for message in late {
                messages.hide(message, now);
            }
        }
        self.changed.notify_waiters();
        Ok(shown)
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        check_queue(queue)?;
        let until = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let now = self.clock.now();
            let mut next = None;
            if let Some(messages) = lock(&self.queues).get_mut(queue) {
                let taken = messages.take(max.min(RECEIVE_MAX), now, now.after(visibility));
                if !taken.is_empty() {
                    return Ok(taken);
                }
                next = messages.by_time.first().map(|(from, _)| from.since(now));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || max == 0 {
                return Ok(Vec::new());
            }
            let pause = next.unwrap_or(left).min(left).max(Duration::from_millis(1));
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<bool, Error> {
        let until = self.clock.now().after(visibility);
        Ok(self.held(queue, receipt, |messages| {
            messages.hide(receipt.message, until);
        }))
    }

    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, Error> {
        check_message(queue, &body)?;
        let visible_from = self.clock.now().after(delay);
        Ok(self.held(queue, receipt, |messages| {
            if let Some(kept) = messages.remove(receipt.message) {
                self.less(&kept);
                self.more(&kept.owner, body.len() as u64);
                messages.put(self.next(), kept.owner, body, visible_from);
            }
        }))
    }

    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error> {
        if let Some(messages) = lock(&self.queues).get_mut(queue)
            && let Some(kept) = messages.remove(receipt.message)
        {
            self.less(&kept);
        }
        Ok(())
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        let now = self.clock.now();
        let queues = lock(&self.queues);
        let Some(messages) = queues.get(queue) else {
            return Ok(Depth::default());
        };
        let visible = messages
            .by_time
            .iter()
            .take_while(|(from, _)| *from <= now)
            .count() as u64;
        let oldest = messages
            .by_time
            .first()
            .map_or(Duration::ZERO, |(from, _)| now.since(*from));
        Ok(Depth {
            visible,
            hidden: messages.by_time.len() as u64 - visible,
            oldest,
        })
    }

    async fn peek(&self, queue: &str, limit: usize, bytes: usize) -> Result<Vec<Bytes>, Error> {
        let queues = lock(&self.queues);
        let messages = queues.get(queue).into_iter();
        let kept = messages.flat_map(|messages| messages.messages.values());
        let bodies = kept.take(limit).map(|kept| &kept.body);
        Ok(bodies
            .map(|body| body.slice(..bytes.min(body.len())))
            .collect())
    }

    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Browsed>, Error> {
        let now = self.clock.now();
        let from = after.map_or(0, |after| after.saturating_add(1));
        let queues = lock(&self.queues);
        let messages = queues.get(queue).into_iter();
        let later = messages.flat_map(|messages| messages.messages.range(from..));
        let seen = later.map(|(message, kept)| Browsed {
            message: *message,
            owner: kept.owner.to_string(),
            body: kept.body.clone(),
            delay: kept.visible_from.since(now),
        });
        Ok(browsed(seen, limit))
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let queues = lock(&self.queues);
        let names = queues.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, Error> {
        let mut queues = lock(&self.queues);
        let empty = queues
            .get(queue)
            .is_none_or(|messages| messages.messages.is_empty());
        if empty {
            queues.remove(queue);
        }
        Ok(empty)
    }
}
