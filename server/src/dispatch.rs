//! Everything but invokes: which service a request speaks to, and what is the same around the answers of all of
//! them.
//!
//! ```text
//!   REST ─▶ control        a form, XML ─▶ identity        an action in a header, JSON ─▶ logs
//! ```
//!
//! Each request has an id that its caller is told and the log repeats, is refused if it is too large, is counted,
//! and is carried out to its end.

mod absent;
mod answers;
mod forward;
mod protocol;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use control::{Control, REQUEST_BYTES_MAX};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use prometheus_client::registry::Registry;
use tables::answering;
use tokio_util::task::TaskTracker;
use types::{Random, RequestId};
use wire::ApiError;
use wire::rest::{Operation, route};

use answers::Answers;
pub(crate) use forward::Forward;
use protocol::Protocol;

/// Answers requests, here or elsewhere.
#[async_trait]
pub(crate) trait Operations: Send + Sync {
    /// Has a request answered. `size` is how many bytes the body had; of one larger than
    /// [`REQUEST_BYTES_MAX`] nothing needs to be here: it is refused as too large.
    async fn handle(&self, request: Request<Bytes>, size: usize) -> Response<Bytes>;
}

/// See the module.
pub(crate) struct Dispatch {
    services: Arc<Services>,
    random: Arc<dyn Random>,
    /// Requests under way.
    tasks: TaskTracker,
}

struct Services {
    control: Arc<Control>,
    control_answers: Answers,
    identity: identity::Service,
    identity_answers: Answers,
    logs: logs::Service,
    logs_answers: Answers,
}

impl Dispatch {
    /// Takes requests to these.
    pub(crate) fn new(
        control: Arc<Control>,
        identity: identity::Service,
        logs: logs::Service,
        random: Arc<dyn Random>,
        registry: &mut Registry,
    ) -> Self {
        let services = Services {
            control,
            control_answers: Answers::of("control", registry),
            identity,
            identity_answers: Answers::of("identity", registry),
            logs,
            logs_answers: Answers::of("logs", registry),
        };
        Self {
            services: Arc::new(services),
            random,
            tasks: TaskTracker::new(),
        }
    }

    /// Waits for the requests under way. None must begin any more.
    pub(crate) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What has begun is carried out to its end, whether its caller still listens or not: a change of several rows does not
/// stop half way because a client has hung up.
#[async_trait]
impl Operations for Dispatch {
    async fn handle(&self, request: Request<Bytes>, size: usize) -> Response<Bytes> {
        let services = Arc::clone(&self.services);
        let request_id = RequestId::random(self.random.as_ref());
        let handling = self.tasks.spawn(async move {
            let (parts, body) = request.into_parts();
            let answer = services.answer(&parts, &body, size, request_id);
            let mut response = answering(request_id, answer).await;
            let id = request_id.to_string();
            let id = HeaderValue::from_str(&id).expect("a UUID is a header value");
            response.headers_mut().insert("x-amzn-requestid", id);
            response
        });
        handling
            .await
            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}

impl Services {
    async fn answer(
        &self,
        parts: &Parts,
        body: &Bytes,
        size: usize,
        id: RequestId,
    ) -> Response<Bytes> {
        let is_own = control::is_own(parts.uri.path());
        let (protocol, answers) = match Protocol::of(parts) {
            Protocol::Query if !is_own => (Protocol::Query, &self.identity_answers),
            Protocol::Logs if !is_own => (Protocol::Logs, &self.logs_answers),
            _ => (Protocol::Rest, &self.control_answers),
        };
        let response = if let Some(refusal) = oversized(parts, size) {
            protocol::refused(parts, refusal, id)
        } else {
            match protocol {
                Protocol::Query => self.identity.answer(parts, body, id).await,
                Protocol::Logs => self.logs.answer(parts, body, id).await,
                Protocol::Rest => match absent::refusal(parts, id) {
                    Some(refusal) if !is_own => refusal,
                    _ => self.control.answer(parts, body, id).await,
                },
            }
        };
        answers.count(response.status());
        response
    }
}

/// The refusal of a body that is larger than any request, whatever it is for, whether signed or not.
fn oversized(parts: &Parts, size: usize) -> Option<ApiError> {
    if size <= REQUEST_BYTES_MAX {
        return None;
    }
    let matched = route(&parts.method, parts.uri.path(), parts.uri.query());
    let operation = matched.map_or(Operation::CreateFunction, |matched| matched.operation);
    Some(ApiError::too_large(format!(
        "Request must be smaller than {REQUEST_BYTES_MAX} bytes for the {} operation",
        operation.name()
    )))
}
