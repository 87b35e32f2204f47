//! A waiting caller's place in the queue, given up when the caller goes away.

use std::sync::Arc;

use api::assignment::{Error, Lease};
use records::functions::FunctionKey;
use tokio::sync::oneshot::{self, error::RecvError};

use super::Shared;
use super::partition::Partition;
use crate::state::{PATIENCE, Then, WaiterId};

/// Held by a call of `assign` while it waits. Its caller may go away: a frontend that stops.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    pub(super) partition: Arc<Partition>,
    function: FunctionKey,
    waiter: WaiterId,
    answer: oneshot::Receiver<Result<Lease, Error>>,
    answered: bool,
}

impl Waiting {
    pub(super) fn new(
        shared: Arc<Shared>,
        partition: Arc<Partition>,
        function: FunctionKey,
        waiter: WaiterId,
        answer: oneshot::Receiver<Result<Lease, Error>>,
    ) -> Self {
        Self {
            shared,
            partition,
            function,
            waiter,
            answer,
            answered: false,
        }
    }

    /// Waits as long as somebody patient does.
    pub(super) async fn early_answer(&mut self) -> Option<Result<Lease, Error>> {
        let answer = tokio::time::timeout(PATIENCE, &mut self.answer).await;
        answer.ok().map(|answer| self.answered(answer))
    }

    /// Waits for whatever comes first.
    pub(super) async fn answer(mut self) -> Result<Lease, Error> {
        let answer = (&mut self.answer).await;
        self.answered(answer)
    }

    /// What to do after [`Waiting::early_answer`] gave none.
    pub(super) fn lose_patience(&mut self) -> Then {
        let mut inner = self.partition.lock();
        match inner.waits(self.waiter) {
            true => inner.state.lose_patience(&self.function, self.waiter),
            false => Then::Wait,
        }
    }

    /// Takes note of what came.
    fn answered(
        &mut self,
        answer: Result<Result<Lease, Error>, RecvError>,
    ) -> Result<Lease, Error> {
        self.answered = true;
        let answer = answer.unwrap_or(Err(Error::Unavailable));
        let metrics = &self.shared.metrics;
        match &answer {
            Ok(Lease { cold: true, .. }) => metrics.leases_cold.inc(),
            Ok(Lease { cold: false, .. }) => metrics.leases_waited.inc(),
            Err(_) => metrics.leases_refused.inc(),
        };
        answer
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let mut inner = self.partition.lock();
        if inner.stop_waiting(self.waiter) {
            inner.state.abandon(&self.function, self.waiter);
            return;
        }
        drop(inner);
        // Served in the very moment: nobody will use it.
        if let Ok(Ok(lease)) = self.answer.try_recv() {
            self.shared.act(&self.partition, |state, now| {
                state.returned(now, lease.environment, lease.number)
            });
        }
    }
}
