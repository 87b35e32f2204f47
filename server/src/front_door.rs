//! The one address at which the AWS APIs are served: takes each request to the role that answers it.
//!
//! ```text
//!   Invoke, InvokeWithResponseStream, function URLs ─▶ frontend
//!   Invoke of an event, InvokeAsync, what people ask of events ─▶ event frontend, on its own threads
//!   everything else ─▶ control
//! ```
//!
//! The front door reads bodies and counts connections; it decides nothing about a request beside
//! where it goes. One thing it does before a large body is read: it asks whether anybody has the
//! access key the head names, so that strangers cannot fill the server's memory.

mod head;
mod reply;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use admission::InvocationType;
use anyhow::Context as _;
use api::identity::{Error, Identities};
use bytes::{Bytes, BytesMut};
use control::Control;
use event_invoke::EventFrontend;
use frontend::Frontend;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;
use types::limits::{ASYNC_REQUEST_BYTES_MAX, SYNC_REQUEST_BYTES_MAX};
use types::{Random, RequestId};
use wire::function_url::Target;
use wire::rest::{Match, Operation};
use wire::sigv4::Signed;

use reply::Reply;

/// Connections at a time; beyond it they wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 10_000;
/// A request's head must come within so long.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head (AWS: 1 MB for line and headers together).
const HEAD_BYTES_MAX: usize = 1024 * 1024;
/// Of a body that is too large so much is read and thrown away, so that the client gets to read
/// the refusal instead of a broken connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body of so many bytes is read whoever sends it; of a larger one the head must name a known
/// access key.
const STRANGERS_BYTES_MAX: u64 = 64 * 1024;
/// Bodies larger than any invoke's that are read at a time: packages. More wait.
const LARGE_BODIES_MAX: usize = 8;
/// Bodies larger than [`STRANGERS_BYTES_MAX`] that are read at a time for function URLs, which
/// anybody may send: 6 MB each. More wait.
const STRANGERS_BODIES_MAX: usize = 32;
/// So long nothing of a body may come. Who is slower takes a place from others.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Where requests are taken.
pub(crate) struct FrontDoor {
    control: Arc<Control>,
    frontend: Arc<Frontend>,
    events: Events,
    identities: Arc<dyn Identities>,
    random: Arc<dyn Random>,
    large_bodies: Semaphore,
    strangers_bodies: Semaphore,
}

/// The event frontend, and the threads it works on.
pub(crate) struct Events {
    pub(crate) frontend: Arc<EventFrontend>,
    pub(crate) threads: Handle,
}

/// Where a request goes.
enum Destination {
    /// A synchronous invoke by the API.
    Invoke(Match),
    /// An asynchronous one.
    Event(Match),
    /// What people ask of events and their queues.
    Events,
    /// A function URL; whether there is one of that id.
    Url(bool),
    /// Every other operation.
    Control,
}

/// Binds an address, before any other work is done.
pub(crate) async fn bind(address: &str) -> anyhow::Result<Bound> {
    let bind = async || {
        let mut refused = None;
        for address in tokio::net::lookup_host(address).await? {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // A former run's connections may still be lingering.
            socket.set_reuseaddr(true)?;
            match socket.bind(address) {
                Ok(()) => {
                    let address = socket.local_addr()?;
                    return Ok(Bound { socket, address });
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into()))
    };
    bind()
        .await
        .with_context(|| format!("{address} cannot be listened on"))
}

/// An address that is taken, and at which nobody is let in yet.
pub(crate) struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
}

/// Connections that wait to be taken.
const BACKLOG: u32 = 1_024;

impl Bound {
    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections in.
    pub(crate) fn listen(self) -> anyhow::Result<(TcpListener, SocketAddr)> {
        let Self { socket, address } = self;
        let listener = socket.listen(BACKLOG);
        let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
        Ok((listener, address))
    }
}

impl FrontDoor {
    pub(crate) fn new(
        control: Arc<Control>,
        frontend: Arc<Frontend>,
        events: Events,
        identities: Arc<dyn Identities>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            control,
            frontend,
            events,
            identities,
            random,
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            strangers_bodies: Semaphore::new(STRANGERS_BODIES_MAX),
        }
    }

    /// Accepts until `stop`; then finishes the requests under way and returns.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, stop: watch::Receiver<bool>) {
        let connections = TaskTracker::new();
        let mut stopped = stop.clone();
        loop {
            tokio::select! {
                biased;
                () = told(&mut stopped) => break,
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, peer)) => {
                        let door = Arc::clone(&self);
                        connections.spawn(door.converse(stream, peer.ip(), stop.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                () = tokio::time::sleep(Duration::from_millis(10)),
                    if connections.len() >= CONNECTIONS_MAX => {}
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn converse(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        // Answers are small and must not wait for more; a socket that refuses is about to fail.
        let _ = stream.set_nodelay(true);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            // For policies and logs that ask where a request came from.
            request.extensions_mut().insert(peer);
            let door = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(door.answer(request, peer).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            // A client that goes away or speaks no HTTP is its own affair.
            _ = connection.as_mut() => return,
            () = told(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        if let Err(refusal) = head::check(&parts) {
            let id = RequestId::random(self.random.as_ref());
            return head::last(refusal.response(id)).map(Reply::from);
        }
        let destination = self.destination(&parts);
        let limit = match destination {
            // One byte more than may be, so that the frontend sees that it is too many.
            Destination::Invoke(_) | Destination::Url(_) => SYNC_REQUEST_BYTES_MAX + 1,
            Destination::Event(_) => ASYNC_REQUEST_BYTES_MAX + 1,
            // It has none.
            Destination::Events => 0,
            Destination::Control => control::REQUEST_BYTES_MAX + 1,
        };
        // A body without a length says that it is endless.
        let length = body.size_hint().exact().unwrap_or(u64::MAX);
        if length > STRANGERS_BYTES_MAX && !self.may_be_large(&parts, &destination).await {
            // Refused where signatures are: that no such key exists, or none is named.
            let request = Request::from_parts(parts, Bytes::new());
            return self.take(request, destination, 0, peer).await;
        }
        let turns = match destination {
            Destination::Url(_) if length > STRANGERS_BYTES_MAX => Some(&self.strangers_bodies),
            _ if length > SYNC_REQUEST_BYTES_MAX as u64 => Some(&self.large_bodies),
            _ => None,
        };
        let _turn = match turns {
            // Never closed, so that there is always a turn.
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        };
        let Some((body, size)) = read(body, limit).await else {
            let message = "The request body ended before it was complete.";
            let id = RequestId::random(self.random.as_ref());
            return wire::ApiError::serialization(message)
                .response(id)
                .map(Reply::from);
        };
        let request = Request::from_parts(parts, body);
        self.take(request, destination, size, peer).await
    }

    fn destination(&self, parts: &Parts) -> Destination {
        if let Some(target) = Target::of(parts) {
            return Destination::Url(self.frontend.has_url(&target));
        }
        if event_invoke::is_console(parts.uri.path()) {
            return Destination::Events;
        }
        let matched = wire::rest::route(&parts.method, parts.uri.path(), parts.uri.query());
        match matched {
            Some(matched) if is_invoke(matched.operation) => {
                match InvocationType::of(matched.operation, &parts.headers) {
                    InvocationType::Event => Destination::Event(matched),
                    _ => Destination::Invoke(matched),
                }
            }
            _ => Destination::Control,
        }
    }

    /// Whether a body is read that is larger than strangers may send.
    async fn may_be_large(&self, parts: &Parts, destination: &Destination) -> bool {
        match destination {
            Destination::Url(exists) => *exists,
            Destination::Invoke(_)
            | Destination::Event(_)
            | Destination::Events
            | Destination::Control => self.is_known(parts).await,
        }
    }

    /// Whether anybody has the access key that the head names. Its signature is verified later.
    async fn is_known(&self, parts: &Parts) -> bool {
        let Ok(signed) = Signed::parse(parts) else {
            return false;
        };
        let token = signed.session_token.as_deref();
        let key = self.identities.access_key(&signed.access_key_id, token);
        // If it can't be told now, it will be told when the signature is verified.
        !matches!(key.await, Err(Error::Unknown | Error::Expired))
    }

    async fn take(
        &self,
        request: Request<Bytes>,
        destination: Destination,
        size: usize,
        peer: IpAddr,
    ) -> Response<Reply> {
        match destination {
            Destination::Invoke(matched) => {
                let response = self.frontend.invoke(request, size, &matched).await;
                response.map(Reply::from)
            }
            Destination::Event(matched) => {
                let frontend = Arc::clone(&self.events.frontend);
                self.event(async move { frontend.invoke(request, size, &matched).await })
                    .await
            }
            Destination::Events => {
                let frontend = Arc::clone(&self.events.frontend);
                self.event(async move { frontend.console(request, size).await })
                    .await
            }
            Destination::Url(_) => {
                let response = self.frontend.url(request, size, peer).await;
                response.map(Reply::from)
            }
            Destination::Control => self.control.handle(request).await.map(Reply::from),
        }
    }
}

impl FrontDoor {
    /// Has the event frontend answer, on its own threads.
    async fn event(
        &self,
        answer: impl Future<Output = Response<Bytes>> + Send + 'static,
    ) -> Response<Reply> {
        let answered = self.events.threads.spawn(answer).await;
        let response = answered.unwrap_or_else(|_| {
            let id = RequestId::random(self.random.as_ref());
            wire::ApiError::service("The event was lost.").response(id)
        });
        response.map(Reply::from)
    }
}

fn is_invoke(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Invoke | Operation::InvokeAsync | Operation::InvokeWithResponseStream
    )
}

/// Returns when it is time to stop, or nobody is left to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Reads a body; of what is beyond `limit` only the size is kept. `None` if it breaks off or stops.
async fn read(mut body: Incoming, limit: usize) -> Option<(Bytes, usize)> {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut size = 0;
    // Most bodies come in one piece, which is then not copied.
    while let Some(frame) = tokio::time::timeout(BODY_PAUSE_MAX, body.frame())
        .await
        .ok()?
    {
        let Ok(piece) = frame.ok()?.into_data() else {
            continue;
        };
        size += piece.len();
        if size > DISCARD_BYTES_MAX.max(limit) {
            break;
        }
        if size > limit {
            continue;
        }
        match first.take() {
            None if all.is_empty() => first = Some(piece),
            None => all.extend_from_slice(&piece),
            Some(before) => {
                let hint = usize::try_from(body.size_hint().lower())
                    .unwrap_or(0)
                    .min(limit);
                all.reserve(before.len() + piece.len() + hint);
                all.extend_from_slice(&before);
                all.extend_from_slice(&piece);
            }
        }
    }
    Some((first.unwrap_or_else(|| all.freeze()), size))
}
