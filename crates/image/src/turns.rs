//! Whose turn it is to unpack: as many at once as the machine has use for, fair between accounts.
//!
//! A turn that becomes free goes to the account that has the fewest, among those that wait; and one
//! account never has all of them, so that the next account need not wait for its packages.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use types::AccountId;

/// Turns at once.
const AT_ONCE: usize = 4;
/// Turns of one account at once.
const OF_ONE_MAX: usize = AT_ONCE - 1;

/// Gives out turns.
#[derive(Default)]
pub(crate) struct Turns(Mutex<State>);

/// A turn; dropping it gives it back.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    account: AccountId,
}

#[derive(Default)]
struct State {
    /// Accounts that have turns, and how many.
    taken: BTreeMap<AccountId, usize>,
    /// In the order in which they came. As long as there are callers who wait, and those are bounded:
    /// invokes and functions being settled.
    waiting: VecDeque<(AccountId, oneshot::Sender<Turn>)>,
}

impl State {
    fn taken_by(&self, account: &AccountId) -> usize {
        self.taken.get(account).copied().unwrap_or_default()
    }

    /// Takes a turn for the one of those that wait who is to have it; none if there is none to give.
    fn next(&mut self) -> Option<(AccountId, oneshot::Sender<Turn>)> {
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        if self.taken.values().sum::<usize>() >= AT_ONCE {
            return None;
        }
        let waiting = self.waiting.iter().enumerate();
        let may = waiting
            .map(|(at, (account, _))| (self.taken_by(account), at))
            .filter(|(taken, _)| *taken < OF_ONE_MAX);
        let (_, at) = may.min()?;
        let (account, sender) = self.waiting.remove(at)?;
        *self.taken.entry(account.clone()).or_default() += 1;
        Some((account, sender))
    }

    fn give_back(&mut self, account: &AccountId) {
        if let Some(taken) = self.taken.get_mut(account) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.taken.remove(account);
            }
        }
    }
}

impl Turns {
    /// Waits for a turn.
    pub(crate) async fn take(self: &Arc<Self>, account: &AccountId) -> Turn {
        loop {
            let (sender, given) = oneshot::channel();
            self.lock().waiting.push_back((account.clone(), sender));
            self.hand_out();
            // A sender is kept until a turn is sent, so this ends with one.
            if let Ok(turn) = given.await {
                return turn;
            }
        }
    }

    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = self.lock().next();
            let Some((account, sender)) = next else {
                return;
            };
            let turns = Arc::clone(self);
            // A caller that no longer waits returns it by dropping it, outside the lock.
            drop(sender.send(Turn { turns, account }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().give_back(&self.account);
        self.turns.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn account(digit: char) -> AccountId {
        AccountId::new(&digit.to_string().repeat(12)).unwrap()
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_account_never_has_all_turns_and_the_one_with_the_fewest_is_next() {
        let turns = Arc::new(Turns::default());
        let (one, two, three) = (account('1'), account('2'), account('3'));
        let mut held: Vec<Turn> = (0..OF_ONE_MAX)
            .map(|_| poll(pin!(turns.take(&one))).unwrap())
            .collect();
        let mut fourth = pin!(turns.take(&one));
        assert!(poll(fourth.as_mut()).is_none());
        let other = poll(pin!(turns.take(&two))).unwrap();
        let mut late = pin!(turns.take(&three));
        assert!(poll(late.as_mut()).is_none(), "all are taken");
        held.pop();
        let late = poll(late.as_mut()).expect("before the one that came earlier and has two");
        assert!(poll(fourth.as_mut()).is_none());
        drop(other);
        assert!(poll(fourth.as_mut()).is_some());
        drop(late);
    }

    #[test]
    fn who_no_longer_waits_holds_up_nobody() {
        let turns = Arc::new(Turns::default());
        let (one, two) = (account('1'), account('2'));
        let held: Vec<Turn> = [&one, &one, &one, &two]
            .map(|account| poll(pin!(turns.take(account))).unwrap())
            .into();
        {
            let mut gone = pin!(turns.take(&two));
            assert!(poll(gone.as_mut()).is_none());
        }
        let mut waits = pin!(turns.take(&two));
        assert!(poll(waits.as_mut()).is_none());
        drop(held);
        assert!(poll(waits.as_mut()).is_some());
        assert!(turns.lock().taken.is_empty() && turns.lock().waiting.is_empty());
    }
}
