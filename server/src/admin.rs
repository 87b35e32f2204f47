//! The operator's own address: `/metrics` for Prometheus, `/health`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use accepting::Accepting;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Prometheus uses one connection; this many are plenty.
const CONNECTIONS_MAX: usize = 32;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The longest life of a connection: one that does not read its answers would keep its place.
const CONNECTION_MAX: Duration = Duration::from_secs(120);

/// What is shown.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) registry: Arc<Mutex<Registry>>,
    /// Set once it was told to stop: from then on no new requests are accepted.
    pub(crate) stopping: CancellationToken,
}

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, shown: Shown) {
    let accepting = Accepting::tcp(listener, "a connection for metrics");
    let converse = |(stream, _), ()| converse(stream, shown.clone());
    let at_once = || std::future::ready(());
    accepting::serve(accepting, CONNECTIONS_MAX, at_once, converse).await;
}

async fn converse(stream: TcpStream, shown: Shown) {
    let service = hyper::service::service_fn(move |request| {
        let response = answer(&request, &shown);
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    // A client that goes away is its own affair.
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_MAX, served).await;
}

fn answer(request: &Request<Incoming>, shown: &Shown) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/health" if shown.stopping.is_cancelled() => {
            let mut response = text("text/plain", "stopping\n".to_owned());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
        "/health" => text("text/plain", "ok\n".to_owned()),
        "/metrics" => {
            let mut body = String::new();
            let registry = shown
                .registry
                .lock()
                .expect("no code panics while it holds the registry");
            // Writing to a string cannot fail.
            let _ = prometheus_client::encoding::text::encode(&mut body, &registry);
            text(
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                body,
            )
        }
        _ => {
            let mut response = text("text/plain", "there are /metrics and /health\n".to_owned());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn text(kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
