//! Network namespaces and cgroups made ahead, by a thread of their own.
//!
//! The thread makes one after the other and hands them on through a channel that holds as many as
//! the pool should: when it is full the thread waits, so the channel is the pool. Half of making a
//! sandbox is done here, before anybody asks.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::locked;
use crate::cgroup::{Group, Hierarchies};
use crate::config::{Config, SLOTS_MAX};
use crate::error::Error;
use crate::netns::{Maker, Network};

/// How long the thread waits after a failure: what the host is short of does not come back at once.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What a sandbox begins with.
pub(super) struct Prepared {
    pub(super) slot: Slot,
    pub(super) network: Network,
    pub(super) group: Group,
}

/// The pool.
pub(super) struct Pool {
    ready: tokio::sync::Mutex<mpsc::Receiver<Result<Prepared, Error>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pool {
    pub(super) fn start(hierarchies: Arc<Hierarchies>, config: &Config) -> Result<Self, Error> {
        // One is the least: it is then made when the one before is taken.
        let (sender, receiver) = mpsc::channel(config.pool.max(1));
        let slots = Arc::new(Slots::new(config.first_uid));
        let (tag, network) = (config.tag.clone(), config.network.clone());
        let thread = std::thread::Builder::new()
            .name("sandbox-pool".to_owned())
            .spawn(move || fill(&hierarchies, &slots, Maker::new(&tag, &network), &sender))
            .map_err(Error::step("start the pool's thread"))?;
        Ok(Self {
            ready: tokio::sync::Mutex::new(receiver),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Takes one, waiting for it to be made if there is none.
    pub(super) async fn take(&self) -> Result<Prepared, Error> {
        let mut ready = self.ready.lock().await;
        loop {
            match ready.recv().await {
                None => return Err(Error::Gone),
                // A failure that has been superseded is old news.
                Some(Err(_)) if !ready.is_empty() => {}
                Some(prepared) => return prepared,
            }
        }
    }

    /// Ends the thread and removes what is ready.
    pub(super) async fn stop(&self) {
        {
            let mut ready = self.ready.lock().await;
            ready.close();
            while ready.recv().await.is_some() {}
        }
        if let Some(thread) = locked(&self.thread).take() {
            // It ends with its next making, a millisecond at most; a panic there was reported there.
            let _ = thread.join();
        }
    }
}

fn fill(
    hierarchies: &Hierarchies,
    slots: &Arc<Slots>,
    maker: io::Result<Maker>,
    sender: &mpsc::Sender<Result<Prepared, Error>>,
) {
    loop {
        let made = match &maker {
            Ok(maker) => make(hierarchies, slots, maker),
            Err(error) => Err(Error::Step {
                step: "find this host's network".to_owned(),
                source: error.kind().into(),
            }),
        };
        let failed = made.is_err();
        if sender.blocking_send(made).is_err() {
            return;
        }
        if failed {
            std::thread::park_timeout(RETRY_AFTER);
        }
    }
}

fn make(hierarchies: &Hierarchies, slots: &Arc<Slots>, maker: &Maker) -> Result<Prepared, Error> {
    let slot = Slots::take(slots).ok_or(Error::Unsupported {
        missing: "room for more sandboxes",
    })?;
    let network = maker
        .make(slot.index)
        .map_err(Error::step("make a network namespace"))?;
    let group = hierarchies
        .create(slot.uid())
        .map_err(Error::step("make cgroups"))?;
    Ok(Prepared {
        slot,
        network,
        group,
    })
}

/// Which of the host's users are free.
struct Slots {
    first_uid: u32,
    /// Freed ones, and the first that was never used.
    free: Mutex<(Vec<u32>, u32)>,
}

impl Slots {
    fn new(first_uid: u32) -> Self {
        Self {
            first_uid,
            free: Mutex::new((Vec::new(), 0)),
        }
    }

    fn take(slots: &Arc<Self>) -> Option<Slot> {
        let mut free = locked(&slots.free);
        let (freed, unused) = &mut *free;
        let index = freed.pop().or_else(|| {
            let index = *unused;
            (index < SLOTS_MAX).then(|| {
                *unused += 1;
                index
            })
        })?;
        drop(free);
        Some(Slot {
            index,
            slots: Arc::clone(slots),
        })
    }
}

/// Two of the host's users, given back when dropped.
pub(super) struct Slot {
    index: u32,
    slots: Arc<Slots>,
}

impl Slot {
    /// The host's user that is 0 inside. The function's is the next.
    pub(super) fn uid(&self) -> u32 {
        self.slots.first_uid + 2 * self.index
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        locked(&self.slots.free).0.push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sandboxes_never_have_the_same_user() {
        let slots = Arc::new(Slots::new(10_000));
        let (first, second) = (Slots::take(&slots).unwrap(), Slots::take(&slots).unwrap());
        assert_eq!((first.uid(), second.uid()), (10_000, 10_002));
        drop(first);
        assert_eq!(Slots::take(&slots).unwrap().uid(), 10_000);
    }

    #[test]
    fn users_run_out_rather_than_over() {
        let slots = Arc::new(Slots::new(10_000));
        let all: Vec<_> = (0..SLOTS_MAX).map_while(|_| Slots::take(&slots)).collect();
        assert_eq!(all.len() as u32, SLOTS_MAX);
        assert!(Slots::take(&slots).is_none());
    }
}
