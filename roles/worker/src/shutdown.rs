//! The shutdown phase, and the shorter one after a failed invoke.
//!
//! ```text
//!   no extension:       everything is killed at once
//!   internal ones:      SIGTERM to the runtime, killed after 300 ms; 500 ms in all
//!   external ones:      the same, then SHUTDOWN to those that want it; 2 000 ms in all
//! ```

use std::time::Duration;

use environment::ShutdownReason;
use sandbox::Signal;
use tokio::time::Instant;
use types::limits::{SHUTDOWN_EXTERNAL, SHUTDOWN_INTERNAL, SHUTDOWN_RUNTIME};

use crate::environment::{Alive, Environment};

/// How long the tasks of an environment may take to end once its sandbox has: they wait for nothing
/// then.
const TASKS_WITHIN: Duration = Duration::from_secs(5);

impl Environment {
    /// Ends the environment. Takes no longer than the shutdown phase and some seconds: if killed processes
    /// have not ended by then, [`sandbox::Instance::removed`] tells when they have.
    pub(crate) async fn end(&self) {
        self.session_shutdown(ShutdownReason::Spindown).await;
        self.session.stop();
        self.ended.send_replace(true);
        self.sandbox.destroy().await;
        self.tasks.close();
        if tokio::time::timeout(TASKS_WITHIN, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::error!(environment = %self.id, "an environment's tasks do not end");
        }
    }

    /// After a failed invoke: extensions are notified, then all processes are killed.
    pub(crate) async fn end_attempt(&self, reason: ShutdownReason) {
        self.session_shutdown(reason).await;
        self.reset().await;
    }

    async fn session_shutdown(&self, reason: ShutdownReason) {
        let extensions = self.session.extensions();
        if extensions.all.is_empty() {
            return;
        }
        let window = if extensions.external {
            SHUTDOWN_EXTERNAL
        } else {
            SHUTDOWN_INTERNAL
        };
        let end = Instant::now() + window;
        // The last of it, as far as it is taken before the end.
        self.log.telemetry().flush();
        let runtime = self.lock().runtime;
        if let Some(runtime) = runtime.filter(|_| self.alive.borrow().runtime) {
            // A runtime that is gone already needs no signal.
            let _ = self.sandbox.signal(runtime, Signal::Terminate).await;
            let limit = SHUTDOWN_RUNTIME.min(window);
            if !self.wait_for(limit, |alive| !alive.runtime).await {
                let _ = self.sandbox.signal(runtime, Signal::Kill).await;
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        let deadline = self.now().after(left).as_millis();
        if self.session.begin_shutdown(reason, deadline) > 0 {
            self.wait_for(left, |alive| alive.extensions == 0).await;
        }
    }

    async fn wait_for(&self, limit: Duration, ended: impl Fn(&Alive) -> bool) -> bool {
        let mut alive = self.alive.subscribe();
        let waited = tokio::time::timeout(limit, alive.wait_for(|alive| ended(alive))).await;
        waited.is_ok()
    }
}
