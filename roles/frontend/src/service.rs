//! Invoke and InvokeWithResponseStream, from request to answer.

use std::sync::Arc;

use admission::{Admission, Admitted, InvocationType};
use api::assignment::Assignment;
use api::counting::Counting;
use api::worker::Workers;
use bytes::Bytes;
use http::{Request, Response};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use traces::Tracer;
use types::{Clock, Pressure, Random, RequestId, Version};
use wire::ApiError;
use wire::rest::{Match, Operation};

use crate::answer;
use crate::body::{Body, Framing, Stream};
use crate::metrics::Metrics;
use crate::permits::Permits;
use crate::run::{Delivery, Ran};
use crate::starts::Starts;

/// The settings of a frontend.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its availability zone; environments there are preferred.
    pub zone: Option<String>,
    /// Concurrent executions of every account and region.
    pub account_concurrency: u32,
    /// Bytes of a streamed result that are sent as fast as they arrive (AWS: 6 MB).
    pub stream_burst_bytes: u64,
    /// Bytes a second of the rest (AWS: 2 MB); 0 for no bound.
    pub stream_bytes_per_second: u64,
    /// The scheme under which clients reach function URLs: `http` or `https`.
    pub url_scheme: String,
}

/// What a frontend works with.
pub struct Dependencies {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and choices.
    pub random: Arc<dyn Random>,
    /// Admits requests, or not.
    pub admission: Arc<Admission>,
    /// Knows limits.
    pub counting: Arc<dyn Counting>,
    /// Lends environments.
    pub assignment: Arc<dyn Assignment>,
    /// Finds workers.
    pub workers: Arc<dyn Workers>,
    /// Measures how short the processors are that functions run on.
    pub pressure: Arc<dyn Pressure>,
    /// Begins spans.
    pub tracer: Tracer,
}

/// The frontend.
pub struct Frontend {
    pub(crate) config: Config,
    pub(crate) with: Dependencies,
    pub(crate) metrics: Metrics,
    /// Which invokes may begin when.
    pub(crate) starts: Starts,
    pub(crate) permits: Permits,
    /// Invokes in progress: they continue when their callers hang up.
    pub(crate) tasks: TaskTracker,
}

impl Frontend {
    /// A frontend.
    pub fn new(config: Config, with: Dependencies, registry: &mut Registry) -> Arc<Self> {
        Arc::new(Self {
            starts: Starts::new(Arc::clone(&with.pressure)),
            permits: Permits::new(Arc::clone(&with.counting), with.random.as_ref()),
            config,
            with,
            metrics: Metrics::new(registry),
            tasks: TaskTracker::new(),
        })
    }

    /// Answers the operation in `matched`: Invoke or InvokeWithResponseStream. `size` is how many bytes
    /// the body had; if that is more than it may have, the rest was left out.
    pub async fn invoke(
        self: &Arc<Self>,
        request: Request<Bytes>,
        size: usize,
        matched: &Match,
    ) -> Response<Body> {
        let began = Instant::now();
        let id = RequestId::random(self.with.random.as_ref());
        let (parts, body) = request.into_parts();
        let admission = &self.with.admission;
        let trace = admission.trace(&parts);
        let admitted = admission.admit(&parts, (body, size), matched, &trace).await;
        let answered = match admitted {
            Ok(admitted) => self.perform(id, matched.operation, admitted).await,
            Err(error) => Err(error),
        };
        let mut response = answered.unwrap_or_else(|error| error.response(id).map(Body::Whole));
        answer::sign_off(&mut response, id, &trace.for_caller());
        self.metrics.answered(response.status());
        self.metrics.seconds.observe(began.elapsed().as_secs_f64());
        response
    }

    /// Waits for the invokes in progress. No more may begin.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn perform(
        self: &Arc<Self>,
        id: RequestId,
        operation: Operation,
        admitted: Admitted,
    ) -> Result<Response<Body>, ApiError> {
        let version = admitted.found.function.configuration.version;
        match admitted.request.invocation_type {
            InvocationType::DryRun => return Ok(answer::dry_run().map(Body::Whole)),
            InvocationType::Event => {
                // These belong to the other data plane; no caller may send them here.
                return Err(ApiError::service("The invoke was lost."));
            }
            InvocationType::RequestResponse => {}
        }
        match operation {
            Operation::InvokeWithResponseStream => self.stream(id, admitted, version).await,
            _ => match self.start(id, admitted, Delivery::Whole).await? {
                Ran::Whole(answer, body) => {
                    Ok(answer::invoked(answer, body, version).map(Body::Whole))
                }
                Ran::Stream { .. } => Err(ApiError::service("The invoke was lost.")),
            },
        }
    }

    async fn stream(
        self: &Arc<Self>,
        id: RequestId,
        admitted: Admitted,
        version: Version,
    ) -> Result<Response<Body>, ApiError> {
        let body = match self.start(id, admitted, Delivery::Streamed).await? {
            Ran::Whole(answer, body) => Body::Whole(answer::as_event_stream(answer, body)),
            Ran::Stream { events, .. } => {
                Body::Stream(Stream::new(Bytes::new(), events, Framing::EventStream))
            }
        };
        Ok(answer::streamed(body, version))
    }
}
