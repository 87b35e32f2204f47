//! From what happened to the caller's answer: one table for each arrow's errors. Pure.

use api::worker::{FileSystemError, Response as Answer};
use api::{assignment, counting};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode};
use types::{ForCallers as _, RequestId, Version};
use wire::ApiError;
use wire::error::Fault;

use crate::body::{Body, invoke_complete, payload_chunk};

/// Seconds after which a throttled caller may retry. Permits become free within an invoke's time, which
/// is not known; a second is what Lambda itself says.
const RETRY_AFTER_SECONDS: u32 = 1;

/// A throttle, with the reason Lambda gives for it.
pub(crate) fn counting(error: &counting::Error) -> ApiError {
    let reason = match error {
        counting::Error::FunctionConcurrency { .. } => {
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        }
        counting::Error::AccountConcurrency { .. } | counting::Error::ScalingRate { .. } => {
            "ConcurrentInvocationLimitExceeded"
        }
        counting::Error::FunctionRate { .. } => "ReservedFunctionInvocationRateLimitExceeded",
        counting::Error::AccountRate { .. } => "FunctionInvocationRateLimitExceeded",
        counting::Error::Unavailable => return ApiError::unavailable(),
    };
    ApiError::throttled("Rate Exceeded.", Some(reason), Some(RETRY_AFTER_SECONDS))
}

/// There is no environment for the invoke.
pub(crate) fn assignment(error: &assignment::Error) -> ApiError {
    match error {
        assignment::Error::NoCapacity { .. } | assignment::Error::Unavailable => {
            ApiError::unavailable()
        }
        assignment::Error::Unsupported { what, .. } => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "InvalidRuntimeException",
            Fault::Service,
            what.told(),
        ),
        assignment::Error::Role { .. } => ApiError::access_denied(
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        assignment::Error::FileSystem(error) => file_system(error),
        assignment::Error::Create { .. } | assignment::Error::Init { .. } => {
            ApiError::service("The execution environment could not be created.")
        }
    }
}

/// The exception of [`recursive`].
pub(crate) const RECURSIVE: &str = "RecursiveInvocationException";

/// The function has called itself too often.
pub(crate) fn recursive() -> ApiError {
    let message = "Lambda has detected your function being invoked in a recursive loop with other \
                   AWS resources and stopped your function's invocation.";
    ApiError::new(StatusCode::BAD_REQUEST, RECURSIVE, Fault::User, message)
}

/// A file system could not be mounted.
fn file_system(error: &FileSystemError) -> ApiError {
    let (status, code) = match error {
        FileSystemError::Failure { .. } => (StatusCode::FORBIDDEN, "EFSMountFailureException"),
        FileSystemError::Connectivity { .. } => {
            (StatusCode::REQUEST_TIMEOUT, "EFSMountConnectivityException")
        }
        FileSystemError::Timeout { .. } => {
            (StatusCode::REQUEST_TIMEOUT, "EFSMountTimeoutException")
        }
    };
    ApiError::new(status, code, Fault::User, error.told())
}

/// The answer to a synchronous invoke, whose body is whole.
pub(crate) fn invoked(answer: Answer, body: Bytes, version: Version) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(8);
    let json = HeaderValue::from_static("application/json");
    headers.insert(http::header::CONTENT_TYPE, json);
    headers.insert("x-amz-executed-version", version_value(version));
    headers.insert(
        "x-amzn-remapped-content-length",
        HeaderValue::from_static("0"),
    );
    if answer.failed {
        headers.insert(
            "x-amz-function-error",
            HeaderValue::from_static("Unhandled"),
        );
    }
    if let Some(tail) = answer.log_tail {
        let tail = HeaderValue::try_from(STANDARD.encode(&tail));
        headers.insert("x-amz-log-result", tail.expect("base64 is a header's text"));
    }
    response
}

/// The answer to a streaming invoke.
pub(crate) fn streamed(body: Body, version: Version) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(wire::event_stream::CONTENT_TYPE);
    headers.insert(http::header::CONTENT_TYPE, content_type);
    headers.insert("x-amz-executed-version", version_value(version));
    response
}

/// A whole result as the body of a streaming invoke: one chunk, and the end.
pub(crate) fn as_event_stream(answer: Answer, result: Bytes) -> Bytes {
    let error = answer.failed.then_some(&result);
    let end = invoke_complete(error, answer.log_tail);
    let mut body = BytesMut::from(payload_chunk(result.clone()));
    body.extend_from_slice(&end);
    body.freeze()
}

/// The answer to a dry run: all checks passed. It does not say which version would have run.
pub(crate) fn dry_run() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Adds the headers that every answer has.
pub(crate) fn sign_off(response: &mut Response<Body>, request: RequestId, trace: &str) {
    let headers = response.headers_mut();
    let id = HeaderValue::try_from(request.to_string()).expect("a UUID is a header's text");
    headers.insert("x-amzn-requestid", id);
    if let Ok(trace) = HeaderValue::from_str(trace) {
        headers.insert("x-amzn-trace-id", trace);
    }
}

fn version_value(version: Version) -> HeaderValue {
    match version {
        Version::Latest => HeaderValue::from_static("$LATEST"),
        Version::Published(number) => HeaderValue::from(number),
    }
}

#[cfg(test)]
mod tests {
    use api::worker::Unsupported;
    use types::{FunctionName, Inner};

    use super::*;

    #[test]
    fn why_there_is_no_environment_is_not_told_but_what_the_function_asks_for_is() {
        let reason = || Inner::new("/var/lib/lambent/images: Read-only file system (os error 30)");
        let runtime = "python3.12".to_owned();
        let architecture = "arm64".to_owned();
        let all = [
            assignment::Error::Create { reason: reason() },
            assignment::Error::Unsupported {
                what: Unsupported::Runtime { runtime },
                reason: reason(),
            },
            assignment::Error::Unsupported {
                what: Unsupported::Architecture { architecture },
                reason: reason(),
            },
            assignment::Error::NoCapacity {
                function: "f".to_owned(),
            },
            assignment::Error::Unavailable,
        ];
        let told = all.each_ref().map(|error| assignment(error).message);
        let unavailable = "The service is not available at the moment. Try again.";
        let expected = [
            "The execution environment could not be created.",
            "The runtime python3.12 is not supported here.",
            "The architecture arm64 is not supported here.",
            unavailable,
            unavailable,
        ];
        assert_eq!(told, expected);
        // The operator finds the reason in the log, next to the request id.
        let logged = all.each_ref().map(|error| error.reason_for_log());
        let inner = reason();
        let some = Some(inner.for_log());
        assert_eq!(logged, [some, some, some, None, None]);
    }

    fn check(error: &counting::Error, reason: &str) {
        let told = counting(error);
        assert_eq!(told.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(told.reason.as_deref(), Some(reason));
        assert_eq!(told.retry_after_seconds, Some(1));
    }

    #[test]
    fn throttles_name_lambdas_reasons() {
        let function = FunctionName::new("f").unwrap();
        check(
            &counting::Error::FunctionConcurrency {
                function: function.clone(),
                limit: 10,
            },
            "ReservedFunctionConcurrentInvocationLimitExceeded",
        );
        check(
            &counting::Error::AccountConcurrency { limit: 1000 },
            "ConcurrentInvocationLimitExceeded",
        );
        check(
            &counting::Error::FunctionRate {
                function,
                per_second: 100,
            },
            "ReservedFunctionInvocationRateLimitExceeded",
        );
        check(
            &counting::Error::AccountRate { per_second: 10_000 },
            "FunctionInvocationRateLimitExceeded",
        );
    }
}
