//! The one address at which the AWS APIs are served: takes each request to the role that answers it.
//!
//! ```text
//!   Invoke ─▶ frontend          everything else ─▶ control
//! ```
//!
//! The front door reads bodies and counts connections; it decides nothing about a request beside
//! where it goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use control::Control;
use frontend::Frontend;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use types::{Random, RequestId};
use wire::rest::{Match, Operation};

/// Connections at a time; beyond it they wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 10_000;
/// A request's head must come within so long.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head (AWS: 1 MB for line and headers together).
const HEAD_BYTES_MAX: usize = 1024 * 1024;
/// Of a body that is too large so much is read and thrown away, so that the client gets to read
/// the refusal instead of a broken connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where requests are taken.
pub(crate) struct FrontDoor {
    pub(crate) control: Arc<Control>,
    pub(crate) frontend: Arc<Frontend>,
    pub(crate) random: Arc<dyn Random>,
}

/// Binds an address, before any other work is done.
pub(crate) async fn bind(address: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
    let address = listener.local_addr().context("a listener has an address")?;
    Ok((listener, address))
}

impl FrontDoor {
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

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (method, uri) = (request.method(), request.uri());
        let matched = wire::rest::route(method, uri.path(), uri.query());
        let invoke = matched.filter(|matched| matched.operation == Operation::Invoke);
        let limit = match invoke {
            // One byte more than may be, so that the frontend sees that it is too many.
            Some(_) => types::limits::SYNC_REQUEST_BYTES_MAX + 1,
            None => control::REQUEST_BYTES_MAX + 1,
        };
        let (parts, body) = request.into_parts();
        let Some((body, size)) = read(body, limit).await else {
            let message = "The request body ended before it was complete.";
            let id = RequestId::random(self.random.as_ref());
            return wire::ApiError::serialization(message)
                .response(id)
                .map(Full::new);
        };
        let request = Request::from_parts(parts, body);
        self.take(request, invoke.as_ref(), size)
            .await
            .map(Full::new)
    }

    async fn take(
        &self,
        request: Request<Bytes>,
        invoke: Option<&Match>,
        size: usize,
    ) -> Response<Bytes> {
        match invoke {
            Some(matched) => self.frontend.invoke(request, size, matched).await,
            None => self.control.handle(request).await,
        }
    }
}

/// Returns when it is time to stop, or nobody is left to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Reads a body; of what is beyond `limit` only the size is kept. `None` if it breaks off.
async fn read(mut body: Incoming, limit: usize) -> Option<(Bytes, usize)> {
    use hyper::body::Body as _;
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
