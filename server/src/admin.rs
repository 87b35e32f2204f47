//! The operator's own address: `/metrics` for Prometheus, and for those who start, balance and restart processes
//! `/livez`, `/readyz`, `/startupz` and `/health`. It answers from the beginning of a start.

mod readiness;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use accepting::Accepting;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};

use readiness::Phase;
pub(crate) use readiness::{Readiness, Said};

/// Prometheus uses one connection; this many are plenty.
const CONNECTIONS_MAX: usize = 32;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The longest life of a connection: one that does not read its answers would keep its place.
const CONNECTION_MAX: Duration = Duration::from_secs(120);

/// What is shown. All clones are one.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    pub(crate) readiness: Readiness,
    /// Set when the roles exist.
    registry: Arc<OnceLock<Arc<Mutex<Registry>>>>,
}

impl Shown {
    /// The roles exist, and count in `registry`.
    pub(crate) fn count_in(&self, registry: Arc<Mutex<Registry>>) {
        // There is one for a whole life.
        let _ = self.registry.set(registry);
    }
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
    let phase = shown.readiness.phase();
    match request.uri().path() {
        "/livez" => plain(StatusCode::OK, "ok\n"),
        "/startupz" => match phase {
            Phase::Starting => plain(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Phase::Started | Phase::Stopping => plain(StatusCode::OK, "ok\n"),
        },
        "/readyz" => {
            let answer = shown.readiness.answer();
            let status = match answer.ready {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            let body = serde_json::to_string(&answer).unwrap_or_default();
            text(status, "application/json", body + "\n")
        }
        "/health" => match phase {
            Phase::Starting => plain(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Phase::Started => plain(StatusCode::OK, "ok\n"),
            Phase::Stopping => plain(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        },
        "/metrics" => match shown.registry.get() {
            Some(registry) => metrics(registry),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        },
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /metrics, /health, /livez, /readyz and /startupz\n",
        ),
    }
}

fn metrics(registry: &Mutex<Registry>) -> Response<Full<Bytes>> {
    let mut body = String::new();
    let registry = registry
        .lock()
        .expect("no code panics while it holds the registry");
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut body, &registry);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    text(StatusCode::OK, kind, body)
}

fn plain(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    text(status, "text/plain", body.to_owned())
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
