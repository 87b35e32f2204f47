//! Streams: the pieces arrive in order, each delayed by its time in transit, until the stream is cut
//! off.

use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::Faults;

/// Passes on what `source` yields. At most `room` pieces are in transit: with more, the source waits
/// for the reader. When the reader goes, the source is dropped.
pub(crate) fn relay<T, S>(
    what: &'static str,
    faults: Arc<Faults>,
    room: usize,
    source: S,
) -> impl Stream<Item = T> + Send + 'static
where
    T: Send + 'static,
    S: Stream<Item = T> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(room);
    // It ends with its source or its reader.
    tokio::spawn(carry(what, faults, source, sender));
    unfold(receiver, async |mut receiver| {
        let (at, piece): (Instant, T) = receiver.recv().await?;
        sleep_until(at).await;
        Some((piece, receiver))
    })
}

async fn carry<T>(
    what: &'static str,
    faults: Arc<Faults>,
    source: impl Stream<Item = T>,
    sender: mpsc::Sender<(Instant, T)>,
) {
    let mut source = std::pin::pin!(source);
    let mut last = Instant::now();
    loop {
        let next = std::future::poll_fn(|context| source.as_mut().poll_next(context));
        let piece = tokio::select! {
            biased;
            () = sender.closed() => return,
            piece = next => piece,
        };
        let Some(piece) = piece else { return };
        // A piece that was sent later does not arrive earlier.
        last = last.max(Instant::now() + faults.delay());
        if faults.breaks(what) || sender.send((last, piece)).await.is_err() {
            return;
        }
    }
}
