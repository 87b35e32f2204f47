//! Reads bodies: at a minimum rate and within the budget; of a body that is too large only the size.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::intake::{Full, Holding};
use super::patience::Patience;

/// Bytes of a body that every connection has; more are taken from the budget.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// Memory that is made ready for a body which has only begun.
const HINT_BYTES_MAX: usize = 1024 * 1024;
/// What is taken from the budget at a time.
const STEP_BYTES: usize = 64 * 1024;
/// Of a body that is too large so much is read and thrown away, so that the client gets to read
/// the refusal instead of a broken connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How much of a body that its head has refused is read and dropped, and for how long.
const REFUSED_BYTES_MAX: usize = 256 * 1024 * 1024;
const REFUSED_TIME_MAX: Duration = Duration::from_secs(20);
/// Longest gap between two reads of a body: a slower client keeps a place from others.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a whole body.
const GRACE: Duration = Duration::from_secs(30);
/// What must come of it, on average, after that.
const LEAST_BYTES_PER_SECOND: u64 = 1024;

/// A body that has come.
pub(super) struct Read {
    /// All of it, or as much as it may have.
    pub(super) bytes: Bytes,
    /// How many bytes it had; more than it may have if it is too large.
    pub(super) size: usize,
    /// What it holds of the budget, until it is answered.
    pub(super) held: Option<Holding>,
}

/// Why a body has not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unread {
    /// It broke off.
    Broken,
    /// It came too slowly.
    Slow,
    /// There is no room for it.
    Full,
}

impl From<Full> for Unread {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Reads a body of at most `limit` bytes, of which there will be `copies`. `hold` opens a
/// holding when one is needed.
pub(super) async fn read(
    mut body: Incoming,
    limit: usize,
    copies: usize,
    hold: impl FnOnce() -> Holding,
) -> Result<Read, Unread> {
    let mut hold = Some(hold);
    let mut held: Option<Holding> = None;
    let mut reserved = FREE_BYTES;
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut size = 0;
    let mut patience = Patience::new(GRACE, LEAST_BYTES_PER_SECOND);
    // Most bodies come in one piece, which is then not copied.
    while let Some(piece) = next(&mut body, &mut patience).await? {
        size += piece.len();
        if size > DISCARD_BYTES_MAX.max(limit) {
            break;
        }
        if size > limit {
            continue;
        }
        if size > reserved {
            if let Some(hold) = hold.take() {
                held = Some(hold());
            }
            let more = (size - reserved).next_multiple_of(STEP_BYTES);
            if let Some(held) = &held {
                held.grow(more * copies).await?;
            }
            reserved += more;
        }
        match first.take() {
            None if all.is_empty() => first = Some(piece),
            None => all.extend_from_slice(&piece),
            Some(before) => {
                // The length that a short body declares is trusted.
                let hint = usize::try_from(body.size_hint().lower()).unwrap_or(0);
                all.reserve(before.len() + piece.len() + hint.min(HINT_BYTES_MAX));
                all.extend_from_slice(&before);
                all.extend_from_slice(&piece);
            }
        }
    }
    if let Some(held) = &held {
        held.whole().await?;
    }
    let bytes = first.unwrap_or_else(|| all.freeze());
    Ok(Read { bytes, size, held })
}

/// Throws away what comes of a body that has been refused, up to a bound. Most clients send all of it
/// before they look for an answer: a connection that is closed meanwhile takes the answer with it.
pub(super) async fn discard(mut body: Incoming) {
    let discarding = async {
        let mut size = 0;
        while let Some(Ok(frame)) = body.frame().await {
            size += frame.data_ref().map_or(0, Bytes::len);
            if size > REFUSED_BYTES_MAX {
                break;
            }
        }
    };
    // A client that is not done by then is cut off.
    let _ = tokio::time::timeout(REFUSED_TIME_MAX, discarding).await;
}

/// The next piece; `None` at the end.
async fn next(body: &mut Incoming, patience: &mut Patience) -> Result<Option<Bytes>, Unread> {
    loop {
        let began = Instant::now();
        let most = patience.left().min(PAUSE_MAX);
        let frame = tokio::time::timeout(most, body.frame()).await;
        patience.waited(began.elapsed());
        match frame.map_err(|_| Unread::Slow)? {
            None => return Ok(None),
            Some(Err(_)) => return Err(Unread::Broken),
            Some(Ok(frame)) => {
                // Trailers mean nothing here, and no more of them come than of a head.
                let Ok(piece) = frame.into_data() else {
                    continue;
                };
                patience.moved(piece.len());
                return Ok(Some(piece));
            }
        }
    }
}

/// How many bytes a body says it has; one without a length says that it is endless.
pub(super) fn length(body: &Incoming) -> u64 {
    body.size_hint().exact().unwrap_or(u64::MAX)
}
