//! Every order in which two requests' steps can happen, as long as they do not interrupt each other
//! more than [`SWITCHES_MAX`] times.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use storage::memory::MemoryTable;
use storage::{Consistency, Error, Expect, Revision, Row, Table, Watch};

use super::{ask, done, iam, root};
use crate::iam::Iam;

/// A table whose every operation waits for one more poll, so that the poller decides in which order the
/// operations of several requests happen.
pub(super) struct Stepping(pub(super) MemoryTable);

/// Pending once.
struct Step(bool);

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match std::mem::replace(&mut self.0, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

#[async_trait]
impl Table for Stepping {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        Step(false).await;
        self.0.get(key, consistency).await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        Step(false).await;
        self.0.put(key, value, expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        Step(false).await;
        self.0.delete(key, expect).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        Step(false).await;
        self.0.list(prefix, after, limit).await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.0.watch(prefix).await
    }
}

pub(super) type Request<'r> = (&'r str, &'r [(&'r str, &'r str)]);

/// Runs a future to its end.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

/// Runs two requests in the order that `schedule` says, step by step: returns whether each was done.
/// Possible steps are counted.
fn interleaved(
    iam: &Iam,
    one: Request<'_>,
    other: Request<'_>,
    schedule: &mut Schedule,
) -> (bool, bool) {
    let caller = root();
    let mut futures = [
        Box::pin(ask(iam, &caller, one.0, one.1)),
        Box::pin(ask(iam, &caller, other.0, other.1)),
    ];
    let mut done = [None, None];
    let mut context = Context::from_waker(Waker::noop());
    while done.iter().any(Option::is_none) {
        let turn = match (&done[0], &done[1]) {
            (Some(_), None) => 1,
            (None, Some(_)) => 0,
            _ => schedule.choose(),
        };
        if let Poll::Ready(answer) = futures[turn].as_mut().poll(&mut context) {
            done[turn] = Some(answer.is_ok());
        }
    }
    (done[0].unwrap(), done[1].unwrap())
}

/// How many times one request is interrupted for the other.
const SWITCHES_MAX: usize = 6;

/// All ways to continue with the one or to switch to the other, traversed as a tree.
#[derive(Default)]
struct Schedule {
    /// Whether to switch, at each step.
    switches: Vec<bool>,
    at: usize,
    turn: usize,
}

impl Schedule {
    /// Whose turn it is.
    fn choose(&mut self) -> usize {
        if self.at == self.switches.len() {
            self.switches.push(false);
        }
        if self.switches[self.at] {
            self.turn = 1 - self.turn;
        }
        self.at += 1;
        self.turn
    }

    /// The next way; `false` after the last.
    fn next(&mut self) -> bool {
        (self.at, self.turn) = (0, 0);
        while let Some(last) = self.switches.pop() {
            let before = self.switches.iter().filter(|switch| **switch).count();
            if !last && before < SWITCHES_MAX {
                self.switches.push(true);
                return true;
            }
        }
        false
    }
}

/// Runs `one` against `other` in every order. `check` receives which succeeded, and checks what exists
/// then.
pub(super) fn in_every_order(
    before: &[Request<'_>],
    one: Request<'_>,
    other: Request<'_>,
    check: impl Fn(&Iam, bool, bool),
) {
    let mut schedule = Schedule::default();
    let mut orders = 0;
    loop {
        let iam = iam(Arc::new(Stepping(MemoryTable::default())));
        for (action, parameters) in before {
            run(done(&iam, action, parameters));
        }
        let (first, second) = interleaved(&iam, one, other, &mut schedule);
        check(&iam, first, second);
        orders += 1;
        assert!(orders < 200_000, "too many orders to try them all");
        if !schedule.next() {
            break;
        }
    }
    assert!(orders > 50, "only {orders} orders");
}
