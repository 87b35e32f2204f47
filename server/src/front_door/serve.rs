//! Accepts connections, and speaks HTTP on them.
//!
//! ```text
//!   connection ─▶ header of the PROXY protocol, from balancers ─▶ place ─▶ TLS, if there is a certificate ─▶ HTTP
//! ```
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
use http::header::{CONNECTION, HeaderValue};
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::{Origin, Transport};

use super::FrontDoor;
use super::conversation::Conversation;
use super::line::Line;
use super::proxy_header::{self, NoHeader};

/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a header of the PROXY protocol may take, and a handshake of TLS.
const BEGUN_WITHIN: Duration = Duration::from_secs(10);
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

/// Who connects to an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Clients, and balancers on their behalf: over TLS, if there is a certificate.
    Clients,
    /// Functions of this machine, through the worker: over plain HTTP, and whatever their address is, they are nobody's
    /// balancer.
    Functions,
}

/// A connection as it is spoken on.
struct Spoken {
    conversation: Arc<Conversation>,
    client: IpAddr,
    side: Side,
    transport: Transport,
}

impl FrontDoor {
    /// Accepts until the end; then finishes the requests under way and returns.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, side: Side, ending: Ending) {
        let connections = TaskTracker::new();
        let mut accepting = Accepting::tcp(listener, "a connection");
        loop {
            let room = self.places.have_room();
            tokio::select! {
                biased;
                () = ending.end.cancelled() => break,
                Some((stream, peer)) = accepting.next(), if room => {
                    let door = Arc::clone(&self);
                    let peer = peer.ip().to_canonical();
                    connections.spawn(door.converse(stream, peer, side, ending.clone()));
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
            let peer = peer.ip().to_canonical();
            connections.spawn(door.converse(stream, peer, side, ending.clone()));
        }
        drop(accepting);
        connections.close();
        connections.wait().await;
    }

    async fn converse(
        self: Arc<Self>,
        mut stream: TcpStream,
        peer: IpAddr,
        side: Side,
        ending: Ending,
    ) {
        // Answers are small and must not wait for more; a socket that refuses is about to fail.
        let _ = stream.set_nodelay(true);
        let mut client = peer;
        if side == Side::Clients && self.ways.balancers.announce(peer) {
            let Some(named) = self.announced(&mut stream, peer, &ending.end).await else {
                return;
            };
            client = named.unwrap_or(peer).to_canonical();
        }
        let is_balancer = side == Side::Clients && self.ways.balancers.have(client);
        let conversation = match is_balancer {
            true => Conversation::for_many(client),
            false => Conversation::new(client),
        };
        let Ok(_place) = self.places.take(&conversation) else {
            return;
        };
        let spoken = |transport| Spoken {
            conversation: Arc::clone(&conversation),
            client,
            side,
            transport,
        };
        match (side, &self.ways.certificates) {
            (Side::Functions, _) => self.speak(stream, spoken(Transport::Plain), ending).await,
            (Side::Clients, None) => self.speak(stream, spoken(Transport::Unknown), ending).await,
            (Side::Clients, Some(certificates)) => {
                let shaken = certificates.acceptor().accept(stream);
                // A client that speaks no TLS is its own affair.
                if let Some(Ok(stream)) = begun(shaken, &conversation, &ending.end).await {
                    self.speak(stream, spoken(Transport::Tls), ending).await;
                }
            }
        }
    }

    /// Whom a balancer speaks for, as it says before anything else; `Some(None)` if for itself. `None` if the connection
    /// is to be closed.
    async fn announced(
        &self,
        stream: &mut TcpStream,
        balancer: IpAddr,
        stop: &CancellationToken,
    ) -> Option<Option<IpAddr>> {
        let conversation = Conversation::for_many(balancer);
        let _place = self.places.take(&conversation).ok()?;
        match begun(proxy_header::read(stream), &conversation, stop).await? {
            Ok(client) => Some(client),
            // By a connection that says nothing, balancers check whether we live.
            Err(NoHeader::Ended(_)) => None,
            Err(error) => {
                tracing::warn!(%balancer, %error, "a balancer's connection is closed");
                None
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        stream: S,
        spoken: Spoken,
        ending: Ending,
    ) {
        let conversation = Arc::clone(&spoken.conversation);
        let intake = Arc::clone(&self.intake);
        let line = Line::new(stream, Arc::clone(&conversation), intake);
        let spoken = Arc::new(spoken);
        let leaving = ending.leaving;
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let origin = self.origin(&spoken, request.headers());
            // For policies that ask where a request came from.
            request.extensions_mut().insert(origin);
            let door = Arc::clone(&self);
            let with = Arc::clone(&spoken.conversation);
            let leaving = leaving.clone();
            async move {
                let answering = with.answering();
                let response = door.answer(request, origin, &with).await;
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

    fn origin(&self, spoken: &Spoken, headers: &HeaderMap) -> Origin {
        let (address, transport) = (spoken.client, spoken.transport);
        match spoken.side {
            Side::Clients => self.ways.balancers.origin(address, transport, headers),
            Side::Functions => Origin { address, transport },
        }
    }
}

/// What a connection begins with; `None` if it takes too long, or the connection is to be closed.
async fn begun<T>(
    beginning: impl Future<Output = T>,
    conversation: &Conversation,
    stop: &CancellationToken,
) -> Option<T> {
    tokio::select! {
        biased;
        begun = tokio::time::timeout(BEGUN_WITHIN, beginning) => begun.ok(),
        () = conversation.is_cut() => None,
        () = stop.cancelled() => None,
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
