//! The parts of an Invoke request, checked. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use types::limits::{ASYNC_REQUEST_BYTES_MAX, CLIENT_CONTEXT_BYTES_MAX, SYNC_REQUEST_BYTES_MAX};
use wire::ApiError;
use wire::error::Fault;
use wire::rest::Operation;
use wire::validation::{Pattern, Violations};

use crate::unreadable;

const TENANT: Pattern = Pattern {
    text: r"[a-zA-Z0-9\._:\/=+\-@ ]+",
    matches: |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    },
};
const EXECUTION: Pattern = Pattern {
    text: "[a-zA-Z0-9-_]+",
    matches: |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    },
};

/// What an invoke is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvocationType {
    /// The caller waits for the answer.
    RequestResponse,
    /// The event is queued.
    Event,
    /// Nothing runs; only checks are made.
    DryRun,
}

/// The parts of an Invoke request without the function's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// What becomes of it.
    pub invocation_type: InvocationType,
    /// Whether the caller wants the end of the log.
    pub log_tail: bool,
    /// Compact JSON.
    pub client_context: Option<String>,
    /// The event, JSON.
    pub payload: Bytes,
}

impl InvocationType {
    /// What a request asks for, as far as is known before it is checked.
    pub fn of(operation: Operation, headers: &HeaderMap) -> Self {
        let named = headers.get("x-amz-invocation-type");
        match (operation, named.map(HeaderValue::as_bytes)) {
            (Operation::InvokeAsync, _) | (Operation::Invoke, Some(b"Event")) => Self::Event,
            (_, Some(b"DryRun")) => Self::DryRun,
            _ => Self::RequestResponse,
        }
    }

    /// Bytes that its payload may have.
    pub(crate) const fn request_bytes_max(self) -> usize {
        match self {
            Self::Event => ASYNC_REQUEST_BYTES_MAX,
            Self::RequestResponse | Self::DryRun => SYNC_REQUEST_BYTES_MAX,
        }
    }

    /// As requests name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Event => "Event",
            Self::RequestResponse | Self::DryRun => "RequestResponse",
        }
    }
}

/// Checks headers and payload.
pub(crate) fn check(
    operation: Operation,
    headers: &HeaderMap,
    payload: Bytes,
) -> Result<Checked, ApiError> {
    let invocation_type = text(headers, "x-amz-invocation-type")?;
    let log_type = text(headers, "x-amz-log-type")?;
    let mut violations = Violations::new();
    let types: &[&str] = match operation {
        // It has no such member, and passes nothing on but the event.
        Operation::InvokeAsync => {
            let arguments = Some(&payload).filter(|payload| !payload.is_empty());
            violations.required("invokeArgs", arguments);
            violations.finish()?;
            return Ok(Checked {
                invocation_type: InvocationType::Event,
                log_tail: false,
                client_context: None,
                payload: event(payload)?,
            });
        }
        Operation::InvokeWithResponseStream => &["RequestResponse", "DryRun"],
        _ => &["Event", "RequestResponse", "DryRun"],
    };
    violations.one_of("invocationType", invocation_type, types);
    violations.one_of("logType", log_type, &["None", "Tail"]);
    let tenant = text(headers, "x-amz-tenant-id")?;
    violations.pattern("tenantId", tenant, TENANT);
    violations.length("tenantId", tenant, 1, 256);
    let execution = text(headers, "x-amz-durable-execution-name")?;
    violations.pattern("durableExecutionName", execution, EXECUTION);
    violations.length("durableExecutionName", execution, 1, 64);
    violations.finish()?;
    if tenant.is_some() {
        // No function here is: CreateFunction refuses it.
        return Err(ApiError::invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID \
             from the request and try again.",
        ));
    }
    Ok(Checked {
        invocation_type: InvocationType::of(operation, headers),
        log_tail: log_type == Some("Tail"),
        client_context: text(headers, "x-amz-client-context")?
            .map(client_context)
            .transpose()?,
        payload: event(payload)?,
    })
}

/// The refusal of a payload of that size.
pub fn too_large(kind: InvocationType, bytes: usize) -> ApiError {
    let message = format!(
        "{bytes} byte payload is too large for the {} invocation type (limit {} bytes)",
        kind.name(),
        kind.request_bytes_max()
    );
    let status = http::StatusCode::PAYLOAD_TOO_LARGE;
    ApiError::new(status, "RequestTooLargeException", Fault::User, message)
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, ApiError> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value.to_str();
    text.map(Some)
        .map_err(|_| ApiError::invalid_content(format!("Header {name} is not ASCII text")))
}

/// Base64 of a JSON object.
fn client_context(text: &str) -> Result<String, ApiError> {
    if text.len() > CLIENT_CONTEXT_BYTES_MAX {
        let message = format!("Client context must be at most {CLIENT_CONTEXT_BYTES_MAX} bytes");
        return Err(ApiError::invalid_content(message));
    }
    let decoded = STANDARD.decode(text).ok();
    let object = decoded.and_then(|bytes| {
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    });
    match object {
        Some(object) => Ok(serde_json::Value::Object(object).to_string()),
        None => {
            let message = "Client context must be a valid Base64-encoded JSON object.";
            Err(ApiError::invalid_content(message))
        }
    }
}

/// The payload, if it is JSON. None at all stands for an empty object.
fn event(payload: Bytes) -> Result<Bytes, ApiError> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    // First the encoding: in JSON that is ignored, the parser does not look at it.
    let text = std::str::from_utf8(&payload);
    if text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()) {
        return Ok(payload);
    }
    Err(ApiError::invalid_content(unreadable::message(&payload)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn checked(headers: &[(&'static str, &str)], payload: &str) -> Result<Checked, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        check(
            Operation::Invoke,
            &map,
            Bytes::copy_from_slice(payload.as_bytes()),
        )
    }

    #[test]
    fn a_bare_request_is_synchronous_and_carries_an_empty_object() {
        let bare = checked(&[], "").unwrap();
        assert_eq!(bare.invocation_type, InvocationType::RequestResponse);
        assert_eq!(bare.payload, "{}");
        assert!(!bare.log_tail);
    }

    #[test]
    fn wrong_parts_are_refused_by_name() {
        let code = |headers: &[(&'static str, &str)], payload: &str| {
            checked(headers, payload).unwrap_err().code
        };
        assert_eq!(
            code(&[("x-amz-invocation-type", "Now")], "{}"),
            "ValidationException"
        );
        assert_eq!(
            code(&[("x-amz-log-type", "All")], "{}"),
            "ValidationException"
        );
        assert_eq!(
            code(&[("x-amz-tenant-id", "one")], "{}"),
            "InvalidParameterValueException"
        );
        assert_eq!(code(&[], "{"), "InvalidRequestContentException");
        assert_eq!(code(&[], "not json"), "InvalidRequestContentException");
        let not_object = [("x-amz-client-context", "W10=")];
        assert_eq!(code(&not_object, "{}"), "InvalidRequestContentException");
        let long = "A".repeat(CLIENT_CONTEXT_BYTES_MAX + 1);
        assert_eq!(
            code(&[("x-amz-client-context", &long)], "{}"),
            "InvalidRequestContentException"
        );
    }

    #[test]
    fn a_client_context_is_decoded_and_made_one_line() {
        let context = STANDARD.encode("{\n \"custom\": {\"a\": \"b\"}\n}");
        let found = checked(&[("x-amz-client-context", &context)], "{}")
            .unwrap()
            .client_context;
        assert_eq!(found.as_deref(), Some("{\"custom\":{\"a\":\"b\"}}"));
    }

    proptest! {
        #[test]
        fn no_header_or_payload_panics(header in "[ -~]{0,64}", payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-client-context", HeaderValue::from_str(&header).unwrap());
            headers.insert("x-amz-log-type", HeaderValue::from_str(&header).unwrap());
            let _ = check(Operation::Invoke, &headers, Bytes::from(payload));
        }
    }
}
