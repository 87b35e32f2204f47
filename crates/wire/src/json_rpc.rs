//! The JSON protocol of CloudWatch Logs and others: an action in a header, JSON in, JSON out.
//!
//! ```text
//!   X-Amz-Target: Logs_20140328.FilterLogEvents
//!   {"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}
//! ```
//!
//! Every error of the caller's is a 400, whatever it is called.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use types::RequestId;

use crate::error::ApiError;

/// The header that names the action.
const TARGET: &str = "x-amz-target";
/// What requests and answers are.
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// An error on its way to the caller.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct JsonError {
    /// HTTP status.
    pub status: StatusCode,
    /// `__type`.
    pub code: Cow<'static, str>,
    /// `message`.
    pub message: String,
}

/// The action that a request names after `prefix` and a dot.
pub fn action<'p>(parts: &'p Parts, prefix: &str) -> Option<&'p str> {
    let target = parts.headers.get(TARGET)?.to_str().ok()?;
    target.strip_prefix(prefix)?.strip_prefix('.')
}

impl JsonError {
    /// 400: the caller's fault.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: Cow::Borrowed(code),
            message: message.into(),
        }
    }

    /// There is no such action.
    pub fn unknown_action() -> Self {
        Self::refused("UnknownOperationException", "")
    }

    /// The body is not JSON, or a member is of another type than the model's.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::refused("SerializationException", message)
    }

    /// The whole answer.
    pub fn response(&self, request_id: RequestId) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Body<'a> {
            __type: &'a str,
            message: &'a str,
        }
        let body = Body {
            __type: &self.code,
            message: &self.message,
        };
        let mut response = answer(&body);
        *response.status_mut() = self.status;
        let id = HeaderValue::from_str(&request_id.to_string()).expect("a UUID is a header value");
        response.headers_mut().insert("x-amzn-requestid", id);
        response
    }
}

/// The same in this protocol's statuses.
impl From<ApiError> for JsonError {
    fn from(error: ApiError) -> Self {
        let status = match error.status {
            status if status.is_server_error() => status,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            code: error.code,
            message: error.message,
        }
    }
}

/// An answer with a body.
pub fn answer(body: &impl Serialize) -> Response<Bytes> {
    let body = serde_json::to_vec(body).expect("answers are structs of texts and numbers");
    let mut response = Response::new(Bytes::from(body));
    let json = HeaderValue::from_static(CONTENT_TYPE);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}

/// An answer of an action that says nothing.
pub fn nothing() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let json = HeaderValue::from_static(CONTENT_TYPE);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_stands_behind_the_services_prefix() {
        let parts = |target: &str| {
            let request = http::Request::builder().header(TARGET, target);
            request.body(()).unwrap().into_parts().0
        };
        let of = |target| action(&parts(target), "Logs_20140328").map(str::to_owned);
        assert_eq!(
            of("Logs_20140328.GetLogEvents").as_deref(),
            Some("GetLogEvents")
        );
        assert_eq!(of("Logs_20140328"), None);
        assert_eq!(of("DynamoDB_20120810.GetItem"), None);
    }

    #[test]
    fn errors_of_the_caller_are_400() {
        let id = RequestId::from_uuid(Default::default());
        let response = JsonError::from(ApiError::access_denied("no")).response(id);
        assert_eq!(response.status(), 400);
        assert_eq!(
            response.body().as_ref(),
            br#"{"__type":"AccessDeniedException","message":"no"}"#
        );
        assert_eq!(JsonError::from(ApiError::unavailable()).status, 503);
    }
}
