//! Reports to assignment: sent in order, several at once when they come fast, and repeated until they are acknowledged.
//!
//! If assignment does not learn that an environment is idle, it does not lend it; if it does not learn that one has
//! ended, it lends it in vain.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use api::assignment::{Assignment, Report};
use types::{Backoff, WorkerId};

/// The first pause before reports are sent again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Reports in one call, at most.
const AT_ONCE_MAX: usize = 1_000;

/// Reports that are not acknowledged yet. Bounded by the worker's environments: each has one report, at its invoke's end
/// or its own, before there can be another.
#[derive(Default)]
pub(crate) struct Outbox {
    reports: Mutex<Reports>,
}

#[derive(Default)]
struct Reports {
    waiting: VecDeque<Report>,
    /// Whether somebody is sending them.
    sending: bool,
}

impl Outbox {
    /// Adds a report to the queue. True if the caller must [`Outbox::send`], since nobody does.
    pub(crate) fn put(&self, report: Report) -> bool {
        let mut reports = self.lock();
        reports.waiting.push_back(report);
        !std::mem::replace(&mut reports.sending, true)
    }

    /// Sends all that wait, and those that come meanwhile, as the reports of this worker.
    pub(crate) async fn send(&self, worker: WorkerId, assignment: &dyn Assignment) {
        let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        while let Some(batch) = self.batch() {
            let sent = batch.len();
            if assignment.report(Some(worker), batch).await.is_ok() {
                self.lock().waiting.drain(..sent);
                pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
            } else {
                tokio::time::sleep(pauses.pause()).await;
            }
        }
    }

    fn batch(&self) -> Option<Vec<Report>> {
        let mut reports = self.lock();
        let batch: Vec<Report> = reports.waiting.iter().take(AT_ONCE_MAX).cloned().collect();
        reports.sending = !batch.is_empty();
        reports.sending.then_some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Reports> {
        self.reports
            .lock()
            .expect("no code panics while it holds the reports")
    }
}

#[cfg(test)]
mod tests {
    use api::assignment::{Assign, Error, Event, Lease, Lend, Provision, Standing};
    use async_trait::async_trait;
    use records::examples;
    use records::functions::FunctionKey;
    use types::{EnvironmentId, SystemRandom};

    use super::*;

    const WORKER: WorkerId = WorkerId::from_uuid(uuid::Uuid::from_u128(7));

    /// Fails this many times, and is slow.
    #[derive(Default)]
    struct Slow {
        times: Mutex<u32>,
        taken: Mutex<Vec<Vec<Report>>>,
    }

    #[async_trait]
    impl Assignment for Slow {
        async fn lend(&self, _: Lend) -> Result<Option<Lease>, Error> {
            Err(Error::Unavailable)
        }

        async fn assign(&self, _: Assign) -> Result<Lease, Error> {
            Err(Error::Unavailable)
        }

        async fn give_back(&self, _: Lease, _: FunctionKey) -> Result<(), Error> {
            Err(Error::Unavailable)
        }

        async fn provision(&self, _: Vec<Provision>) -> Result<Vec<Option<Standing>>, Error> {
            Err(Error::Unavailable)
        }

        async fn report(&self, from: Option<WorkerId>, reports: Vec<Report>) -> Result<(), Error> {
            assert_eq!(from, Some(WORKER));
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut times = self.times.lock().unwrap();
            if *times > 0 {
                *times -= 1;
                return Err(Error::Unavailable);
            }
            self.taken.lock().unwrap().push(reports);
            Ok(())
        }
    }

    fn report() -> Report {
        let function = examples::function_version("f", examples::configuration());
        Report {
            environment: EnvironmentId::random(&SystemRandom),
            function: function.key(),
            event: Event::Gone,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reports_are_repeated_in_order_until_they_are_acknowledged() {
        let slow = Slow {
            times: Mutex::new(100),
            ..Slow::default()
        };
        let outbox = Outbox::default();
        let reports: Vec<Report> = (0..10).map(|_| report()).collect();
        assert!(outbox.put(reports[0].clone()));
        let others = async {
            for report in &reports[1..] {
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert!(!outbox.put(report.clone()), "one sends at a time");
            }
        };
        tokio::join!(outbox.send(WORKER, &slow), others);
        assert_eq!(slow.taken.lock().unwrap().concat(), reports);
        assert!(outbox.put(report()), "nobody sends any more");
    }

    #[tokio::test(start_paused = true)]
    async fn reports_that_come_while_others_are_sent_go_together() {
        let slow = Slow::default();
        let outbox = Outbox::default();
        outbox.put(report());
        let others = async {
            for _ in 0..10 {
                outbox.put(report());
            }
        };
        tokio::join!(outbox.send(WORKER, &slow), others);
        let taken = slow.taken.lock().unwrap();
        let sizes: Vec<usize> = taken.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 10]);
    }
}
