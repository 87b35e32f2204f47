//! Watching one sandbox's memory: checking often enough, and killing when it is too much.
//!
//! ```text
//!   check ──▶ over? kill ──▶ sleep for as long as it takes to fill what is left ──▶ check ...
//!              frozen: park ──▶ thawed ──▶ check ...
//! ```
//!
//! A check costs a few microseconds, and nothing while the sandbox is frozen. Notifications by the
//! kernel were tried and rejected: a v1 kernel takes a grace period (some 10 ms) to set a mark, and
//! removing a cgroup meanwhile waits for that with the lock of all cgroups held; v2's `memory.high`
//! slows a function down that does no harm.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::memory;
use super::supervisor::Inside;
use crate::cgroup::read_from_start;

/// Whether a sandbox is frozen, as far as its watch must know.
#[derive(Default)]
pub(super) struct Frozen {
    frozen: AtomicBool,
    /// The watch has seen it frozen and sleeps until it is told.
    parked: AtomicBool,
    thawed: Notify,
}

impl Frozen {
    /// Called after freezing and before thawing. Costs next to nothing unless the watch is parked.
    pub(super) fn set(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
        if !frozen && self.parked.swap(false, Ordering::SeqCst) {
            self.thawed.notify_one();
        }
    }

    async fn wait_until_thawed(&self) {
        self.parked.store(true, Ordering::SeqCst);
        // Checked after parking: either it is seen thawed here, or the thawing caller sees it parked.
        if self.frozen.load(Ordering::SeqCst) {
            self.thawed.notified().await;
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

/// The watch over one sandbox.
pub(super) struct Watching {
    inside: Arc<Inside>,
    look_at: Instant,
}

impl Watching {
    /// Starts with an empty sandbox.
    pub(super) fn begin(inside: Arc<Inside>) -> Self {
        Self {
            look_at: Instant::now() + memory::pause(inside.memory_bytes),
            inside,
        }
    }

    /// Waits until it is time to [`Watching::look`]. If the caller stops waiting, that is only
    /// postponed.
    pub(super) async fn due(&self) {
        tokio::time::sleep_until(self.look_at).await;
        if self.inside.frozen.frozen.load(Ordering::SeqCst) {
            self.inside.frozen.wait_until_thawed().await;
        }
    }

    /// Kills if too much is in use.
    pub(super) async fn look(&mut self) {
        if let Err(error) = self.try_look().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                sandbox = self.inside.id,
                error,
                "cannot watch a sandbox's memory"
            );
            self.look_at = Instant::now() + memory::PAUSE_MAX;
        }
    }

    async fn try_look(&mut self) -> io::Result<()> {
        let inside = &self.inside;
        let killed = inside.kernel_killed()?;
        let used = inside.group.controllers().memory_used()?;
        // A function that uses no more than its memory in total does not use more of its own.
        let left = match inside.memory_bytes.checked_sub(used) {
            Some(left) => Some(left),
            None => {
                let memory = inside.group.controllers().memory()?;
                memory::bytes_left(inside.memory_bytes, memory, inside.tmp_bytes())
            }
        };
        self.look_at = Instant::now() + memory::pause(left.unwrap_or(0));
        let sockets = memory::sockets(&read_from_start(&inside.sockets)?);
        if killed || left.is_none() || sockets > memory::SOCKETS_MAX {
            inside.kill_for_memory().await?;
        }
        Ok(())
    }
}
