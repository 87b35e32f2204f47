//! What is sent back, as hyper reads it: bytes that are there, or a stream of the frontend's.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use frontend::{Body, Broken, Stream};
use hyper::body::{Frame, SizeHint};

/// The body of every answer.
pub(super) enum Reply {
    /// All of it, until it is taken.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Stream(Stream),
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        match body {
            Body::Whole(bytes) => Self::from(bytes),
            Body::Stream(stream) => Self::Stream(stream),
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
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => {
                let piece = std::task::ready!(stream.poll_piece(context));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
