//! `/2020-01-01/extension/…`: how extensions register and learn of events.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use types::{ForCallers as _, Random as _, SystemRandom};
use uuid::Uuid;

use super::reply::{Reply, accepted, collect, error, json, not_found, refused};
use super::runtime::header;
use crate::go_json::Members;
use crate::machine::ShutdownReason;
use crate::session::{ExtensionEvent, Session};

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const EVENT_IDENTIFIER: &str = "lambda-extension-event-identifier";
const ACCEPT_FEATURE: &str = "lambda-extension-accept-feature";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// Bytes of a register body or an error body; real ones have hundreds.
const BODY_BYTES_MAX: usize = 256 * 1024;

pub(super) async fn route(session: &Session, request: Request<Incoming>, path: &[&str]) -> Reply {
    match (request.method(), path) {
        (&Method::POST, ["register"]) => register(session, request).await,
        (&Method::GET, ["event", "next"]) => next(session, &request).await,
        (&Method::POST, ["init" | "exit", "error"]) => report(session, request).await,
        _ => not_found(request.uri().path()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered<'a> {
    function_name: &'a str,
    function_version: &'a str,
    handler: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
}

async fn register(session: &Session, request: Request<Incoming>) -> Reply {
    let headers = request.headers().clone();
    let name = header(&headers, NAME).filter(|name| (1..=128).contains(&name.len()));
    let Some(name) = name else {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionName",
            "Empty extension name, or one of more than 128 bytes",
        );
    };
    let Ok(body) = collect(request.into_body(), BODY_BYTES_MAX).await else {
        return invalid_request("the body is too large or broken");
    };
    let events = match events(&body) {
        Ok(events) => events,
        Err(error) => return invalid_request(&error),
    };
    let (mut on_invoke, mut on_shutdown) = (false, false);
    for event in &events {
        match event.as_str() {
            "INVOKE" => on_invoke = true,
            "SHUTDOWN" => on_shutdown = true,
            other => {
                let message = format!("{other}: ErrorInvalidEventType");
                return error(
                    StatusCode::FORBIDDEN,
                    "Extension.InvalidEventType",
                    &message,
                );
            }
        }
    }
    let id = SystemRandom.uuid();
    if let Err(refusal) = session.register(id, name, (on_invoke, on_shutdown)) {
        return refused(refusal);
    }
    let wants_account = header(&headers, ACCEPT_FEATURE)
        .is_some_and(|features| features.split(',').any(|f| f.trim() == "accountId"));
    let identity = session.identity();
    let answer = Registered {
        function_name: &identity.function_name,
        function_version: &identity.function_version,
        handler: &identity.handler,
        account_id: wants_account.then_some(identity.account_id.as_str()),
    };
    let mut reply = ok(&answer);
    insert(&mut reply, IDENTIFIER, id);
    reply
}

/// What an extension subscribes to: AWS's own service reads the body with Go, and its clients in Go send
/// `"events": null` for none.
fn events(body: &[u8]) -> Result<Vec<String>, String> {
    let mut body = Members::parse(body).map_err(|error| error.told())?;
    let events = body.texts("events").map_err(|error| error.told())?;
    let keys = body.texts("configurationKeys");
    if !keys.map_err(|error| error.told())?.is_empty() {
        return Err("configurationKeys are deprecated; use environment variables instead".into());
    }
    Ok(events)
}

#[derive(Serialize)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
enum Event<'a> {
    #[serde(rename = "INVOKE")]
    Invoke {
        deadline_ms: u64,
        request_id: String,
        invoked_function_arn: &'a str,
        tracing: Tracing<'a>,
    },
    #[serde(rename = "SHUTDOWN")]
    Shutdown {
        shutdown_reason: &'static str,
        deadline_ms: u64,
    },
}

#[derive(Serialize)]
struct Tracing<'a> {
    r#type: &'static str,
    value: &'a str,
}

async fn next(session: &Session, request: &Request<Incoming>) -> Reply {
    let id = match identifier(request) {
        Ok(id) => id,
        Err(reply) => return reply,
    };
    let receiver = match session.extension_next(id) {
        Ok(receiver) => receiver,
        Err(refusal) => return refused(refusal),
    };
    let Ok(event) = receiver.await else {
        return error(
            StatusCode::GONE,
            "Closed",
            "the environment is shutting down",
        );
    };
    let mut reply = match &event {
        ExtensionEvent::Invoke(invoke) => ok(&Event::Invoke {
            deadline_ms: invoke.deadline_ms,
            request_id: invoke.request.to_string(),
            invoked_function_arn: &invoke.invoked_arn,
            tracing: Tracing {
                r#type: "X-Amzn-Trace-Id",
                value: &invoke.trace_id,
            },
        }),
        ExtensionEvent::Shutdown {
            reason,
            deadline_ms,
        } => ok(&Event::Shutdown {
            shutdown_reason: match reason {
                ShutdownReason::Spindown => "SPINDOWN",
                ShutdownReason::Timeout => "TIMEOUT",
                ShutdownReason::Failure => "FAILURE",
            },
            deadline_ms: *deadline_ms,
        }),
    };
    insert(&mut reply, EVENT_IDENTIFIER, SystemRandom.uuid());
    reply
}

async fn report(session: &Session, request: Request<Incoming>) -> Reply {
    let id = match identifier(&request) {
        Ok(id) => id,
        Err(reply) => return reply,
    };
    let Some(error_type) = header(request.headers(), ERROR_TYPE) else {
        return error(
            StatusCode::FORBIDDEN,
            "Extension.MissingHeader",
            "Lambda-Extension-Function-Error-Type not found",
        );
    };
    let error_type = error_type.chars().take(128).collect();
    // The body is for the extension's author; whether it arrives whole changes nothing.
    let _ = collect(request.into_body(), BODY_BYTES_MAX).await;
    match session.extension_error(id, error_type) {
        Ok(()) => accepted(),
        Err(refusal) => refused(refusal),
    }
}

#[expect(
    clippy::result_large_err,
    reason = "the error is the answer, which is made anyway"
)]
pub(super) fn identifier(request: &Request<Incoming>) -> Result<Uuid, Reply> {
    let Some(text) = header(request.headers(), IDENTIFIER) else {
        return Err(error(
            StatusCode::FORBIDDEN,
            "Extension.MissingExtensionIdentifier",
            "Missing Lambda-Extension-Identifier header",
        ));
    };
    Uuid::try_parse(text).map_err(|_| {
        error(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionIdentifier",
            "Invalid Lambda-Extension-Identifier",
        )
    })
}

fn invalid_request(message: &str) -> Reply {
    error(StatusCode::FORBIDDEN, "InvalidRequestFormat", message)
}

fn ok(body: &impl Serialize) -> Reply {
    let body = serde_json::to_vec(body).expect("plain structs always serialise");
    json(StatusCode::OK, Bytes::from(body))
}

fn insert(reply: &mut hyper::Response<Full<Bytes>>, name: &'static str, id: Uuid) {
    let value = HeaderValue::from_str(&id.to_string()).expect("a UUID is a header's text");
    reply
        .headers_mut()
        .insert(HeaderName::from_static(name), value);
}
