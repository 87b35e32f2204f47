//! Assign and report, in process and on one core.
//!
//! `cargo bench -p assignment`. Goal: over 300 000 pairs a second. Every call goes through the
//! trait object, as the frontend makes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Secret;
use api::assignment::{Assign, Assignment, Event, Lease, Report};
use api::credentials::{self, Credentials, RoleCredentials};
use api::placement::{self, Heartbeat, Place, Placed, Placement, WorkerView};
use api::worker::{Create, Error, Invoke, Living, Response, Worker, Workers};
use async_trait::async_trait;
use prometheus_client::registry::Registry;
use records::examples;
use records::functions::FunctionVersion;
use storage::memory::MemoryJournal;
use types::{Clock, EnvironmentId, FunctionArn, SystemClock, SystemRandom, Timestamp, WorkerId};

const LASTS: Duration = Duration::from_secs(2);
/// Idle environments in addition to those that are lent, as on a busy machine.
const FUNCTIONS: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let functions: Vec<_> = (0..FUNCTIONS).map(function).collect();
    let assignment: Arc<dyn Assignment> = Arc::new(start().await);
    for function in &functions {
        pair(&*assignment, function).await;
    }
    for count in [1, FUNCTIONS] {
        let rate = measure(|turn| pair(&*assignment, &functions[turn % count])).await;
        println!("assign + report,   {count:>4} functions: {rate:>9.0} pairs/s");
    }
}

async fn measure<F: Future<Output = ()>>(mut pair: impl FnMut(usize) -> F) -> f64 {
    let begun = Instant::now();
    let mut turn = 0;
    // The clock is read only now and then, so that it is not what is measured.
    while turn % 1_024 != 0 || begun.elapsed() < LASTS {
        pair(turn).await;
        turn += 1;
    }
    turn as f64 / begun.elapsed().as_secs_f64()
}

async fn pair(assignment: &dyn Assignment, function: &Arc<FunctionVersion>) {
    let request = Assign {
        function: function.clone(),
        zone: Some("a".to_owned()),
    };
    let Lease {
        environment,
        number,
        ..
    } = assignment.assign(request).await.expect("there is room");
    let report = Report {
        environment,
        function: function.key(),
        event: Event::Idle { seen: number },
    };
    assignment
        .report(None, vec![report])
        .await
        .expect("it is in this process");
}

async fn start() -> assignment::Service {
    let dependencies = assignment::Dependencies {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        journal: Arc::new(MemoryJournal::default()),
        placement: Arc::new(OneWorker),
        credentials: Arc::new(OneWorker),
        workers: Arc::new(OneWorker),
        live: tokio::sync::watch::Sender::default().subscribe(),
    };
    let metrics = assignment::Metrics::new(&mut Registry::default());
    let config = assignment::Config::default();
    let leads = assignment::Leads::all(config.partitions);
    assignment::Service::start(config, dependencies, leads, metrics)
        .await
        .expect("an empty journal")
}

fn function(number: usize) -> Arc<FunctionVersion> {
    let name = format!("function-number-{number}");
    let configuration = examples::configuration();
    Arc::new(examples::function_version(&name, configuration))
}

/// A world in which everything works at once.
struct OneWorker;

#[async_trait]
impl Placement for OneWorker {
    async fn place(&self, _request: Place) -> Result<Placed, placement::Error> {
        let worker = WorkerId::random(&SystemRandom);
        let lease_end = SystemClock.now().after(Duration::from_secs(7_200));
        Ok(Placed {
            worker,
            zone: "a".to_owned(),
            lease_end,
        })
    }

    async fn heartbeat(&self, _heartbeat: Heartbeat) -> Result<(), placement::Error> {
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, placement::Error> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl RoleCredentials for OneWorker {
    async fn for_function(
        &self,
        _role: &str,
        _function: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        Ok(Credentials {
            access_key_id: String::new(),
            secret_access_key: Secret::new(""),
            session_token: Secret::new(""),
            expires: Timestamp::default(),
        })
    }
}

impl Workers for OneWorker {
    fn worker(&self, _id: WorkerId) -> Option<Arc<dyn Worker>> {
        Some(Arc::new(Self))
    }
}

#[async_trait]
impl Worker for OneWorker {
    async fn create(&self, _request: Create) -> Result<(), Error> {
        Ok(())
    }

    async fn invoke(&self, _request: Invoke) -> Result<Response, Error> {
        Err(Error::Internal)
    }

    async fn destroy(&self, _environment: EnvironmentId) -> Result<(), Error> {
        Ok(())
    }

    async fn environments(&self) -> Result<Vec<Living>, Error> {
        Ok(Vec::new())
    }
}
