//! `/2018-06-01/runtime/…`: what a language runtime asks and answers.

mod answer;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use types::RequestId;
use types::limits::SYNC_RESPONSE_BYTES_MAX;
use uuid::Uuid;

use answer::WHOLE_BYTES_MAX;

use super::reply::{BodyError, Reply, accepted, collect, discard, error, not_found, refused};
use crate::error::{invoke_error_type, runtime_error_type};
use crate::session::{Answer, InvokeEvent, Session};

/// Set by runtimes on error posts.
pub(super) const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// An init error's object: a stack trace and some words.
const INIT_ERROR_BYTES_MAX: usize = 1024 * 1024;

pub(super) async fn route(session: &Session, request: Request<Incoming>, path: &[&str]) -> Reply {
    match (request.method(), path) {
        (&Method::GET, ["invocation", "next"]) => next(session).await,
        (&Method::POST, ["invocation", id, "response"]) => match parse_id(id) {
            Some(id) => answer::post(session, request, id).await,
            None => invalid_id(request).await,
        },
        (&Method::POST, ["invocation", id, "error"]) => match parse_id(id) {
            Some(id) => invocation_error(session, request, id).await,
            None => invalid_id(request).await,
        },
        (&Method::POST, ["init", "error"]) => init_error(session, request).await,
        (&Method::GET, ["restore", "next"]) => error(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "this environment is not restored from a snapshot",
        ),
        _ => not_found(request.uri().path()),
    }
}

async fn next(session: &Session) -> Reply {
    let receiver = match session.runtime_next() {
        Ok(receiver) => receiver,
        Err(refusal) => return refused(refusal),
    };
    match receiver.await {
        Ok(event) => invocation(event),
        // The environment is being stopped, and the runtime with it.
        Err(_) => error(
            StatusCode::GONE,
            "Closed",
            "the environment is shutting down",
        ),
    }
}

fn invocation(event: InvokeEvent) -> Reply {
    let mut response = Response::new(Full::new(event.payload));
    let headers = response.headers_mut();
    headers.reserve(8);
    set(headers, "content-type", "application/json");
    set(
        headers,
        "lambda-runtime-aws-request-id",
        &event.request.to_string(),
    );
    set(
        headers,
        "lambda-runtime-deadline-ms",
        &event.deadline_ms.to_string(),
    );
    set(
        headers,
        "lambda-runtime-invoked-function-arn",
        &event.invoked_arn,
    );
    set(headers, "lambda-runtime-trace-id", &event.trace_id);
    if let Some(context) = &event.client_context {
        set(headers, "lambda-runtime-client-context", context);
    }
    response
}

/// Sets a header; a value that no header may hold is left out. The frontend lets none through.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

async fn invocation_error(session: &Session, request: Request<Incoming>, id: RequestId) -> Reply {
    let given = header(request.headers(), ERROR_TYPE).map(str::to_owned);
    let answer = match session.answer_begins(id) {
        Ok(answer) => answer,
        Err(refusal) => {
            discard(request.into_body()).await;
            return refused(refusal);
        }
    };
    let (body, reply) = match collect(request.into_body(), SYNC_RESPONSE_BYTES_MAX).await {
        Ok(body) => (body, accepted()),
        Err(BodyError::TooLarge) => (
            answer::too_large_body(WHOLE_BYTES_MAX),
            answer::too_large_reply(WHOLE_BYTES_MAX),
        ),
        Err(BodyError::Broken) => (answer::truncated_body(), not_found("")),
    };
    session.answer_ends(id);
    let error_type = invoke_error_type(given.as_deref(), &body);
    // The caller may have given up.
    let _ = answer.send(Answer::Error { error_type, body });
    reply
}

async fn init_error(session: &Session, request: Request<Incoming>) -> Reply {
    let error_type = runtime_error_type(header(request.headers(), ERROR_TYPE));
    let Ok(body) = collect(request.into_body(), INIT_ERROR_BYTES_MAX).await else {
        return answer::too_large_reply(INIT_ERROR_BYTES_MAX as u64);
    };
    let body = match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => body,
        Err(_) => Bytes::from_static(b"{}"),
    };
    match session.init_error(error_type, body) {
        Ok(()) => accepted(),
        Err(refusal) => refused(refusal),
    }
}

/// A header's text. An empty one is none, as to Go, in which AWS's own service is written.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.filter(|text| !text.is_empty())
}

fn parse_id(text: &str) -> Option<RequestId> {
    Uuid::try_parse(text).ok().map(RequestId::from_uuid)
}

async fn invalid_id(request: Request<Incoming>) -> Reply {
    discard(request.into_body()).await;
    error(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        "Invalid request ID",
    )
}
