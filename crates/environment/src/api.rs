//! The HTTP of both APIs, as the processes in an environment speak it.
//!
//! ```text
//!   /2018-06-01/ping
//!   /2018-06-01/runtime/…        runtime
//!   /2020-01-01/extension/…      extensions
//!   /2022-07-01/telemetry, /2020-08-15/logs
//! ```

mod extensions;
mod reply;
mod runtime;
mod telemetry;

use std::io;
use std::sync::Arc;

use accepting::Accepting;
use bytes::Bytes;
use futures_core::Stream;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::session::Session;
use crate::telemetry::TelemetryApi;
use reply::not_found;

/// Connections of one environment at a time: a runtime and ten extensions with two each, and some
/// to spare. With the two bounds below it says what memory of ours an environment can take: 8 MiB
/// of heads and 32 MiB of bodies, at its worst.
const CONNECTIONS_MAX: usize = 32;
/// Header bytes of one request. The largest that runtimes send is an X-Ray cause, which may have a
/// megabyte by the book and has some kilobytes in truth.
const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Connections that an environment may have in any case. More take turns with those of all others.
pub const CONNECTIONS_OWN: usize = 4;

/// Accepts and serves connections until the future is dropped. `lines` has the turns of those beyond
/// [`CONNECTIONS_OWN`].
pub(crate) async fn serve<C>(
    session: Arc<Session>,
    listener: impl Stream<Item = io::Result<C>>,
    lines: Arc<Semaphore>,
) where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut accepting = Accepting::new(listener, "a connection within an environment");
    // Whether more may come.
    let mut open = true;
    let mut connections = JoinSet::new();
    let mut turn: Option<OwnedSemaphorePermit> = None;
    loop {
        let beyond = connections.len() >= CONNECTIONS_OWN;
        let room = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            // Never closed, so that there is always a turn to come.
            next = Arc::clone(&lines).acquire_owned(), if beyond && room && turn.is_none() => {
                turn = next.ok();
            }
            accepted = accepting.next(), if open && (!beyond || room && turn.is_some()) => match accepted {
                Some(stream) => {
                    let turn = turn.take();
                    let session = Arc::clone(&session);
                    connections.spawn(async move {
                        let service = hyper::service::service_fn(move |request| {
                            let session = Arc::clone(&session);
                            async move { Ok::<_, std::convert::Infallible>(route(&session, request).await) }
                        });
                        // A connection that breaks is the environment's own affair.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .max_buf_size(HEADER_BYTES_MAX)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                        drop(turn);
                    });
                }
                None => open = false,
            },
            // All that came are over, and no other comes.
            else => std::future::pending().await,
        }
    }
}

async fn route(session: &Session, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "ping"]) => Response::new(Full::from("pong")),
        (_, ["2018-06-01", "runtime", rest @ ..]) => runtime::route(session, request, rest).await,
        (_, ["2020-01-01", "extension", rest @ ..]) => {
            extensions::route(session, request, rest).await
        }
        (&Method::PUT, ["2022-07-01", "telemetry"]) => {
            telemetry::put(session, request, TelemetryApi::Telemetry).await
        }
        (&Method::PUT, ["2020-08-15", "logs"]) => {
            telemetry::put(session, request, TelemetryApi::Logs).await
        }
        _ => not_found(&path),
    }
}

#[cfg(test)]
mod tests;
