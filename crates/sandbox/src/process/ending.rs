//! The end of one sandbox: killed, waited for a while; what then still lives is left to the reaper.
//!
//! ```text
//!   kill ──▶ 10 ms ──▶ lift the quota ──▶ gone? ──▶ cgroups removed ──▶ users free
//!                                           └─10 s─▶ reported dead ──▶ reaper ──▶ the same, when it is
//! ```
//!
//! A killed process releases its resources in its own time, and with a small share of a processor that
//! can be long: nothing of the function's runs any more, so the share is lifted.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use super::instance::Sandbox;
use super::locked;
use super::reaper::Reaper;
use crate::sys::files;

/// How long a killed sandbox is waited for, with the removal of its cgroups.
pub(super) const END_WITHIN: Duration = Duration::from_secs(10);
/// What has not ended by then has more to do than its share of a processor allows. Most end within a
/// millisecond or two, and their share is not lifted.
pub(super) const LIFT_AFTER: Duration = Duration::from_millis(10);
/// How often busy cgroups are tried, while it is waited for them.
const REMOVE_EVERY: Duration = Duration::from_micros(500);

impl Sandbox {
    /// Ends it. A caller that arrives while another does so waits for that one.
    pub(super) async fn destroy(self: &Arc<Self>, reaper: &Reaper) {
        self.destroyed.get_or_init(|| self.end(reaper)).await;
    }

    async fn end(self: &Arc<Self>, reaper: &Reaper) {
        self.inside.kill();
        if tokio::time::timeout(END_WITHIN, self.gone()).await.is_ok() {
            return;
        }
        // Callers that wait for an answer from it wait in vain. Its supervisor continues, and sees it
        // end.
        self.inside.close();
        let sandbox = &self.inside.id;
        tracing::error!(
            sandbox,
            "a killed sandbox does not end; its memory and users stay reserved until it has"
        );
        reaper.keep(Arc::clone(self), |sandbox| sandbox.try_finish());
    }

    /// Waits until it has ended, and removes it.
    async fn gone(&self) {
        let mut dead = self.inside.dead.subscribe();
        let ended = dead.wait_for(|dead| *dead);
        let mut ended = std::pin::pin!(ended);
        if tokio::time::timeout(LIFT_AFTER, ended.as_mut())
            .await
            .is_err()
        {
            self.inside.lift_cpu();
            // Its sender is in this struct.
            let _ = ended.await;
        }
        while !self.try_finish() {
            tokio::time::sleep(REMOVE_EVERY).await;
        }
    }

    /// Removes what exists of it. False while init lives, or processes are still in its cgroups.
    fn try_finish(&self) -> bool {
        // It leaves its cgroup before it waits for the others. If that cannot be checked, it is later.
        if !files::is_readable(self.inside.process.get_ref().as_fd()).unwrap_or(false) {
            return false;
        }
        match self.inside.group.remove() {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => return false,
            Err(error) => {
                let sandbox = &self.inside.id;
                let error = &error as &dyn std::error::Error;
                tracing::warn!(sandbox, error, "cannot remove a sandbox's cgroups");
            }
            Ok(()) => {}
        }
        drop(locked(&self.listener).take());
        drop(locked(&self.door).take());
        drop(locked(&self.inside.tmp).take());
        drop(locked(&self.slot).take());
        self.removed.send_replace(true);
        true
    }
}
