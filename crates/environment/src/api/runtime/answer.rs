//! `POST /runtime/invocation/{id}/response`: a result, whole or streamed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use tokio::sync::mpsc;
use types::RequestId;
use types::limits::{STREAMED_RESPONSE_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX};

use super::super::reply::{BodyError, Reply, accepted, collect, discard, error, refused};
use super::{ERROR_TYPE, header};
use crate::error::{TRUNCATED, error_body, function_error_type};
use crate::session::{Answer, AnswerBody, Session};

const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// [`SYNC_RESPONSE_BYTES_MAX`], as messages count.
pub(super) const WHOLE_BYTES_MAX: u64 = SYNC_RESPONSE_BYTES_MAX as u64;

/// Pieces of a streamed result that wait for a slow caller. A piece is at most what one read of a
/// socket gives, so this bounds the memory of a stream to about a megabyte.
const PIECES_MAX: usize = 16;

pub(super) async fn post(session: &Session, request: Request<Incoming>, id: RequestId) -> Reply {
    let streaming = match header(request.headers(), RESPONSE_MODE) {
        None => false,
        Some("streaming") => true,
        Some(_) => {
            discard(request.into_body()).await;
            return error(
                StatusCode::BAD_REQUEST,
                "Runtime.InvalidResponseModeHeader",
                "the response mode is neither absent nor streaming",
            );
        }
    };
    let answer = match session.answer_begins(id) {
        Ok(answer) => answer,
        Err(refusal) => {
            discard(request.into_body()).await;
            return refused(refusal);
        }
    };
    let content_type = header(request.headers(), "content-type").map(str::to_owned);
    if streaming {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let body = AnswerBody::Stream(receiver);
        // The caller may have given up; the function still runs to its end.
        let _ = answer.send(Answer::Result { content_type, body });
        let reply = forward(request.into_body(), &sender).await;
        session.answer_ends(id);
        return reply;
    }
    let (result, reply) = match collect(request.into_body(), SYNC_RESPONSE_BYTES_MAX).await {
        Ok(body) => {
            let body = AnswerBody::Full(body);
            (Answer::Result { content_type, body }, accepted())
        }
        Err(BodyError::TooLarge) => {
            let error_type = "Function.ResponseSizeTooLarge".to_owned();
            (
                Answer::Error {
                    error_type,
                    body: too_large_body(WHOLE_BYTES_MAX),
                },
                too_large_reply(WHOLE_BYTES_MAX),
            )
        }
        Err(BodyError::Broken) => {
            let error_type = TRUNCATED.to_owned();
            // The reply finds nobody: the connection is what broke.
            (
                Answer::Error {
                    error_type,
                    body: truncated_body(),
                },
                accepted(),
            )
        }
    };
    session.answer_ends(id);
    let _ = answer.send(result);
    reply
}

/// Passes a streamed body on, piece by piece, as fast as the caller takes it.
async fn forward(
    mut body: Incoming,
    sender: &mpsc::Sender<Result<Bytes, (String, Bytes)>>,
) -> Reply {
    let mut total = 0u64;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // A caller that has gone needs no error either.
            let _ = sender
                .send(Err((TRUNCATED.to_owned(), truncated_body())))
                .await;
            return accepted();
        };
        match frame.into_data() {
            Ok(piece) => {
                total += piece.len() as u64;
                if total > STREAMED_RESPONSE_BYTES_MAX {
                    let error_type = "Function.ResponseSizeTooLarge".to_owned();
                    let _ = sender
                        .send(Err((
                            error_type,
                            too_large_body(STREAMED_RESPONSE_BYTES_MAX),
                        )))
                        .await;
                    return too_large_reply(STREAMED_RESPONSE_BYTES_MAX);
                }
                // When the caller has gone the rest is read and dropped: the invoke continues.
                let _ = sender.send(Ok(piece)).await;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers()
                    && let Some(error) = trailer_error(&trailers)
                {
                    let _ = sender.send(Err(error)).await;
                }
            }
        }
    }
    accepted()
}

/// A failure in mid-stream: its type, and its object in base64.
fn trailer_error(trailers: &HeaderMap) -> Option<(String, Bytes)> {
    let error_type = function_error_type(Some(header(trailers, ERROR_TYPE)?));
    let body = header(trailers, ERROR_BODY).and_then(|text| STANDARD.decode(text).ok());
    let body = body.map_or_else(|| error_body(&error_type, "unknown"), Bytes::from);
    Some((error_type, body))
}

/// The error of a result over `limit` bytes.
pub(super) fn too_large_body(limit: u64) -> Bytes {
    let message =
        format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
    error_body("Function.ResponseSizeTooLarge", &message)
}

pub(super) fn too_large_reply(limit: u64) -> Reply {
    let message = format!("Exceeded maximum allowed payload size ({limit} bytes).");
    error(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &message,
    )
}

pub(super) fn truncated_body() -> Bytes {
    error_body(
        TRUNCATED,
        "the runtime's response ended before it was complete",
    )
}
