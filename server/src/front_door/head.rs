//! Which request heads are refused before routing. Pure.

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use wire::ApiError;
use wire::authority::authority;
use wire::error::Fault;

use super::body::Unread;

/// Refuses what can be read in two ways, and what no API here has a use for. `bare` says that a line
/// ended with a line feed alone, of which others make something else. hyper sees to the
/// body's length: where there are a `Transfer-Encoding` and a `Content-Length`, the former counts
/// for everybody, and the request is the last of its connection.
pub(super) fn check(parts: &Parts, bare: bool) -> Result<(), ApiError> {
    if bare {
        return Err(refused("A line of the request's head ends without a CR."));
    }
    if parts.method == Method::CONNECT {
        return Err(refused("This is not a proxy."));
    }
    // Only this coding is undone here. A body in any other would be accepted as it is.
    let codings = parts.headers.get_all(TRANSFER_ENCODING);
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !codings.iter().all(chunked) || codings.iter().count() > 1 {
        return Err(refused(
            "The one Transfer-Encoding that is taken is chunked.",
        ));
    }
    let host = authority(parts);
    host.map(drop).map_err(|bad| refused(&bad.to_string()))
}

/// Makes an answer the last of its connection: the sender of such a request and we may differ on
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

/// What is said of a body that did not come. The first is what Lambda says of what it cannot read.
pub(super) fn unread(why: Unread) -> ApiError {
    match why {
        Unread::Broken => ApiError::serialization("The request body ended before it was complete."),
        Unread::Slow => ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeoutException",
            Fault::User,
            "The request body came too slowly.",
        ),
        Unread::Full => ApiError::unavailable(),
    }
}
