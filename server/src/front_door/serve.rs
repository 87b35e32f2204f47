//! Accepts connections, and speaks HTTP on them.
//!
//! The end is made by hand, too, not by `hyper_util::server::graceful`: a connection may be cut off at any moment to make
//! room for another, before and after all are told to finish.
//!
//! ```text
//!   leaving   each answer says that it is the connection's last, so that clients go elsewhere by themselves
//!   end       no new connections; those that were made and not used yet may still send their first request
//! ```
//!
//! A connection that is closed while a request is on its way makes its client guess whether it was carried out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use accepting::Accepting;
use futures_util::FutureExt as _;
use http::Request;
use http::header::{CONNECTION, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::FrontDoor;
use super::conversation::Conversation;
use super::line::Line;

/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head. AWS takes 1 MB, of which nobody makes use: the longest header of its
/// APIs, a client context, has less than 4 KB, and the longest path less than 32 KB.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes read at a time.
const BUFFER_BYTES: usize = 128 * 1024;
/// How long no connection is accepted when all places are taken and all are busy.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// A client that connects sends its first request within this time, even if the door is being closed.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(1);
/// Connections that the kernel has made and nobody has accepted yet.
const BACKLOG: usize = 1_024;

/// When the front door closes.
#[derive(Clone)]
pub(crate) struct Ending {
    /// From here on connections end with the answer under way.
    pub(crate) leaving: CancellationToken,
    /// From here on nothing new is accepted; it is then leaving, too.
    pub(crate) end: CancellationToken,
}

impl Ending {
    /// At `end`, or from some time before it on.
    pub(crate) fn at(end: &CancellationToken) -> Self {
        Self {
            leaving: end.child_token(),
            end: end.clone(),
        }
    }
}

impl FrontDoor {
    /// Accepts until the end; then finishes the requests under way and returns.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, ending: Ending) {
        let connections = TaskTracker::new();
        let mut accepting = Accepting::tcp(listener, "a connection");
        loop {
            let room = self.places.have_room();
            tokio::select! {
                biased;
                () = ending.end.cancelled() => break,
                Some((stream, peer)) = accepting.next(), if room => {
                    let door = Arc::clone(&self);
                    connections.spawn(door.converse(stream, peer.ip(), ending.clone()));
                }
                () = tokio::time::sleep(FULL_PAUSE), if !room => {}
            }
        }
        // Their clients believe to be connected.
        for _ in 0..BACKLOG {
            let Some(Some((stream, peer))) = accepting.next().now_or_never() else {
                break;
            };
            let door = Arc::clone(&self);
            connections.spawn(door.converse(stream, peer.ip(), ending.clone()));
        }
        drop(accepting);
        connections.close();
        connections.wait().await;
    }

    async fn converse(self: Arc<Self>, stream: TcpStream, peer: IpAddr, ending: Ending) {
        let conversation = Conversation::new(peer);
        let Ok(_place) = self.places.take(&conversation) else {
            return;
        };
        // Answers are small and must not wait for more; a socket that refuses is about to fail.
        let _ = stream.set_nodelay(true);
        self.speak(stream, peer, conversation, ending).await;
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        stream: S,
        peer: IpAddr,
        conversation: Arc<Conversation>,
        ending: Ending,
    ) {
        let intake = Arc::clone(&self.intake);
        let line = Line::new(stream, Arc::clone(&conversation), intake);
        let with = Arc::clone(&conversation);
        let leaving = ending.leaving;
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            // For policies and logs that ask where a request came from.
            request.extensions_mut().insert(peer);
            let door = Arc::clone(&self);
            let with = Arc::clone(&with);
            let leaving = leaving.clone();
            async move {
                let answering = with.answering();
                let response = door.answer(request, peer, &with).await;
                let mut response = response.map(|reply| reply.keeping(answering));
                if leaving.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let connection = http().serve_connection(TokioIo::new(line), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            // A client that goes away or speaks no HTTP is its own affair.
            _ = connection.as_mut() => return,
            () = conversation.is_cut() => return,
            () = ending.end.cancelled() => {}
        }
        if conversation.requests() == 0 {
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                () = conversation.is_cut() => return,
                () = tokio::time::sleep(FIRST_REQUEST_WITHIN) => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            biased;
            _ = connection => {}
            () = conversation.is_cut() => {}
        }
    }
}

/// How HTTP is spoken: 100 headers at most, which is hyper's own bound, and one request after the
/// other.
pub(super) fn http() -> Builder {
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES);
    http
}
