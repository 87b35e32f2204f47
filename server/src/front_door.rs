//! The one address at which the AWS APIs are served: takes each request to the role that answers it.
//!
//! ```text
//!   Invoke, InvokeWithResponseStream ─▶ frontend          everything else ─▶ control
//! ```
//!
//! The front door reads bodies and counts connections; it decides nothing about a request beside
//! where it goes. One thing it does before a large body is read: it asks whether anybody has the
//! access key the head names, so that strangers cannot fill the server's memory.

mod reply;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::identity::{Error, Identities};
use bytes::{Bytes, BytesMut};
use control::Control;
use frontend::Frontend;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;
use types::limits::SYNC_REQUEST_BYTES_MAX;
use types::{Random, RequestId};
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

/// Where requests are taken.
pub(crate) struct FrontDoor {
    control: Arc<Control>,
    frontend: Arc<Frontend>,
    identities: Arc<dyn Identities>,
    random: Arc<dyn Random>,
    large_bodies: Semaphore,
}

/// Binds an address, before any other work is done.
pub(crate) async fn bind(address: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
    let address = listener.local_addr().context("a listener has an address")?;
    Ok((listener, address))
}

impl FrontDoor {
    pub(crate) fn new(
        control: Arc<Control>,
        frontend: Arc<Frontend>,
        identities: Arc<dyn Identities>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            control,
            frontend,
            identities,
            random,
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
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
                    Ok((stream, _)) => {
                        connections.spawn(Arc::clone(&self).converse(stream, stop.clone()));
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

    async fn converse(self: Arc<Self>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        // Answers are small and must not wait for more; a socket that refuses is about to fail.
        let _ = stream.set_nodelay(true);
        let service = hyper::service::service_fn(move |request| {
            let door = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(door.answer(request).await) }
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

    async fn answer(&self, request: Request<Incoming>) -> Response<Reply> {
        let (method, uri) = (request.method(), request.uri());
        let matched = wire::rest::route(method, uri.path(), uri.query());
        let invoke = matched.filter(|matched| is_invoke(matched.operation));
        let limit = match invoke {
            // One byte more than may be, so that the frontend sees that it is too many.
            Some(_) => SYNC_REQUEST_BYTES_MAX + 1,
            None => control::REQUEST_BYTES_MAX + 1,
        };
        let (parts, body) = request.into_parts();
        // A body without a length says that it is endless.
        let length = body.size_hint().exact().unwrap_or(u64::MAX);
        if length > STRANGERS_BYTES_MAX && !self.is_known(&parts).await {
            // Refused where signatures are: that no such key exists, or none is named.
            let request = Request::from_parts(parts, Bytes::new());
            return self.take(request, invoke.as_ref(), 0).await;
        }
        let _turn = match length > SYNC_REQUEST_BYTES_MAX as u64 {
            // Never closed, so that there is always a turn.
            true => self.large_bodies.acquire().await.ok(),
            false => None,
        };
        let Some((body, size)) = read(body, limit).await else {
            let message = "The request body ended before it was complete.";
            let id = RequestId::random(self.random.as_ref());
            return wire::ApiError::serialization(message)
                .response(id)
                .map(Reply::from);
        };
        let request = Request::from_parts(parts, body);
        self.take(request, invoke.as_ref(), size).await
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
        invoke: Option<&Match>,
        size: usize,
    ) -> Response<Reply> {
        match invoke {
            Some(matched) => {
                let response = self.frontend.invoke(request, size, matched).await;
                response.map(Reply::from)
            }
            None => self.control.handle(request).await.map(Reply::from),
        }
    }
}

fn is_invoke(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Invoke | Operation::InvokeWithResponseStream
    )
}

/// Returns when it is time to stop, or nobody is left to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Reads a body; of what is beyond `limit` only the size is kept. `None` if it breaks off.
async fn read(mut body: Incoming, limit: usize) -> Option<(Bytes, usize)> {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut size = 0;
    // Most bodies come in one piece, which is then not copied.
    while let Some(frame) = body.frame().await {
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
