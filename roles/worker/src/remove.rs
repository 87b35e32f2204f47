//! Removes an environment: on request, or when its lease is over; its memory is free when its last process has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::assignment::Event;
use tokio::sync::watch;
use tokio::time::Instant;
use types::EnvironmentId;

use crate::environment::Environment;
use crate::service::Service;

impl Service {
    /// Ends environments whose lease is over: assignment, which had them created, has not ended them, and may never.
    pub(crate) fn end_overdue(self: &Arc<Self>) {
        let now = self.with.clock.now();
        for environment in self.made() {
            if environment.lease_end > now || environment.is_ending() {
                continue;
            }
            tracing::info!(environment = %environment.id, "ending an environment: its lease is over");
            let worker = Arc::clone(self);
            self.tasks.spawn(async move {
                worker.remove(environment.id).await;
                worker.say(&environment, Event::Gone);
            });
        }
    }

    /// Ends an environment that is no longer wanted, even if it is still being created or its request has not arrived yet.
    pub(crate) async fn destroy(self: &Arc<Self>, id: EnvironmentId) {
        self.lock().use_up(Instant::now(), id);
        self.remove(id).await;
    }

    pub(crate) async fn remove(self: &Arc<Self>, id: EnvironmentId) {
        let Ok(environment) = self.find(id) else {
            return;
        };
        if !environment.begin_ending() {
            return;
        }
        let limit = environment.timeout();
        // What is over its time ends by itself; this only keeps a fault of ours from lasting.
        let _ = tokio::time::timeout(limit, environment.turns_over()).await;
        environment.end().await;
        self.await_removal(&environment);
        if self.lock().remove(Instant::now(), id).is_some() {
            self.metrics.environments.dec();
        }
        // Somebody may be waiting for the room.
        self.beat().await;
    }

    /// Keeps the room of an environment that has ended until nothing is left of its sandbox: killed
    /// processes may take long to give back what they have. False if that is so already.
    pub(crate) fn await_removal(self: &Arc<Self>, environment: &Environment) -> bool {
        let mut removed = environment.sandbox.removed();
        if *removed.borrow() {
            return false;
        }
        let memory_mb = u64::from(environment.function.configuration.memory_mb);
        self.lingering_mb.fetch_add(memory_mb, Ordering::Relaxed);
        let worker = Arc::clone(self);
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                // The engine sees to what is left in the end.
                () = draining.cancelled() => return,
                () = told(&mut removed) => {}
            }
            worker.lingering_mb.fetch_sub(memory_mb, Ordering::Relaxed);
            worker.beat().await;
        });
        true
    }
}

/// Returns when the flag is up, or nobody is left who could raise it.
pub(crate) async fn told(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|up| *up).await;
}
