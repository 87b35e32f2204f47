//! Pooled sandboxes, prepared as far as they are all alike: some threads for each root.
//!
//! A thread makes one after the other and hands them on through a channel that holds as many as the
//! pool should: when it is full the threads wait, so the channel is the pool. Most of making a sandbox
//! is done here, before anybody asks: network namespace, cgroups, and an init that waits to be told
//! what it is to be.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::keeper::{Keeper, Kept};
use super::locked;
use super::reaper::Reaper;
use crate::cgroup::{Group, Hierarchies};
use crate::channel;
use crate::config::{Config, Root, SLOTS_MAX};
use crate::error::Error;
use crate::netns::Maker;
use crate::sys::{files, processes};

/// Threads for each root. One waits for the kernel as often as it works: making a network namespace
/// takes turns with removing others.
const THREADS: usize = 2;
/// How long a thread waits after a failure: what the host lacks does not come back at once.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// How many attempts in a row may be lost with their spawner before that is logged.
const LOST_MAX: u32 = 4;
/// How long the cgroups of what is discarded may stay busy.
const REMOVE_WITHIN: Duration = Duration::from_secs(2);
/// How often busy ones are tried.
const REMOVE_EVERY: Duration = Duration::from_micros(500);

/// A sandbox that waits to be told what it is to be.
pub(super) struct Prepared {
    pub(super) slot: Slot,
    pub(super) group: Group,
    pub(super) listener: TcpListener,
    pub(super) door: Option<TcpListener>,
    /// See [`crate::netns::Network::sockets`].
    pub(super) sockets: File,
    /// To init, not listened to yet.
    pub(super) control: OwnedFd,
    /// Init's handle.
    pub(super) process: OwnedFd,
}

impl Prepared {
    fn has_ended(&self) -> bool {
        // If that cannot be checked, whatever takes it will notice.
        files::is_readable(self.process.as_fd()).unwrap_or(false)
    }

    /// Ends it unused, and waits for that.
    fn discard(self, reaper: &Reaper) {
        // If it cannot be killed, closing its control socket ends it.
        let _ = processes::signal_handle(self.process.as_fd(), libc::SIGKILL);
        let Self { slot, group, .. } = self;
        Remains { group, slot }.leave(reaper);
    }
}

/// What is left of a sandbox that was never used, while its init may still live.
pub(super) struct Remains {
    pub(super) group: Group,
    pub(super) slot: Slot,
}

impl Remains {
    /// Removes what exists. False while a process lives there.
    pub(super) fn gone(&mut self) -> bool {
        !matches!(self.group.remove(), Err(error) if error.raw_os_error() == Some(libc::EBUSY))
    }

    /// Waits a little until nothing is left, and then leaves it to the reaper.
    fn leave(mut self, reaper: &Reaper) {
        let deadline = Instant::now() + REMOVE_WITHIN;
        while !self.gone() {
            if Instant::now() >= deadline {
                tracing::warn!(
                    user = self.slot.uid(),
                    "a sandbox that was not used does not end"
                );
                reaper.keep(self, Self::gone);
                return;
            }
            std::thread::park_timeout(REMOVE_EVERY);
        }
    }
}

/// The pool of one root.
pub(super) struct Pool {
    /// The host folders whose directories its sandboxes can show.
    pub(super) images: PathBuf,
    pub(super) runtimes: PathBuf,
    ready: tokio::sync::Mutex<mpsc::Receiver<Result<Prepared, Error>>>,
    keeper: Keeper,
    reaper: Arc<Reaper>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a thread makes sandboxes with.
struct Making {
    hierarchies: Arc<Hierarchies>,
    slots: Arc<Slots>,
    networks: Maker,
    spawner: Arc<Kept>,
    reaper: Arc<Reaper>,
}

impl Pool {
    /// Starts to fill it.
    pub(super) fn start(
        root: &Root,
        keeper: Keeper,
        config: &Config,
        (hierarchies, slots, reaper): (Arc<Hierarchies>, Arc<Slots>, Arc<Reaper>),
    ) -> Result<Self, Error> {
        // One is the least: the next is made when this one is taken.
        let (sender, receiver) = mpsc::channel(config.pool.max(1));
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let networks = Maker::new(config);
            let making = Making {
                hierarchies: Arc::clone(&hierarchies),
                slots: Arc::clone(&slots),
                networks: networks.map_err(Error::step("find this host's network"))?,
                spawner: keeper.kept(),
                reaper: Arc::clone(&reaper),
            };
            let sender = sender.clone();
            let thread = std::thread::Builder::new()
                .name("sandbox-pool".to_owned())
                .spawn(move || making.fill(&sender))
                .map_err(Error::step("start a pool's thread"))?;
            threads.push(thread);
        }
        Ok(Self {
            images: config.images.clone(),
            runtimes: root.runtimes.clone(),
            ready: tokio::sync::Mutex::new(receiver),
            keeper,
            reaper,
            threads: Mutex::new(threads),
        })
    }

    /// Takes one; if there is none, waits for it to be made. Those that died with their spawner are
    /// skipped.
    pub(super) async fn take(&self) -> Result<Prepared, Error> {
        let mut ready = self.ready.lock().await;
        loop {
            match ready.recv().await {
                None => return Err(Error::Gone),
                // A failure that has been superseded is no longer of interest.
                Some(Err(_)) if !ready.is_empty() => {}
                Some(Ok(prepared)) if prepared.has_ended() => {
                    // A panic there is a bug and was reported there.
                    let reaper = Arc::clone(&self.reaper);
                    let _ = tokio::task::spawn_blocking(move || prepared.discard(&reaper)).await;
                }
                Some(prepared) => return prepared,
            }
        }
    }

    /// Ends the threads, what is ready, and the spawner with all that lives under it.
    pub(super) async fn stop(self: Arc<Self>) {
        let mut unused = Vec::new();
        {
            let mut ready = self.ready.lock().await;
            ready.close();
            while let Some(prepared) = ready.recv().await {
                unused.extend(prepared);
            }
        }
        let end = move || {
            let threads = std::mem::take(&mut *locked(&self.threads));
            // First, so that no thread waits for a spawner that is still to come.
            self.keeper.stop();
            for prepared in unused {
                prepared.discard(&self.reaper);
            }
            // Each ends with its next making; a panic there was reported there.
            threads.into_iter().for_each(|thread| drop(thread.join()));
        };
        // A panic there is a bug and was reported there.
        let _ = tokio::task::spawn_blocking(end).await;
    }
}

impl Making {
    fn fill(&self, sender: &mpsc::Sender<Result<Prepared, Error>>) {
        let (mut lost, mut failing) = (0, false);
        loop {
            let mut made = self.make();
            if matches!(made, Err(Error::Gone)) {
                // Its spawner died during it: the next one is waited for, unless they all do so.
                lost += 1;
                if lost < LOST_MAX {
                    continue;
                }
                made = Err(self.spawner.missing());
            }
            lost = 0;
            let failed = made.is_err();
            // A caller that wants one learns of the failure only if there is no other. A keeper that
            // has stopped is logged elsewhere.
            if let Err(error @ Error::Step { .. }) = &made
                && !failing
            {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "could not prepare a standby sandbox");
            }
            failing = failed;
            if let Err(mpsc::error::SendError(unused)) = sender.blocking_send(made) {
                let _ = unused.map(|prepared| prepared.discard(&self.reaper));
                return;
            }
            if failed {
                std::thread::park_timeout(RETRY_AFTER);
            }
        }
    }

    fn make(&self) -> Result<Prepared, Error> {
        let missing = "room for more sandboxes";
        let slot = Slots::take(&self.slots).ok_or(Error::Unsupported { missing })?;
        let network = self.networks.make(slot.index);
        let network = network.map_err(Error::step("make a network namespace"))?;
        let group = self
            .hierarchies
            .create(slot.uid())
            .map_err(Error::step("make cgroups"))?;
        let (control, theirs) = channel::pair().map_err(Error::step("make a control socket"))?;
        let mut fds: Vec<BorrowedFd<'_>> = vec![
            theirs.as_fd(),
            network.namespace.as_fd(),
            group.home(),
            group.function(),
        ];
        fds.extend(group.controllers().entrances());
        let created = self.spawner.create(slot.uid(), &fds);
        let process = match created {
            Ok(process) => process,
            Err(error) => {
                // It may have been forked nevertheless: it ends with its control socket.
                drop(control);
                Remains { group, slot }.leave(&self.reaper);
                return Err(error);
            }
        };
        Ok(Prepared {
            slot,
            group,
            listener: network.listener,
            door: network.door,
            sockets: network.sockets,
            control,
            process,
        })
    }
}

/// Which of the host's users are free.
pub(super) struct Slots {
    first_uid: u32,
    /// Freed ones, and the first that was never used.
    free: Mutex<(Vec<u32>, u32)>,
}

impl Slots {
    pub(super) fn new(first_uid: u32) -> Self {
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
            (index < SLOTS_MAX - 1).then(|| {
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
        assert_eq!(all.len() as u32, SLOTS_MAX - 1);
        assert!(Slots::take(&slots).is_none());
    }
}
