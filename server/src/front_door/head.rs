//! What is refused of a request's head before anybody asks what it is for. Pure.

use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use wire::ApiError;
use wire::authority::authority;
use wire::error::Fault;

/// Refuses what can be read in two ways, and what no API here has a use for. hyper sees to the
/// body's length: where there are a `Transfer-Encoding` and a `Content-Length`, the former counts
/// for everybody, and the request is the last of its connection.
pub(super) fn check(parts: &Parts) -> Result<(), ApiError> {
    if parts.method == Method::CONNECT {
        return Err(refused("This is no proxy."));
    }
    let host = authority(parts);
    host.map(drop).map_err(|bad| refused(&bad.to_string()))
}

/// Makes an answer the last of its connection: whoever sent such a request and we may differ on
/// where the next one begins.
pub(super) fn last<B>(mut answer: Response<B>) -> Response<B> {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
}

fn refused(message: &str) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "BadRequestException",
        Fault::User,
        message,
    )
}
