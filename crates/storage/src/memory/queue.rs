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
    Charge, Depth, Message, RECEIVE_BYTES_MAX, RECEIVE_MAX, Receipt, Usage, beginnings,
    check_charge, check_message, check_queue,
};
use crate::{Error, Queue};

/// Queues in memory, by the clock they are given.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    queues: Mutex<BTreeMap<String, Messages>>,
    /// The last message's number, of all queues: a queue that is deleted and begins anew has no number twice.
    last: AtomicU64,
    /// Something may have become visible, or will at another time than before.
    changed: Notify,
}

#[derive(Default)]
struct Messages {
    messages: BTreeMap<u64, Kept>,
    /// All of them by the time they are visible from.
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
            last: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
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

    /// Answers whose it was.
    fn remove(&mut self, message: u64) -> Option<Arc<str>> {
        let kept = self.messages.remove(&message)?;
        self.by_time.remove(&(kept.visible_from, message));
        Some(kept.owner)
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

fn all(queues: &BTreeMap<String, Messages>) -> impl Iterator<Item = &Kept> {
    queues.values().flat_map(|queue| queue.messages.values())
}

fn add(usage: Usage, kept: &Kept) -> Usage {
    usage.with(kept.body.len() as u64)
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
        for bound in &charge.bounds {
            let of_it = |kept: &&Kept| beginnings(&kept.owner).any(|part| part == bound.of);
            let kept = all(&queues).filter(of_it).fold(Usage::default(), add);
            if !kept.with(body.len() as u64).fits(bound.most) {
                return Err(Error::Full { what: "a queue" });
            }
        }
        let messages = queues.entry(queue.to_owned()).or_default();
        messages.put(
            self.next(),
            charge.owner.as_str().into(),
            body,
            visible_from,
        );
        drop(queues);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error> {
        let mut usage: BTreeMap<String, Usage> = BTreeMap::new();
        let queues = lock(&self.queues);
        for kept in all(&queues).filter(|kept| !kept.owner.is_empty()) {
            let of_owner = usage.entry(kept.owner.to_string()).or_default();
            *of_owner = add(*of_owner, kept);
        }
        Ok(usage.into_iter().collect())
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
            let owner = messages.remove(receipt.message);
            messages.put(self.next(), owner.unwrap_or_default(), body, visible_from);
        }))
    }

    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error> {
        if let Some(messages) = lock(&self.queues).get_mut(queue) {
            messages.remove(receipt.message);
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
