//! The bodies of answers: whole, or as the function writes them.
//!
//! ```text
//!   run ─▶ Piece ─▶ Piece ─▶ … ─▶ End          events of the worker's stream, by a channel of a few places
//!                  framed as it is read:  bytes as they are │ messages of an event stream
//! ```
//!
//! A whole body, as nearly all are, costs no allocation in addition to its bytes.

use std::task::{Context, Poll};

use api::worker::StreamEvent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use wire::event_stream::Message;

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Streamed.
    Stream(Stream),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// The error of a body that did not reach its end: its connection must be closed early, so that it is
/// not mistaken for a complete one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the function's stream ended before it was complete")]
pub struct Broken;

/// How events are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// The bytes as they are; a failure cuts them off.
    Plain,
    /// Messages `PayloadChunk`, at the end `InvokeComplete`.
    EventStream,
}

/// A streamed body. Dropping it tells the invoke that nobody listens.
#[derive(Debug)]
pub struct Stream {
    /// What was read of the first piece and not used.
    first: Bytes,
    events: mpsc::Receiver<StreamEvent>,
    framing: Framing,
    ended: bool,
}

impl Stream {
    pub(crate) fn new(first: Bytes, events: mpsc::Receiver<StreamEvent>, framing: Framing) -> Self {
        Self {
            first,
            events,
            framing,
            ended: false,
        }
    }

    /// The next bytes; `None` at the end. Never empty.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        while !self.ended {
            let event = match std::mem::take(&mut self.first) {
                first if first.is_empty() => std::task::ready!(self.events.poll_recv(context)),
                first => Some(StreamEvent::Piece(first)),
            };
            match (self.framing, event) {
                (_, Some(StreamEvent::Piece(piece))) if piece.is_empty() => continue,
                (Framing::Plain, Some(StreamEvent::Piece(piece))) => {
                    return Poll::Ready(Some(Ok(piece)));
                }
                (Framing::EventStream, Some(StreamEvent::Piece(piece))) => {
                    return Poll::Ready(Some(Ok(payload_chunk(piece))));
                }
                (Framing::EventStream, Some(StreamEvent::End { error, log_tail })) => {
                    self.ended = true;
                    let error = error.map(|error| error.body);
                    return Poll::Ready(Some(Ok(invoke_complete(error.as_ref(), log_tail))));
                }
                (Framing::Plain, Some(StreamEvent::End { error: None, .. })) => self.ended = true,
                (Framing::Plain, Some(StreamEvent::End { .. })) | (_, None) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
        }
        Poll::Ready(None)
    }
}

/// Bytes of a result.
pub(crate) fn payload_chunk(piece: Bytes) -> Bytes {
    Message::event("PayloadChunk", "application/octet-stream", piece).encode()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InvokeComplete<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_result: Option<String>,
}

/// The end of a result; `error` is the error object of a function that failed.
pub(crate) fn invoke_complete(error: Option<&Bytes>, log_tail: Option<Bytes>) -> Bytes {
    let details = error.map(|body| String::from_utf8_lossy(body));
    let complete = InvokeComplete {
        // Every failure is reported so today, as with `X-Amz-Function-Error`.
        error_code: error.map(|_| "Unhandled"),
        error_details: details.as_deref(),
        log_result: log_tail.map(|tail| STANDARD.encode(tail)),
    };
    let payload = serde_json::to_vec(&complete).expect("a struct of texts has a JSON form");
    Message::event("InvokeComplete", "application/json", payload.into()).encode()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use api::worker::StreamError;
    use wire::event_stream::Decoder;

    use super::*;

    async fn read(framing: Framing, events: Vec<StreamEvent>) -> Vec<Result<Bytes, Broken>> {
        let (sender, receiver) = mpsc::channel(8);
        for event in events {
            sender.send(event).await.unwrap();
        }
        drop(sender);
        let mut stream = Stream::new("first".into(), receiver, framing);
        let mut read = Vec::new();
        while let Some(piece) = poll_fn(|context| stream.poll_piece(context)).await {
            read.push(piece);
        }
        read
    }

    fn piece(text: &'static str) -> StreamEvent {
        StreamEvent::Piece(Bytes::from_static(text.as_bytes()))
    }

    fn failed() -> StreamEvent {
        let error = Some(StreamError {
            error_type: "T".to_owned(),
            body: Bytes::from_static(b"{\"errorType\":\"T\"}"),
        });
        let log_tail = Some(Bytes::from_static(b"log"));
        StreamEvent::End { error, log_tail }
    }

    #[tokio::test]
    async fn a_plain_body_is_the_pieces_and_breaks_off_with_a_failure() {
        let end = StreamEvent::End {
            error: None,
            log_tail: None,
        };
        let whole = read(Framing::Plain, vec![piece(""), piece("a"), end]).await;
        assert_eq!(whole, [Ok("first".into()), Ok("a".into())]);
        let broken = read(Framing::Plain, vec![failed()]).await;
        assert_eq!(broken, [Ok("first".into()), Err(Broken)]);
        let cut = read(Framing::Plain, vec![]).await;
        assert_eq!(cut, [Ok("first".into()), Err(Broken)]);
    }

    #[tokio::test]
    async fn an_event_stream_tells_of_a_failure_in_its_last_message() {
        let pieces = read(Framing::EventStream, vec![piece("a"), failed()]).await;
        let mut decoder = Decoder::default();
        for piece in pieces {
            decoder.feed(&piece.unwrap());
        }
        for expected in ["first", "a"] {
            let chunk = decoder.next_message().unwrap().unwrap();
            assert_eq!(chunk.header(":event-type"), Some("PayloadChunk"));
            assert_eq!(chunk.payload, expected);
        }
        let complete = decoder.next_message().unwrap().unwrap();
        assert_eq!(complete.header(":event-type"), Some("InvokeComplete"));
        assert_eq!(
            complete.payload,
            r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"T\"}","LogResult":"bG9n"}"#
        );
    }

    #[tokio::test]
    async fn an_event_stream_without_its_end_is_broken() {
        let pieces = read(Framing::EventStream, vec![]).await;
        assert_eq!(pieces.last(), Some(&Err(Broken)));
    }
}
