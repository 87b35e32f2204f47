//! The event frontend: from the request to the acknowledgement, 202.
//!
//! Nothing here is shared with the synchronous frontend but the rules of admission: it has threads,
//! listeners and limits of its own, so that a flood of events drowns events alone.

use std::sync::Arc;

use admission::Admission;
use api::events::{Accept, Error, Events};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use types::{AccountId, Random, RequestId};
use wire::ApiError;
use wire::rest::Match;

/// Seconds after which a caller may try again for whose event there was no room.
const RETRY_AFTER_SECONDS: u32 = 1;

/// See the module.
pub struct EventFrontend {
    pub(crate) random: Arc<dyn Random>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) events: Arc<dyn Events>,
    /// The account that may see all queues.
    pub(crate) operator: AccountId,
}

impl EventFrontend {
    /// Passes what `admission` accepts to `events`; `operator` is the account that may see
    /// all queues.
    pub fn new(
        random: Arc<dyn Random>,
        admission: Arc<Admission>,
        events: Arc<dyn Events>,
        operator: AccountId,
    ) -> Self {
        Self {
            random,
            admission,
            events,
            operator,
        }
    }

    /// Answers the operation that `matched` is: Invoke of an event, or InvokeAsync. `size` is how
    /// many bytes the body had; if that is more than it may have, the rest was left out.
    pub async fn invoke(
        &self,
        request: Request<Bytes>,
        size: usize,
        matched: &Match,
    ) -> Response<Bytes> {
        let id = RequestId::random(self.random.as_ref());
        let (parts, body) = request.into_parts();
        let trace = self.admission.trace(&parts);
        let admitted = self.admission.admit(&parts, (body, size), matched, &trace);
        let answered = match admitted.await {
            Ok(admitted) => {
                let event = Accept {
                    request: id,
                    arn: admitted.arn,
                    payload: admitted.request.payload,
                    trace: admitted.trace,
                    function: Some(admitted.found.function),
                };
                self.events.accept(event).await.map_err(refusal)
            }
            Err(error) => Err(error),
        };
        let mut response = match answered {
            Ok(()) => acknowledged(),
            Err(error) => error.response(id),
        };
        let headers = response.headers_mut();
        let id = HeaderValue::try_from(id.to_string()).expect("a UUID is a header's text");
        headers.insert("x-amzn-requestid", id);
        if let Ok(trace) = HeaderValue::try_from(trace.for_caller()) {
            headers.insert("x-amzn-trace-id", trace);
        }
        response
    }
}

/// 202: the event is kept. No body, so no Content-Type, as AWS does.
fn acknowledged() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    let zero = HeaderValue::from_static("0");
    let headers = response.headers_mut();
    headers.insert("x-amzn-remapped-content-length", zero);
    response
}

pub(crate) fn refusal(error: Error) -> ApiError {
    match error {
        Error::Full => {
            let reason = Some("CallerRateLimitExceeded");
            ApiError::throttled("Rate Exceeded.", reason, Some(RETRY_AFTER_SECONDS))
        }
        Error::Unavailable => ApiError::unavailable(),
    }
}
