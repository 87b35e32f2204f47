//! Accepts connections: the one place that knows what to do when that fails.
//!
//! ```text
//!   listener ─▶ Accepting: pauses after an error, tells of it once a minute ─▶ connection
//!                                                       serve: a task for each, up to a maximum
//! ```
//!
//! An error concerns one connection (its peer has gone already) or the moment (no descriptor is left). Either way the
//! next is tried a little later; until then those who want to connect wait in the kernel's queue, and the connections
//! that there are go on.
//!
//! [`serve`] is for a listener that counts connections and ends with its future: the operator's address, and a worker's door to
//! Lambent's own API. Two have rules of their own and use [`Accepting`] alone: the front door, which closes an idle
//! connection to make room for another and finishes what is under way when it is told to stop, and the API of an
//! environment, whose connections beyond a few take turns with those of all others before they are accepted.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use types::Seldom;

/// After an accept that failed, the next is tried so much later.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is logged that connections are not accepted.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The connections of a listener that could be accepted, one after the other.
pub struct Accepting<L> {
    listener: Pin<Box<L>>,
    whose: &'static str,
    failures: Seldom,
    pause: Option<Pin<Box<Sleep>>>,
}

/// The connections to a port, as a stream.
pub struct Tcp(TcpListener);

impl Accepting<Tcp> {
    /// Of a port. `whose` says in the log what cannot be accepted: `a client's connection`.
    pub fn tcp(listener: TcpListener, whose: &'static str) -> Self {
        Self::new(Tcp(listener), whose)
    }
}

impl<L, C> Accepting<L>
where
    L: Stream<Item = io::Result<C>>,
{
    /// Of any listener. An error of it concerns one connection, and more may follow.
    pub fn new(listener: L, whose: &'static str) -> Self {
        Self {
            listener: Box::pin(listener),
            whose,
            failures: Seldom::every(TELL_EVERY),
            pause: None,
        }
    }

    /// The next connection; `None` at the end of those that come. If the future is dropped, nothing is lost.
    pub async fn next(&mut self) -> Option<C> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<C>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.as_mut().poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Ok(connection)) => return Poll::Ready(Some(connection)),
                Some(Err(error)) => {
                    if self.failures.is_due() {
                        tracing::warn!(%error, "{} cannot be accepted", self.whose);
                    }
                    self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                }
            }
        }
    }
}

impl Stream for Tcp {
    type Item = io::Result<(TcpStream, SocketAddr)>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_accept(context).map(Some)
    }
}

/// Serves connections until the future is dropped, which cuts them off. At most `max` are served at a time; more wait
/// until one has ended. After each, `turn` is waited for before the next is accepted; `converse` gets what it gives.
pub async fn serve<L, C, A, T>(
    mut accepting: Accepting<L>,
    max: usize,
    mut turn: impl FnMut() -> A,
    mut converse: impl FnMut(C, A::Output) -> T,
) where
    L: Stream<Item = io::Result<C>>,
    A: Future,
    T: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    // Whether more may come.
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = accepting.next(), if open && connections.len() < max => match accepted {
                Some(connection) => {
                    let turn = turn().await;
                    connections.spawn(converse(connection, turn));
                }
                None => open = false,
            },
            // All that came are over, and no other comes.
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
