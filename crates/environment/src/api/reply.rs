//! The answers of both APIs.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::{Response, StatusCode, header};

use crate::machine::Refusal;

/// Of an unwanted body so much is read before its connection is given up: several times what any
/// call may carry.
const DISCARD_BYTES_MAX: usize = 32 * 1024 * 1024;

pub(super) type Reply = Response<Full<Bytes>>;

/// `{"status":"OK"}` with 202.
pub(super) fn accepted() -> Reply {
    json(
        StatusCode::ACCEPTED,
        Bytes::from_static(b"{\"status\":\"OK\"}\n"),
    )
}

pub(super) fn json(status: StatusCode, body: Bytes) -> Reply {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// An error in the form of both APIs.
pub(super) fn error(status: StatusCode, error_type: &str, message: &str) -> Reply {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        error_message: &'a str,
        error_type: &'a str,
    }
    let body = Body {
        error_message: message,
        error_type,
    };
    let body = serde_json::to_vec(&body).expect("two strings always serialise");
    json(status, Bytes::from(body))
}

pub(super) fn not_found(path: &str) -> Reply {
    error(
        StatusCode::NOT_FOUND,
        "NotFound",
        &format!("there is nothing at {path}"),
    )
}

/// What a refusal of the session is called.
pub(super) fn refused(refusal: Refusal) -> Reply {
    let (status, error_type, message) = match refusal {
        Refusal::WrongState => (
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "State transition is not allowed",
        ),
        Refusal::WrongRequest => (
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Refusal::RegistrationClosed => (
            StatusCode::FORBIDDEN,
            "Extension.RegistrationClosed",
            "Extension registration closed already",
        ),
        Refusal::TooManyExtensions => (
            StatusCode::FORBIDDEN,
            "Extension.TooManyExtensions",
            "Extension limit (10) reached, or the name is taken",
        ),
        Refusal::ShutdownForInternal => (
            StatusCode::FORBIDDEN,
            "ShutdownEventNotSupportedForInternalExtension",
            "SHUTDOWN event not supported for internal extensions",
        ),
        Refusal::UnknownExtension => (
            StatusCode::FORBIDDEN,
            "Extension.UnknownExtensionIdentifier",
            "Unknown extension identifier",
        ),
    };
    error(status, error_type, message)
}

/// Why a body could not be taken.
pub(super) enum BodyError {
    /// Larger than the limit.
    TooLarge,
    /// Ended early.
    Broken,
}

/// A body of at most `limit` bytes. Of a larger one the rest is read and thrown away, so that who
/// sends it gets to read the refusal.
pub(super) async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        if all.len() + piece.len() > limit {
            discard(body).await;
            return Err(BodyError::TooLarge);
        }
        // Most bodies come in one piece, which is then not copied.
        if all.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

/// Reads a body that nobody wants, within reason: a runtime that still sends it must find its
/// connection whole afterwards.
pub(super) async fn discard(mut body: Incoming) {
    let mut left = DISCARD_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
