//! Callers: each invokes through its zone's front door at its own pace, and goes to another zone only if no connection
//! can be made, so that the request was certainly not sent. Everything else that is no success is a failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws::Endpoint;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::api::{Api, failure};
use super::measured::Measured;

/// Callers of each zone.
const CALLERS: u32 = 4;
/// Each of these requests is an event.
const EVENT_EVERY: u64 = 5;
/// If no door can be reached for this long, the request has failed.
const REACHED_WITHIN: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
    stop: CancellationToken,
}

struct Shared {
    api: Arc<Api>,
    /// Of each zone.
    doors: Vec<Endpoint>,
    measured: Vec<Mutex<Measured>>,
    next: Arc<AtomicU64>,
    /// Events that were accepted.
    accepted: Mutex<Vec<u64>>,
}

impl Load {
    /// Starts to invoke this often a second. Requests are numbered by `next`.
    pub(super) fn start(
        api: &Arc<Api>,
        doors: &[Endpoint],
        per_second: u32,
        next: &Arc<AtomicU64>,
    ) -> Self {
        let shared = Arc::new(Shared {
            api: Arc::clone(api),
            doors: doors.to_vec(),
            measured: doors.iter().map(|_| Mutex::default()).collect(),
            next: Arc::clone(next),
            accepted: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let mut callers = JoinSet::new();
        let all = CALLERS * u32::try_from(doors.len()).unwrap_or(u32::MAX);
        let pace = Duration::from_secs(1) * all / per_second.max(1);
        for zone in 0..doors.len() {
            for _ in 0..CALLERS {
                let (shared, stop) = (Arc::clone(&shared), stop.clone());
                callers.spawn(async move { shared.call(zone, pace, &stop).await });
            }
        }
        Self {
            shared,
            callers,
            stop,
        }
    }

    /// What was measured at each zone's door; times, since it was asked last.
    pub(super) fn measured(&self) -> Vec<Measured> {
        let zones = 0..self.shared.doors.len();
        zones.map(|zone| self.shared.at(zone).take()).collect()
    }

    /// Ends it when what is under way is answered: what was measured, and the events that were accepted.
    pub(super) async fn finish(mut self) -> (Vec<Measured>, Vec<u64>) {
        self.stop.cancel();
        while self.callers.join_next().await.is_some() {}
        let accepted = self.shared.accepted.lock();
        let accepted = accepted.unwrap_or_else(PoisonError::into_inner).clone();
        (self.measured(), accepted)
    }
}

impl Shared {
    fn at(&self, zone: usize) -> MutexGuard<'_, Measured> {
        let measured = self.measured[zone].lock();
        measured.unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, zone: usize, pace: Duration, stop: &CancellationToken) {
        let mut timer = tokio::time::interval(pace);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = timer.tick() => {}
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.send(zone, number, number.is_multiple_of(EVENT_EVERY))
                .await;
        }
    }

    /// Sends one request to the first door that there is a connection to.
    async fn send(&self, zone: usize, number: u64, event: bool) {
        let begun = Instant::now();
        let mut at = zone;
        loop {
            let sent = Instant::now();
            match self.api.invoke(&self.doors[at], number, event).await {
                Err(error) if error.is_unsent() && begun.elapsed() < REACHED_WITHIN => {
                    self.at(at).elsewhere += 1;
                    at = (at + 1) % self.doors.len();
                    if at == zone {
                        tokio::time::sleep(AGAIN).await;
                    }
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    return self.at(at).failure(format!("{number}: {error:#}"));
                }
                Ok(answer) => {
                    if let Some(why) = failure(&answer, event) {
                        return self.at(at).failure(format!("{number}: {why}"));
                    }
                    if event {
                        let accepted = self.accepted.lock();
                        accepted
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(number);
                    }
                    return self.at(at).success(sent.elapsed());
                }
            }
        }
    }
}
