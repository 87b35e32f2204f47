//! What is sent back, as hyper reads it: bytes that are there, or a stream of the frontend's.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use frontend::{Body, Broken, Stream};
use hyper::body::{Frame, SizeHint};
use traces::Span;

use super::conversation::Answering;

/// The body of every answer.
pub(super) struct Reply {
    content: Content,
    /// The connection is idle when this has gone.
    answering: Option<Answering>,
    /// It ends then, too.
    _span: Span,
}

enum Content {
    /// All of it, until it is taken.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Stream(Stream),
}

impl Reply {
    /// Keeps the connection busy until all of it is on its way.
    pub(super) fn keeping(mut self, answering: Answering) -> Self {
        self.answering = Some(answering);
        self
    }

    /// Has a span last until all of it is on its way.
    pub(super) fn traced(mut self, span: Span) -> Self {
        self._span = span;
        self
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Self::from(Body::Whole(bytes))
    }
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        let content = match body {
            Body::Whole(bytes) => Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Body::Stream(stream) => Content::Stream(stream),
        };
        Self {
            content,
            answering: None,
            _span: Span::default(),
        }
    }
}

impl hyper::body::Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(stream) => {
                let piece = std::task::ready!(stream.poll_piece(context));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Content::Stream(_) => SizeHint::default(),
        }
    }
}
