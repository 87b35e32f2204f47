//! What the service does by the clock: it looks for environments whose time has ended, and trims the journals.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;

/// How often environments that ended their time are looked for. Times are minutes and hours.
const TICK_EVERY: Duration = Duration::from_secs(1);
/// How many ticks there are between two trims. A journal grows by a few hundred bytes for each
/// environment; a minute of the busiest creation is some megabytes.
const TICKS_PER_TRIM: u32 = 60;

/// Runs until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut timer = tokio::time::interval(TICK_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for turn in 1u32.. {
        timer.tick().await;
        shared.tick();
        if turn % TICKS_PER_TRIM == 0 {
            shared.trim().await;
        }
    }
}

impl Shared {
    pub(super) fn tick(self: &Arc<Self>) {
        for partition in self.led.all() {
            self.act(&partition, |state, now| state.tick(now, &self.config));
        }
        self.metrics.environments(self.counts());
        self.metrics.led(self.led.all().len());
    }

    pub(super) async fn trim(&self) {
        for partition in self.led.all() {
            let before = partition.lock().needed_from();
            if let Err(error) = self
                .dependencies
                .journal
                .trim(&partition.name, before)
                .await
            {
                // The next turn tries again; until then the journal is merely longer.
                tracing::warn!(
                    partition = partition.name,
                    error = &error as &dyn std::error::Error,
                    "a journal could not be trimmed"
                );
            }
        }
    }
}
