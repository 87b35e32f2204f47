//! A streamed result on its way from the runtime to the caller, and how it ends when the invoke fails.
//!
//! What the runtime has sent is passed on, whatever becomes of it afterwards: a stream that is whole stays
//! whole. One that is cut off ends with the failure that cut it off, which is known a moment later.

use api::worker::{Stream, StreamError, StreamEvent};
use bytes::Bytes;
use environment::TRUNCATED;
use futures_util::stream::unfold;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

/// What comes from the runtime: pieces, and at most one error `(type, error object)`.
type Pieces = mpsc::Receiver<Result<Bytes, (String, Bytes)>>;

/// The stream as its reader gets it: `log_tail` is waited for when the pieces are over, and comes with the end.
pub(super) fn with_end(
    pieces: mpsc::Receiver<Result<Bytes, StreamError>>,
    log_tail: oneshot::Receiver<Bytes>,
) -> Stream {
    Stream::new(unfold(Some((pieces, log_tail)), async |going_on| {
        let (mut pieces, log_tail) = going_on?;
        let error = match pieces.recv().await {
            Some(Ok(piece)) => return Some((StreamEvent::Piece(piece), Some((pieces, log_tail)))),
            Some(Err(error)) => Some(error),
            None => None,
        };
        // There is none if none was asked for, or the environment was lost.
        let log_tail = log_tail.await.ok();
        Some((StreamEvent::End { error, log_tail }, None))
    }))
}

/// Passes a stream on until it ends or its reader has gone. `failed` has the invoke's failure, if there is
/// one, and closes when the invoke is over.
pub(super) async fn pass_on(
    mut pieces: Pieces,
    mut failed: oneshot::Receiver<StreamError>,
    reader: mpsc::Sender<Result<Bytes, StreamError>>,
) {
    let mut may_fail = true;
    loop {
        let piece = tokio::select! {
            biased;
            failure = &mut failed, if may_fail => match failure {
                Ok(failure) => return end(pieces, failure, &reader).await,
                // The invoke is over, and went well.
                Err(_) => {
                    may_fail = false;
                    continue;
                }
            },
            piece = pieces.recv() => piece,
        };
        match piece {
            None => return,
            Some(Ok(piece)) => {
                if reader.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
            Some(Err((error_type, body))) => {
                let why = match error_type.as_str() {
                    TRUNCATED if may_fail => failed.await.ok(),
                    _ => None,
                };
                let error = why.unwrap_or(StreamError { error_type, body });
                // The reader has gone.
                let _ = reader.send(Err(error)).await;
                return;
            }
        }
    }
}

/// Passes on what has come already, and the failure if it is not the whole.
async fn end(
    mut pieces: Pieces,
    failure: StreamError,
    reader: &mpsc::Sender<Result<Bytes, StreamError>>,
) {
    loop {
        let (piece, last) = match pieces.try_recv() {
            Ok(Ok(piece)) => (Ok(piece), false),
            Ok(Err((error_type, body))) if error_type != TRUNCATED => {
                (Err(StreamError { error_type, body }), true)
            }
            Ok(Err(_)) | Err(TryRecvError::Empty) => (Err(failure.clone()), true),
            Err(TryRecvError::Disconnected) => return,
        };
        if reader.send(piece).await.is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(error_type: &str) -> StreamError {
        StreamError {
            error_type: error_type.to_owned(),
            body: Bytes::from_static(b"{}"),
        }
    }

    /// What a reader gets of these pieces when the invoke has failed before any is read; `ends` says whether the
    /// runtime has ended its stream.
    async fn read(
        pieces: Vec<Result<&'static str, &str>>,
        ends: bool,
        failure: Option<StreamError>,
    ) -> Vec<Result<Bytes, String>> {
        let (sender, from) = mpsc::channel(16);
        for piece in pieces {
            let piece = piece.map(|text| Bytes::from_static(text.as_bytes()));
            let piece = piece.map_err(|error_type| (error_type.to_owned(), Bytes::new()));
            sender.send(piece).await.unwrap();
        }
        let kept = (!ends).then_some(sender);
        let (fail, failed) = oneshot::channel();
        if let Some(failure) = failure {
            fail.send(failure).unwrap();
        } else {
            drop(fail);
        }
        let (to, mut reader) = mpsc::channel(1);
        let passing = tokio::spawn(pass_on(from, failed, to));
        let mut all = Vec::new();
        while let Some(piece) = reader.recv().await {
            all.push(piece.map_err(|error| error.error_type));
        }
        passing.await.unwrap();
        drop(kept);
        all
    }

    #[tokio::test]
    async fn a_stream_that_is_whole_stays_whole_whatever_becomes_of_its_runtime() {
        let exit = || Some(error("Runtime.ExitError"));
        let (one, two) = (Ok(Bytes::from("one")), Ok(Bytes::from("two")));
        let whole = read(vec![Ok("one"), Ok("two")], true, exit()).await;
        assert_eq!(whole, [one.clone(), two.clone()]);
        let cut = read(vec![Ok("one"), Ok("two")], false, exit()).await;
        let failed = Err("Runtime.ExitError".to_owned());
        assert_eq!(cut, [one.clone(), two, failed.clone()]);
        let cut = read(vec![Ok("one"), Err(TRUNCATED)], true, exit()).await;
        assert_eq!(cut, [one.clone(), failed]);
        let own = read(vec![Ok("one"), Err("Function.Own")], true, exit()).await;
        assert_eq!(own, [one.clone(), Err("Function.Own".to_owned())]);
        let alive = read(vec![Ok("one"), Err(TRUNCATED)], true, None).await;
        assert_eq!(alive, [one, Err(TRUNCATED.to_owned())]);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_is_told_why_a_moment_later() {
        let (sender, from) = mpsc::channel(16);
        let (fail, failed) = oneshot::channel();
        let (to, mut reader) = mpsc::channel(1);
        let passing = tokio::spawn(pass_on(from, failed, to));
        let cut = Err((TRUNCATED.to_owned(), Bytes::new()));
        sender.send(cut).await.unwrap();
        tokio::task::yield_now().await;
        assert!(reader.try_recv().is_err());
        fail.send(error("Runtime.ExitError")).unwrap();
        assert_eq!(reader.recv().await, Some(Err(error("Runtime.ExitError"))));
        passing.await.unwrap();
    }
}
