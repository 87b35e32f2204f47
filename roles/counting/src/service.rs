//! Counting as a service: the state behind a lock, with a clock and a timer.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::counting::{Acquire, Counting, Error, Permit};
use async_trait::async_trait;
use types::{Clock, PermitId, Scope};

use crate::Config;
use crate::metrics::{Account, Metrics};
use crate::state::{Count, State};

/// How often permits that nobody gave back are looked for. They lapse a minute late at best, so a
/// second more is nothing; and acquiring looks too.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The counting role of this process.
///
/// One lock for all accounts: a decision holds it for some 200 ns, so that it carries several times
/// what the frontends of one machine can ask.
pub struct Service {
    config: Config,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    metrics: Metrics,
}

impl Service {
    /// A service that has granted nothing yet.
    pub fn new(config: Config, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self {
            config,
            clock,
            state: Mutex::default(),
            metrics,
        }
    }

    /// Takes back lapsed permits and updates the gauges, every second. Never returns; drop it to
    /// end it. Nothing is lost between two turns.
    pub async fn run(&self) {
        let mut timer = tokio::time::interval(SWEEP_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            self.sweep();
        }
    }

    /// Concurrent executions by account and region, in order.
    pub fn counts(&self) -> Vec<Count> {
        self.state().counts()
    }

    pub(crate) fn sweep(&self) {
        let (lapsed, counts, provisioned) = {
            let mut state = self.state();
            let lapsed = state.sweep(self.clock.now(), &self.config);
            (lapsed, state.counts(), state.provisioned())
        };
        self.metrics.provisioned_now(&provisioned);
        self.metrics
            .permits_lapsed
            .inc_by(u64::try_from(lapsed).unwrap_or(u64::MAX));
        self.metrics.executions_concurrent.clear();
        for count in counts {
            let account = Account {
                account: count.scope.account.to_string(),
                region: count.scope.region.to_string(),
            };
            self.metrics
                .executions_concurrent
                .get_or_create(&account)
                .set(i64::from(count.concurrent));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("a panic under this lock is a broken invariant")
    }
}

#[async_trait]
impl Counting for Service {
    async fn acquire(&self, request: Acquire) -> Result<Permit, Error> {
        let now = self.clock.now();
        // Few invokes are of a version that has some.
        let provisioned = (request.provisioned > 0).then(|| request.clone());
        let answer = self.state().acquire(now, request, &self.config);
        match &answer {
            Ok(permit) => {
                if let Some(request) = &provisioned {
                    self.metrics.provisioned(request, permit.provisioned);
                }
                self.metrics.permits_granted.inc();
            }
            Err(error) => self.metrics.throttled(error),
        }
        answer
    }

    async fn release(&self, _: Scope, permits: Vec<PermitId>) -> Result<(), Error> {
        let mut state = self.state();
        for permit in permits {
            state.release(permit);
        }
        Ok(())
    }
}
