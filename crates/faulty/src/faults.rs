//! What happens to a call: decided by chance, carried out in tokio's time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::Lost;
use tokio::time::{Instant, sleep, timeout};
use types::Random;

use crate::Seeded;

/// The most events in a history; the oldest are dropped first.
const HISTORY_MAX: usize = 200;

/// How long calls take, and which share of them fails. What does not fall into one share can fall into
/// the next: at most `lost_before + lost_after` of all calls are lost.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rates {
    /// The least and the most time that a request is in transit, and then an answer.
    pub delay: (Duration, Duration),
    /// The share of all calls that never reach the callee.
    pub lost_before: f64,
    /// The share of all calls that reach the callee, now or later, and whose outcome the caller does
    /// not learn.
    pub lost_after: f64,
    /// The share of all calls that reach the callee once more, later. Nobody receives that answer.
    pub duplicated: f64,
    /// How much later something can arrive: a duplicate, or a request whose caller has been told that
    /// it is lost.
    pub late: Duration,
}

impl Rates {
    /// No faults, and this long in each direction.
    pub const fn fixed(delay: Duration) -> Self {
        Self {
            delay: (delay, delay),
            lost_before: 0.0,
            lost_after: 0.0,
            duplicated: 0.0,
            late: Duration::ZERO,
        }
    }

    /// Nothing arrives.
    pub const fn cut_off() -> Self {
        Self {
            lost_before: 1.0,
            ..Self::fixed(Duration::ZERO)
        }
    }
}

/// How the outcome of a call is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loss {
    /// The request.
    Request,
    /// The answer.
    Answer,
    /// The connection, this long after the callee received the call; the callee continues without a
    /// caller.
    Connection(Duration),
    /// The connection, this long after the callee received the call; the callee stops in the middle.
    Midway(Duration),
    /// The caller's patience: the callee receives the call this much later.
    Patience(Duration),
}

/// What happens to one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fate {
    there: Duration,
    back: Duration,
    loss: Option<Loss>,
    /// How long after its first arrival.
    duplicate: Option<Duration>,
}

/// Decides what happens to calls. Several arrows may share one, as they share a network.
pub struct Faults {
    chance: Seeded,
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    rates: Rates,
    history: VecDeque<Event>,
}

/// A call that failed in some way.
#[derive(Clone, Debug)]
struct Event {
    after: Duration,
    what: &'static str,
    fate: Fate,
}

impl Faults {
    /// Faults by chance from a seed.
    pub fn new(seed: u64, rates: Rates) -> Arc<Self> {
        Arc::new(Self {
            chance: Seeded::new(seed),
            began: Instant::now(),
            inner: Mutex::new(Inner {
                rates,
                history: VecDeque::new(),
            }),
        })
    }

    /// No faults: this long in each direction.
    pub fn fixed(delay: Duration) -> Arc<Self> {
        Self::new(0, Rates::fixed(delay))
    }

    /// Sets the rates from now on. Calls in progress continue as decided before.
    pub fn set(&self, rates: Rates) {
        self.lock().rates = rates;
    }

    /// The latest faults, a line for each call, in order.
    pub fn history(&self) -> Vec<String> {
        self.lock().history.iter().map(Event::to_string).collect()
    }

    /// Carries a call: calls the callee through `ask` if the request arrives, and returns the answer if
    /// that arrives. `what` names the call in the history. If the caller stops waiting, the callee
    /// stops too.
    pub async fn carry<A, F>(&self, what: &'static str, ask: impl Fn() -> F) -> Result<A, Lost>
    where
        A: Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        let fate = self.decide(what);
        pass(fate.there).await;
        if fate.loss == Some(Loss::Request) {
            return Err(Lost::Before);
        }
        let work = ask();
        if let Some(later) = fate.duplicate {
            let again = ask();
            // Nobody waits for it.
            tokio::spawn(async move {
                pass(later).await;
                drop(again.await);
            });
        }
        match fate.loss {
            None => {
                let answer = work.await;
                pass(fate.back).await;
                return Ok(answer);
            }
            Some(Loss::Request) => return Err(Lost::Before),
            Some(Loss::Answer) => {
                drop(work.await);
                pass(fate.back).await;
            }
            Some(Loss::Connection(after)) => {
                // It ends by itself. That it outlived the connection does not matter.
                let _ = timeout(after, tokio::spawn(work)).await;
            }
            // It is dropped where it is.
            Some(Loss::Midway(after)) => drop(timeout(after, work).await),
            Some(Loss::Patience(late)) => {
                // Nobody waits for it.
                tokio::spawn(async move {
                    pass(late).await;
                    drop(work.await);
                });
            }
        }
        Err(Lost::After)
    }

    /// Whether a stream is cut off here.
    pub(crate) fn breaks(&self, what: &'static str) -> bool {
        let rates = self.lock().rates;
        let breaks = self.happens(rates.lost_after);
        if breaks {
            let loss = Some(Loss::Connection(Duration::ZERO));
            self.note(what, Fate { loss, ..Fate::NONE });
        }
        breaks
    }

    /// How long one piece is in transit.
    pub(crate) fn delay(&self) -> Duration {
        let (least, most) = self.lock().rates.delay;
        self.between(least, most)
    }

    fn decide(&self, what: &'static str) -> Fate {
        let rates = self.lock().rates;
        let (least, most) = rates.delay;
        let fate = Fate {
            there: self.between(least, most),
            back: self.between(least, most),
            loss: self.loss(rates),
            duplicate: self
                .happens(rates.duplicated)
                .then(|| self.between(Duration::ZERO, rates.late)),
        };
        if fate.loss.is_some() || fate.duplicate.is_some() {
            self.note(what, fate);
        }
        fate
    }

    fn loss(&self, rates: Rates) -> Option<Loss> {
        if self.happens(rates.lost_before) {
            return Some(Loss::Request);
        }
        if !self.happens(rates.lost_after) {
            return None;
        }
        let late = self.between(Duration::ZERO, rates.late);
        Some(match self.chance.below(4) {
            0 => Loss::Connection(late),
            1 => Loss::Midway(late),
            2 => Loss::Patience(late),
            _ => Loss::Answer,
        })
    }

    fn happens(&self, part: f64) -> bool {
        part > 0.0 && self.chance.next_fraction() < part
    }

    fn between(&self, least: Duration, most: Duration) -> Duration {
        match most.checked_sub(least) {
            Some(more) if !more.is_zero() => least + more.mul_f64(self.chance.next_fraction()),
            _ => least,
        }
    }

    fn note(&self, what: &'static str, fate: Fate) {
        let after = self.began.elapsed();
        let mut inner = self.lock();
        if inner.history.len() == HISTORY_MAX {
            inner.history.pop_front();
        }
        inner.history.push_back(Event { after, what, fate });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fate {
    const NONE: Self = Self {
        there: Duration::ZERO,
        back: Duration::ZERO,
        loss: None,
        duplicate: None,
    };
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3}s {}", self.after.as_secs_f64(), self.what)?;
        match self.fate.loss {
            None => {}
            Some(Loss::Request) => write!(f, ", request lost")?,
            Some(Loss::Answer) => write!(f, ", answer lost")?,
            Some(Loss::Connection(after)) => write!(f, ", cut off after {after:?}")?,
            Some(Loss::Midway(after)) => write!(f, ", stopped after {after:?}")?,
            Some(Loss::Patience(late)) => write!(f, ", given up, received after {late:?}")?,
        }
        match self.fate.duplicate {
            None => Ok(()),
            Some(later) => write!(f, ", received again after {later:?}"),
        }
    }
}

/// Lets time pass. Zero time does not cost a turn of the runtime.
async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

#[cfg(test)]
mod tests;
