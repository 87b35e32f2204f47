//! Placement as a service: the state behind a lock, with a clock and chance.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::placement::{Error, Heartbeat, Place, Placed, Placement, WorkerView};
use async_trait::async_trait;
use types::{Clock, Random, Timestamp};

use crate::state::State;
use crate::{Config, Metrics};

/// How often silent workers are counted and, in time, forgotten. Placing looks at silence itself.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The placement role of this process.
pub struct Service {
    config: Config,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
    metrics: Metrics,
}

impl Service {
    /// A service that no worker has reported to yet.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Metrics,
    ) -> Self {
        Self {
            config,
            clock,
            random,
            state: Mutex::default(),
            metrics,
        }
    }

    /// Forgets dead workers and updates the gauges, every second. Never returns; drop it to
    /// end it.
    pub async fn run(&self) {
        let mut timer = tokio::time::interval(SWEEP_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            self.sweep();
        }
    }

    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        let count = {
            let mut state = self.state();
            state.sweep(now, &self.config);
            state.count(now, &self.config)
        };
        self.metrics.workers(count);
    }

    fn lease_end(&self, now: Timestamp) -> Timestamp {
        let spread = self.config.lease_max.saturating_sub(self.config.lease_min);
        now.after(self.config.lease_min)
            .after(spread.mul_f64(self.random.next_fraction()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("a panic under this lock is a broken invariant")
    }
}

#[async_trait]
impl Placement for Service {
    async fn place(&self, request: Place) -> Result<Placed, Error> {
        let now = self.clock.now();
        let placed = self.state().place(now, &request, &self.config);
        match placed {
            Some((worker, zone)) => {
                self.metrics.environments_placed.inc();
                Ok(Placed {
                    worker,
                    zone,
                    lease_end: self.lease_end(now),
                })
            }
            None => {
                self.metrics.environments_refused.inc();
                Err(Error::NoCapacity {
                    memory_mb: request.memory_mb,
                })
            }
        }
    }

    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), Error> {
        let now = self.clock.now();
        self.state().heartbeat(now, heartbeat);
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, Error> {
        let now = self.clock.now();
        Ok(self.state().views(now, &self.config))
    }
}
