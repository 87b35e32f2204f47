//! Invoke and InvokeWithResponseStream, from request to answer.

use std::sync::Arc;

use api::assignment::Assignment;
use api::authorisation::Requester;
use api::counting::Counting;
use api::identity::Identities;
use api::worker::Workers;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use policy::Context;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use types::limits::SYNC_REQUEST_BYTES_MAX;
use types::{Clock, FunctionArn, Random, RequestId, Version};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::rest::{Match, Operation};
use wire::sigv4::Verifier;

use crate::authenticate::authenticate;
use crate::body::{Body, Framing, Stream};
use crate::metadata::Metadata;
use crate::metrics::Metrics;
use crate::request::InvocationType;
use crate::run::{Accepted, Delivery, Ran};
use crate::trace::Trace;
use crate::{answer, request};

/// What can be set about a frontend.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its availability zone; environments there are preferred.
    pub zone: Option<String>,
    /// Concurrent executions of every account and region.
    pub account_concurrency: u32,
    /// Bytes of a streamed result that go as fast as they come (AWS: 6 MB).
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
    /// Knows access keys.
    pub identities: Arc<dyn Identities>,
    /// Knows functions.
    pub metadata: Arc<Metadata>,
    /// Knows limits.
    pub counting: Arc<dyn Counting>,
    /// Lends environments.
    pub assignment: Arc<dyn Assignment>,
    /// Finds workers.
    pub workers: Arc<dyn Workers>,
}

/// The frontend.
pub struct Frontend {
    pub(crate) config: Config,
    pub(crate) with: Dependencies,
    pub(crate) verifier: Verifier,
    pub(crate) metrics: Metrics,
    /// Invokes under way: they go on when their callers hang up.
    pub(crate) tasks: TaskTracker,
}

impl Frontend {
    /// A frontend.
    pub fn new(config: Config, with: Dependencies, registry: &mut Registry) -> Arc<Self> {
        let (verifier, tasks) = (Verifier::new(), TaskTracker::new());
        Arc::new(Self {
            config,
            with,
            verifier,
            metrics: Metrics::new(registry),
            tasks,
        })
    }

    /// Answers the operation that `matched` is: Invoke or InvokeWithResponseStream. `size` is how
    /// many bytes the body had; if that is more than it may have, the rest was left out.
    pub async fn invoke(
        self: &Arc<Self>,
        request: Request<Bytes>,
        size: usize,
        matched: &Match,
    ) -> Response<Body> {
        let began = Instant::now();
        let id = RequestId::random(self.with.random.as_ref());
        let (parts, body) = request.into_parts();
        let trace = self.trace(&parts);
        let answered = match self.check(&parts, (body, size), matched, &trace).await {
            Ok(accepted) => self.perform(id, matched.operation, accepted).await,
            Err(error) => Err(error),
        };
        let mut response = answered.unwrap_or_else(|error| error.response(id).map(Body::Whole));
        answer::sign_off(&mut response, id, &trace.for_caller());
        self.metrics.answered(response.status());
        self.metrics.seconds.observe(began.elapsed().as_secs_f64());
        response
    }

    /// Waits for the invokes under way. None must begin any more.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Everything that can be refused before anything is counted.
    async fn check(
        &self,
        parts: &Parts,
        (body, size): (Bytes, usize),
        matched: &Match,
        trace: &Trace,
    ) -> Result<Accepted, ApiError> {
        if size > SYNC_REQUEST_BYTES_MAX {
            // The signature of a body that is not all here cannot be verified, and tells nothing
            // about this refusal that the caller does not know.
            return Err(request::too_large(size));
        }
        let now = self.with.clock.now();
        let identities = self.with.identities.as_ref();
        let caller = authenticate(identities, &self.verifier, (parts, &body), now).await?;
        let qualifier = wire::uri::query_value(parts.uri.query(), "Qualifier");
        let name = matched.parameter("FunctionName");
        let arn = resolve(
            Naming::Namespaced,
            name,
            qualifier.as_deref(),
            &caller.scope,
        )?;
        let action = matched.operation.action();
        self.authorise(&caller.requester, action, &arn, Context::new())?;
        let request = request::check(matched.operation, &parts.headers, body)?;
        let found = self
            .with
            .metadata
            .resolve(&arn, self.with.random.as_ref())
            .await?;
        Ok(Accepted {
            arn,
            found,
            request,
            trace: trace.for_function(),
        })
    }

    /// Refuses what [`Metadata::authorise`] does not allow.
    pub(crate) fn authorise(
        &self,
        requester: &Requester,
        action: &str,
        arn: &FunctionArn,
        context: Context,
    ) -> Result<(), ApiError> {
        let metadata = &self.with.metadata;
        let decided = metadata.authorise(requester, action, arn, context);
        decided.map_err(|denied| ApiError::access_denied(denied.to_string()))
    }

    async fn perform(
        self: &Arc<Self>,
        id: RequestId,
        operation: Operation,
        accepted: Accepted,
    ) -> Result<Response<Body>, ApiError> {
        let version = accepted.found.function.configuration.version;
        match accepted.request.invocation_type {
            InvocationType::DryRun => return Ok(answer::dry_run(version).map(Body::Whole)),
            InvocationType::Event => {
                return Err(ApiError::not_implemented("asynchronous invocation (Event)"));
            }
            InvocationType::RequestResponse => {}
        }
        match operation {
            Operation::InvokeWithResponseStream => self.stream(id, accepted, version).await,
            _ => match self.start(id, accepted, Delivery::Whole).await? {
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
        accepted: Accepted,
        version: Version,
    ) -> Result<Response<Body>, ApiError> {
        let body = match self.start(id, accepted, Delivery::Streamed).await? {
            Ran::Whole(answer, body) => Body::Whole(answer::as_event_stream(answer, body)),
            Ran::Stream { events, .. } => {
                Body::Stream(Stream::new(Bytes::new(), events, Framing::EventStream))
            }
        };
        Ok(answer::streamed(body, version))
    }

    pub(crate) fn trace(&self, parts: &Parts) -> Trace {
        let header = parts.headers.get("x-amzn-trace-id");
        let header = header.and_then(|value| value.to_str().ok());
        Trace::new(header, self.with.random.as_ref(), self.with.clock.now())
    }
}
