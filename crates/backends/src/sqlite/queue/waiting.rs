//! Receivers that wait. What is sent to their queue is theirs in the transaction that keeps it: one
//! write, where storing it and then receiving it would be two.
//!
//! ```text
//!   receive, nothing there ─▶ waits ─▶ sent to: has messages ─▶ (commit) ─▶ told, and gone
//!                               └─▶ anything else changed in its queue ───▶ told to look again
//! ```

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use storage::queue::{Message, RECEIVE_BYTES_MAX};
use tokio::sync::oneshot;

/// See the module. What happens in a transaction that fails is forgotten.
#[derive(Default)]
pub(super) struct Waiting {
    /// By queue, those who came first at the front. Order of queues never matters.
    queues: HashMap<String, VecDeque<Waiter>>,
    /// Queues whose first receiver has got something in this transaction.
    given: Vec<String>,
    /// Whom to tell once the transaction is on disk.
    over: Vec<(String, Waiter)>,
}

/// One receiver.
struct Waiter {
    max: usize,
    visibility: Duration,
    /// What it has got in this transaction.
    messages: Vec<Message>,
    bytes: usize,
    hand: oneshot::Sender<Vec<Message>>,
}

impl Waiter {
    fn has_room(&self, bytes: usize) -> bool {
        self.messages.is_empty()
            || (self.messages.len() < self.max && self.bytes + bytes <= RECEIVE_BYTES_MAX)
    }
}

impl Waiting {
    /// One more receiver; the answer comes through what this returns. No messages: it has to look again.
    pub(super) fn add(
        &mut self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> oneshot::Receiver<Vec<Message>> {
        let (hand, receiver) = oneshot::channel();
        let waiters = self.queues.entry(queue.to_owned()).or_default();
        waiters.retain(|waiter| !waiter.hand.is_closed());
        waiters.push_back(Waiter {
            max,
            visibility,
            messages: Vec::new(),
            bytes: 0,
            hand,
        });
        receiver
    }

    /// If a receiver waits for a message of that size, for how long the message is to be hidden; then it must be
    /// given to it.
    pub(super) fn taker(&mut self, queue: &str, bytes: usize) -> Option<Duration> {
        let waiters = self.queues.get_mut(queue)?;
        while let Some(first) = waiters.front() {
            if first.hand.is_closed() && first.messages.is_empty() {
                waiters.pop_front();
            } else if first.has_room(bytes) {
                return Some(first.visibility);
            } else {
                self.over
                    .extend(waiters.pop_front().map(|full| (queue.to_owned(), full)));
            }
        }
        self.queues.remove(queue);
        None
    }

    /// Gives a message to the taker.
    pub(super) fn give(&mut self, queue: &str, message: Message) {
        let waiters = self.queues.get_mut(queue);
        if let Some(taker) = waiters.and_then(|waiters| waiters.front_mut()) {
            if taker.messages.is_empty() {
                self.given.push(queue.to_owned());
            }
            taker.bytes += message.body.len();
            taker.messages.push(message);
        }
    }

    /// Something else in a queue has changed: all its receivers look again.
    pub(super) fn stir(&mut self, queue: &str) {
        for waiter in self.queues.remove(queue).into_iter().flatten() {
            self.over.push((queue.to_owned(), waiter));
        }
    }

    /// The transaction ends: receivers that got something no longer wait.
    pub(super) fn finish(&mut self) {
        for queue in self.given.drain(..) {
            let Some(waiters) = self.queues.get_mut(&queue) else {
                continue;
            };
            // Those before it were full, and are over already.
            if waiters
                .front()
                .is_some_and(|first| !first.messages.is_empty())
            {
                self.over
                    .extend(waiters.pop_front().map(|one| (queue.clone(), one)));
            }
            if waiters.is_empty() {
                self.queues.remove(&queue);
            }
        }
    }

    /// Tells everybody whose wait is over. Gives back what nobody takes any more.
    pub(super) fn tell(&mut self) -> Vec<(String, Vec<Message>)> {
        let mut left = Vec::new();
        for (queue, waiter) in self.over.drain(..) {
            match waiter.hand.send(waiter.messages) {
                Err(messages) if !messages.is_empty() => left.push((queue, messages)),
                _ => {}
            }
        }
        left
    }

    /// Nothing of the transaction happened: all receivers in it look again.
    pub(super) fn forget(&mut self) {
        self.finish();
        self.over.clear();
    }
}

#[cfg(test)]
mod tests {
    use storage::queue::Receipt;

    use super::*;

    const HIDDEN: Duration = Duration::from_secs(30);

    fn message(number: u64, bytes: usize) -> Message {
        Message {
            receipt: Receipt {
                message: number,
                receives: 1,
            },
            body: vec![0; bytes].into(),
        }
    }

    /// Sends to "q", if somebody takes it.
    fn sent(waiting: &mut Waiting, number: u64, bytes: usize) -> bool {
        let taken = waiting.taker("q", bytes).is_some();
        if taken {
            waiting.give("q", message(number, bytes));
        }
        taken
    }

    fn numbers(messages: &[Message]) -> Vec<u64> {
        messages.iter().map(|one| one.receipt.message).collect()
    }

    #[test]
    fn who_came_first_gets_as_much_as_it_wants_and_then_the_next() {
        let mut waiting = Waiting::default();
        let mut first = waiting.add("q", 2, HIDDEN);
        let mut second = waiting.add("q", 10, HIDDEN);
        let mut third = waiting.add("q", 10, HIDDEN);
        let taken: Vec<bool> = (1..=3)
            .map(|number| sent(&mut waiting, number, 1))
            .collect();
        assert_eq!(taken, [true; 3]);
        assert!(first.try_recv().is_err(), "it is not on disk yet");
        waiting.finish();
        assert!(waiting.tell().is_empty());
        assert_eq!(numbers(&first.try_recv().unwrap()), [1, 2]);
        assert_eq!(numbers(&second.try_recv().unwrap()), [3]);
        assert!(third.try_recv().is_err(), "it waits on");
        assert!(sent(&mut waiting, 4, 1));
    }

    #[test]
    fn one_gets_no_more_bytes_than_a_receive_may_have() {
        let mut waiting = Waiting::default();
        let mut first = waiting.add("q", 10, HIDDEN);
        assert!(sent(&mut waiting, 1, RECEIVE_BYTES_MAX));
        assert!(!sent(&mut waiting, 2, 1), "nobody else waits");
        waiting.finish();
        waiting.tell();
        assert_eq!(numbers(&first.try_recv().unwrap()), [1]);
    }

    #[test]
    fn what_was_taken_for_one_who_left_comes_back() {
        let mut waiting = Waiting::default();
        let receiver = waiting.add("q", 10, HIDDEN);
        assert!(sent(&mut waiting, 1, 1));
        drop(receiver);
        waiting.finish();
        let left = waiting.tell();
        assert_eq!(left.len(), 1);
        assert_eq!(numbers(&left[0].1), [1]);
    }

    #[test]
    fn one_who_left_before_is_given_nothing() {
        let mut waiting = Waiting::default();
        drop(waiting.add("q", 10, HIDDEN));
        assert!(!sent(&mut waiting, 1, 1));
        let mut stays = waiting.add("q", 10, HIDDEN);
        assert!(sent(&mut waiting, 2, 1));
        waiting.finish();
        waiting.tell();
        assert_eq!(numbers(&stays.try_recv().unwrap()), [2]);
    }

    #[test]
    fn after_a_transaction_that_failed_its_receivers_look_anew() {
        let mut waiting = Waiting::default();
        let mut with = waiting.add("q", 10, HIDDEN);
        assert!(sent(&mut waiting, 1, 1));
        let mut without = waiting.add("other", 10, HIDDEN);
        waiting.forget();
        assert!(waiting.tell().is_empty());
        let closed = Err(oneshot::error::TryRecvError::Closed);
        assert_eq!(with.try_recv(), closed);
        let empty = Err(oneshot::error::TryRecvError::Empty);
        assert_eq!(without.try_recv(), empty, "it waits on");
        waiting.stir("other");
        waiting.tell();
        assert_eq!(without.try_recv(), Ok(Vec::new()));
    }
}
