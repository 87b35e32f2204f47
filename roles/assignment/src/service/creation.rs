//! Creates environments and has them shut down: the tasks that talk to workers.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assign, Error};
use api::credentials::{self, Credentials};
use api::placement::{Error as PlacementError, Place, Placed};
use api::worker::{Create, Error as WorkerError};
use records::functions::FunctionKey;
use types::{Backoff, EnvironmentId, Inner, Timestamp, WorkerId};

use super::Shared;
use super::partition::Partition;
use crate::command::Created;

/// How many workers are asked before a creation is given up: placement's knowledge is a second
/// old, so one may be full; if three are, the fleet is.
const WORKERS_TRIED_MAX: usize = 3;

/// How many idle environments are shut down to make room for one: a function of 10 GB takes the
/// room of eighty of the smallest.
const EVICTIONS_MAX: usize = 100;

/// The first pause before a worker that did not answer is called again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What an environment is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// The first waiting caller.
    Wanted,
    /// Invokes to come.
    Ahead,
}

/// Starts making an environment.
pub(super) fn start(
    shared: Arc<Shared>,
    partition: Arc<Partition>,
    request: Assign,
    purpose: Purpose,
) {
    let function = request.function.key();
    let begun = shared.dependencies.clock.now();
    let attempt = Attempt {
        shared: shared.clone(),
        partition,
        function,
        purpose,
        recorded: None,
        begun,
        done: false,
    };
    shared.tasks.start_work(attempt.run(request));
}

/// Has a worker shut an environment down, and then forgets it. Who does not lead any more leaves that to the next
/// leader.
pub(super) fn destroy(
    shared: Arc<Shared>,
    partition: Arc<Partition>,
    environment: EnvironmentId,
    worker: WorkerId,
) {
    let task = shared.clone();
    shared.tasks.start_work(async move {
        order_end(&task, environment, worker, || partition.is_led()).await;
        task.act(&partition, |state, _| state.gone(environment));
    });
}

/// Orders a worker to end an environment until it acknowledges that, while it is `wanted`.
pub(super) async fn order_end(
    shared: &Shared,
    environment: EnvironmentId,
    worker: WorkerId,
    wanted: impl Fn() -> bool,
) {
    let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
    // One that is known no longer has taken its environments with it.
    while wanted()
        && let Some(worker) = shared.dependencies.workers.worker(worker)
    {
        match worker.destroy(environment).await {
            Ok(()) | Err(WorkerError::NotFound { .. }) => return,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(%environment, error, "a worker did not receive the order to end an environment");
            }
        }
        tokio::time::sleep(pauses.pause()).await;
    }
}

/// Shuts down the environment that has been idle longest, of whatever function: what idles must
/// not keep out what has work. False if none is idle.
async fn evict_oldest(shared: &Arc<Shared>) -> bool {
    let partitions = shared.led.all();
    let oldest = partitions
        .iter()
        .enumerate()
        .filter_map(|(place, partition)| {
            let inner = partition.lock();
            let (since, id) = inner
                .is_led()
                .then(|| inner.state.oldest_idle())
                .flatten()?;
            Some((since, place, id))
        });
    let Some((_, place, id)) = oldest.min() else {
        return false;
    };
    let partition = &partitions[place];
    let evicted = partition.lock().state.evict(id);
    // If it was lent this very moment, there may still be others.
    if let Some(worker) = evicted {
        let asked = match shared.dependencies.workers.worker(worker) {
            Some(worker) => worker.destroy(id).await,
            None => Ok(()),
        };
        match asked {
            Ok(()) => {
                shared.act(partition, |state, _| state.gone(id));
            }
            // Its capacity is not free before the worker has acknowledged.
            Err(_) => destroy(shared.clone(), Arc::clone(partition), id, worker),
        }
    }
    true
}

/// A creation under way. However it ends, even cancelled or panicking, a waiter is answered:
/// the state counts creations, and a waiter relies on one.
struct Attempt {
    shared: Arc<Shared>,
    partition: Arc<Partition>,
    function: FunctionKey,
    purpose: Purpose,
    /// The environment that is recorded and not yet alive.
    recorded: Option<EnvironmentId>,
    begun: Timestamp,
    done: bool,
}

impl Attempt {
    async fn run(mut self, request: Assign) {
        let shared = self.shared.clone();
        // The semaphore is never closed, so that there is always a turn.
        let _turn = shared.turns.acquire().await;
        let outcome = match self.partition.is_led() {
            true => self.make(&request).await,
            false => Err(Error::Unavailable),
        };
        self.end(outcome);
    }

    async fn make(&mut self, request: &Assign) -> Result<EnvironmentId, Error> {
        let shared = self.shared.clone();
        let function = &request.function;
        let configuration = &function.configuration;
        let credentials = shared
            .dependencies
            .credentials
            .for_function(&configuration.role, &function.arn())
            .await
            .map_err(|error| match error {
                credentials::Error::Role { role } => Error::Role { role },
                credentials::Error::Unavailable => Error::Unavailable,
            })?;
        let mut avoid = Vec::new();
        let mut evictions = 0;
        while avoid.len() < WORKERS_TRIED_MAX {
            // Placement learns later which workers drain: what is made there for one that leaves would leave as well.
            let draining = shared.dependencies.live.borrow().draining.clone();
            let place = Place {
                function: self.function.clone(),
                memory_mb: configuration.memory_mb,
                zone: request.zone.clone(),
                avoid: avoid.iter().copied().chain(draining).collect(),
            };
            let placed = match shared.dependencies.placement.place(place).await {
                Ok(placed) => placed,
                Err(PlacementError::NoCapacity { .. }) => {
                    evictions += 1;
                    if evictions <= EVICTIONS_MAX && evict_oldest(&shared).await {
                        avoid.clear();
                        continue;
                    }
                    break;
                }
                Err(PlacementError::Unavailable) => return Err(Error::Unavailable),
            };
            let worker = placed.worker;
            match self.make_on(placed, request, credentials.clone()).await? {
                Some(environment) => return Ok(environment),
                None => avoid.push(worker),
            }
        }
        Err(Error::NoCapacity {
            function: function.arn().to_string(),
        })
    }

    /// Makes it on this worker; `None` if the worker does not take it.
    async fn make_on(
        &mut self,
        placed: Placed,
        request: &Assign,
        credentials: Credentials,
    ) -> Result<Option<EnvironmentId>, Error> {
        let shared = self.shared.clone();
        let Some(worker) = shared.dependencies.workers.worker(placed.worker) else {
            return Ok(None);
        };
        let environment = EnvironmentId::random(&*shared.dependencies.random);
        let timeout_seconds = request.function.configuration.timeout_seconds;
        let margin = shared.config.lease_margin + Duration::from_secs(u64::from(timeout_seconds));
        let created = Created {
            environment,
            function: self.function.clone(),
            worker: placed.worker,
            zone: placed.zone,
            lends_until: before(placed.lease_end, margin),
            lease_end: placed.lease_end,
            ahead: self.purpose == Purpose::Ahead,
        };
        let create = Create {
            environment,
            function: request.function.clone(),
            credentials,
            lease_end: placed.lease_end,
            ahead: self.purpose == Purpose::Ahead,
        };
        let Some(durable) = self.partition.record(created) else {
            return Err(Error::Unavailable);
        };
        self.recorded = Some(environment);
        // Side by side: an init takes 15 ms and more, and the journal's answer hides behind it.
        let durable = tokio::time::timeout(shared.config.append_timeout, durable);
        let made = async {
            tokio::select! {
                biased;
                made = worker.create(create) => made,
                () = shared.worker_gone(placed.worker) => Err(WorkerError::Unavailable),
            }
        };
        let (made, durable) = tokio::join!(made, durable);
        let durable = matches!(durable, Ok(Ok(())));
        if made.is_ok() && durable {
            return Ok(Some(environment));
        }
        self.give_up(environment, placed.worker, durable);
        match made {
            // Not known to the journal: nobody could find it after a restart.
            Ok(()) => Err(Error::Unavailable),
            Err(WorkerError::Full | WorkerError::Unavailable) => Ok(None),
            Err(WorkerError::Init { error_type }) => Err(Error::Init { error_type }),
            Err(WorkerError::FileSystem(error)) => Err(Error::FileSystem(error)),
            Err(WorkerError::Unsupported { what, reason }) => {
                Err(Error::Unsupported { what, reason })
            }
            Err(WorkerError::Sandbox { reason } | WorkerError::Code { reason }) => {
                Err(Error::Create { reason })
            }
            Err(error) => Err(Error::Create {
                reason: Inner::of(&error),
            }),
        }
    }

    /// What the journal has is the next leader's, if this one does not lead any more; the rest nobody else knows.
    fn give_up(&mut self, environment: EnvironmentId, worker: WorkerId, durable: bool) {
        self.recorded = None;
        let shared = &self.shared;
        let heard = shared.act(&self.partition, |state, _| state.give_up(environment));
        if !heard && !durable {
            let task = Arc::clone(shared);
            shared.tasks.start_work(async move {
                order_end(&task, environment, worker, || true).await;
            });
        }
    }

    fn end(&mut self, outcome: Result<EnvironmentId, Error>) {
        self.done = true;
        let shared = &self.shared;
        match outcome {
            Ok(environment) => {
                shared
                    .metrics
                    .created(shared.dependencies.clock.now().since(self.begun));
                shared.act(&self.partition, |state, now| match self.purpose {
                    Purpose::Wanted => state.made(now, &self.function, environment),
                    Purpose::Ahead => state.made_ahead(now, &self.function, environment),
                });
            }
            Err(error) => {
                shared.metrics.not_created();
                // A creation for an invoke is logged with the id of the request that waits for it.
                if let (Purpose::Ahead, Some(reason)) = (self.purpose, error.reason_for_log()) {
                    tracing::warn!(
                        function = self.function.name.as_str(),
                        account = self.function.scope.account.as_str(),
                        error = &error as &dyn std::error::Error,
                        reason,
                        "an environment for provisioned concurrency could not be created"
                    );
                }
                shared.act(&self.partition, |state, now| {
                    let mut effects = self
                        .recorded
                        .map(|id| state.give_up(id))
                        .unwrap_or_default();
                    effects.extend(match self.purpose {
                        Purpose::Wanted => state.not_made(&self.function, error),
                        Purpose::Ahead => state.not_made_ahead(now, &self.function, error),
                    });
                    effects
                });
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.done {
            self.end(Err(Error::Create {
                reason: Inner::new("its making was interrupted"),
            }));
        }
    }
}

/// `margin` before `end`.
fn before(end: Timestamp, margin: Duration) -> Timestamp {
    Timestamp::from_millis(end.as_millis().saturating_sub(margin.as_secs() * 1_000))
}
