//! Errors as Lambda's REST-JSON protocol tells them.
//!
//! ```text
//!   HTTP/1.1 404 Not Found
//!   x-amzn-ErrorType: ResourceNotFoundException
//!   {"Type":"User","Message":"Function not found: arn:aws:lambda:…"}
//! ```
//!
//! Whether the text is `Message` or `message` differs from exception to exception; the public
//! model says which ([`CAPITAL_MESSAGE`]). Errors of the layer before the service (signatures,
//! model constraints) have a message alone and no `Type`.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use types::{ForCallers as _, RequestId};

use crate::sigv4;

/// Whose fault an error is, as `Type` says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The caller's.
    User,
    /// Ours.
    Service,
    /// Not said: errors of the layer before the service.
    Unsaid,
}

/// An error on its way to the caller.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// `x-amzn-ErrorType`.
    pub code: Cow<'static, str>,
    /// `Type` in the body.
    pub fault: Fault,
    /// `Message` or `message` in the body.
    pub message: String,
    /// `Reason` in the body, of a throttle.
    pub reason: Option<Cow<'static, str>>,
    /// `Retry-After`, seconds, of a throttle.
    pub retry_after_seconds: Option<u32>,
}

/// Exceptions whose text is `Message`; that of all others is `message` (the public model's member names).
const CAPITAL_MESSAGE: &[&str] = &[
    "AccessDeniedException",
    "CallbackTimeoutException",
    "CodeSigningConfigNotFoundException",
    "CodeVerificationFailedException",
    "DurableExecutionAlreadyStartedException",
    "EC2AccessDeniedException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSIOException",
    "EFSMountConnectivityException",
    "EFSMountFailureException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "InvalidCodeSignatureException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "NoPublishedVersionException",
    "RecursiveInvocationException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "S3FilesMountConnectivityException",
    "S3FilesMountFailureException",
    "S3FilesMountTimeoutException",
    "ServiceException",
    "SnapStartException",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
];

impl ApiError {
    /// Any error of the service.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        fault: Fault,
        message: impl Into<String>,
    ) -> Self {
        let code = Cow::Borrowed(code);
        Self {
            status,
            code,
            fault,
            message: message.into(),
            reason: None,
            retry_after_seconds: None,
        }
    }

    /// 400: a value breaks a rule of the service.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            Fault::User,
            message,
        )
    }

    /// 400: a value breaks a constraint of the model. [`crate::validation`] words it.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ValidationException",
            Fault::Unsaid,
            message,
        )
    }

    /// 400: the body cannot be read.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "SerializationException",
            Fault::Unsaid,
            message,
        )
    }

    /// 400: the payload of an invoke is not what it must be.
    pub fn invalid_content(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            Fault::User,
            message,
        )
    }

    /// 403: the caller may not do this. The component that decides words the reason.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            Fault::Unsaid,
            message,
        )
    }

    /// 404: no such function, version or alias.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "ResourceNotFoundException",
            Fault::User,
            message,
        )
    }

    /// 409: the resource is there already, or not in the state for this.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ResourceConflictException",
            Fault::User,
            message,
        )
    }

    /// 412: the caller's `RevisionId` is not the present one.
    pub fn precondition_failed(message: impl Into<String>) -> Self {
        let status = StatusCode::PRECONDITION_FAILED;
        Self::new(status, "PreconditionFailedException", Fault::User, message)
    }

    /// 413: the request is larger than may be.
    pub fn too_large(message: impl Into<String>) -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(
            status,
            "RequestEntityTooLargeException",
            Fault::Unsaid,
            message,
        )
    }

    /// 429: a limit is reached. `reason` as in `TooManyRequestsException`'s `Reason`.
    pub fn throttled(
        message: impl Into<String>,
        reason: Option<&'static str>,
        retry_after_seconds: Option<u32>,
    ) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self {
            reason: reason.map(Cow::Borrowed),
            retry_after_seconds,
            ..Self::new(status, "TooManyRequestsException", Fault::User, message)
        }
    }

    /// 500: a fault of ours. The message is for the caller and says nothing of our insides.
    pub fn service(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "ServiceException", Fault::Service, message)
    }

    /// 503: what is needed to answer cannot be reached; trying again is right.
    pub fn unavailable() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let message = "The service is not available at the moment. Try again.";
        Self::new(
            status,
            "ServiceUnavailableException",
            Fault::Service,
            message,
        )
    }

    /// 501: part of the public model, but not of this system yet.
    pub fn not_implemented(what: &str) -> Self {
        let message = format!("Lambent does not implement {what} yet");
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplementedException",
            Fault::User,
            message,
        )
    }

    /// 403: no such access key.
    pub fn unrecognized_client() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::new(
            StatusCode::FORBIDDEN,
            "UnrecognizedClientException",
            Fault::Unsaid,
            message,
        )
    }

    /// 403: the session of a temporary key has ended.
    pub fn expired_token() -> Self {
        let message = "The security token included in the request is expired";
        Self::new(
            StatusCode::FORBIDDEN,
            "ExpiredTokenException",
            Fault::Unsaid,
            message,
        )
    }

    /// The body.
    pub fn body(&self) -> Bytes {
        let fault = match self.fault {
            Fault::User => Some("User"),
            Fault::Service => Some("Service"),
            Fault::Unsaid => None,
        };
        let message = Some(self.message.as_str());
        let capital = CAPITAL_MESSAGE.contains(&self.code.as_ref());
        let body = Body {
            reason: self.reason.as_deref(),
            fault,
            capital_message: message.filter(|_| capital),
            message: message.filter(|_| !capital),
        };
        Bytes::from(serde_json::to_vec(&body).expect("a struct of texts has a JSON form"))
    }

    /// The whole answer.
    pub fn response(&self, request_id: RequestId) -> Response<Bytes> {
        let mut response = Response::new(self.body());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let id = HeaderValue::from_str(&request_id.to_string()).expect("a UUID is a header value");
        headers.insert("x-amzn-requestid", id);
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            headers.insert("x-amzn-errortype", code);
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The body's members, in the order in which Lambda writes them.
#[derive(Serialize)]
struct Body<'e> {
    #[serde(rename = "Reason", skip_serializing_if = "Option::is_none")]
    reason: Option<&'e str>,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    fault: Option<&'e str>,
    #[serde(rename = "Message", skip_serializing_if = "Option::is_none")]
    capital_message: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'e str>,
}

impl From<sigv4::Error> for ApiError {
    fn from(error: sigv4::Error) -> Self {
        let code = match error {
            sigv4::Error::Missing => "MissingAuthenticationTokenException",
            sigv4::Error::Incomplete { .. } => "IncompleteSignatureException",
            sigv4::Error::Time { .. }
            | sigv4::Error::Scope { .. }
            | sigv4::Error::Mismatch { .. } => "InvalidSignatureException",
        };
        Self::new(StatusCode::FORBIDDEN, code, Fault::Unsaid, error.told())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: ApiError, expected: &str) {
        assert_eq!(error.body(), expected);
    }

    #[test]
    fn each_exception_has_the_models_member_names() {
        check(ApiError::not_found("x"), r#"{"Type":"User","Message":"x"}"#);
        check(
            ApiError::invalid_parameter("x"),
            r#"{"Type":"User","message":"x"}"#,
        );
        check(
            ApiError::service("x"),
            r#"{"Type":"Service","Message":"x"}"#,
        );
        check(ApiError::access_denied("x"), r#"{"Message":"x"}"#);
        check(ApiError::validation("x"), r#"{"message":"x"}"#);
        check(
            sigv4::Error::Missing.into(),
            r#"{"message":"Missing Authentication Token"}"#,
        );
        check(
            ApiError::throttled(
                "Rate Exceeded.",
                Some("ConcurrentInvocationLimitExceeded"),
                Some(1),
            ),
            r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
        );
    }

    #[test]
    fn the_answer_has_what_clients_look_for() {
        let id = RequestId::from_uuid(Default::default());
        let response = ApiError::throttled("Rate Exceeded.", None, Some(2)).response(id);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "TooManyRequestsException"
        );
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["x-amzn-requestid"], id.to_string());
    }
}
