//! Delivers to a subscriber what it wants: HTTP or TCP to a port inside of its sandbox.
//!
//! The listener may be hostile: every step has a time-out, and of an answer only its status
//! counts. While the environment is frozen nobody can take anything, and the clock is stopped.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use environment::Destination;
use http_body_util::Full;
use hyper::Request;
use hyper_util::rt::TokioIo;
use sandbox::{Connection, Instance};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, watch};

use super::{Hub, Subscriber};
use crate::platform::{Api, Event};
use types::Clock;

/// How long one delivery may take.
const DELIVER_WITHIN: Duration = Duration::from_secs(5);
/// How often one is tried.
const TRIES_MAX: u32 = 3;
/// The pause after the first that failed; the next is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
/// Of an answer's head so much is read at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Why something was dropped, in AWS's words.
const FALLEN_BEHIND: &str =
    "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";

/// Delivers to one subscriber until its queue is closed. `lines` has the turns to connect, which all
/// environments share.
pub(crate) async fn deliver(
    subscriber: Arc<Subscriber>,
    hub: Arc<Hub>,
    (sandbox, lines): (Arc<dyn Instance>, Arc<Semaphore>),
    clock: Arc<dyn Clock>,
) {
    let mut frozen = hub.frozen();
    let mut line = None;
    let mut turn = None;
    while let Some(items) = subscriber.queue.next().await {
        if turn.is_none() {
            // Never closed, so that there is always a turn to come.
            turn = lines.acquire().await.ok();
        }
        let mut pause = PAUSE;
        let mut delivered = false;
        for _ in 0..TRIES_MAX {
            thawed(&mut frozen).await;
            let once = once(&subscriber, sandbox.as_ref(), &items, &mut line);
            delivered = in_time(once, &mut frozen).await;
            if delivered {
                break;
            }
            line = None;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        if !delivered {
            subscriber.queue.drop_items(&items);
        }
        if line.is_none() {
            turn = None;
        }
        let dropped = subscriber.queue.take_dropped();
        if dropped.records > 0 {
            let event = Event::LogsDropped {
                reason: FALLEN_BEHIND,
                records: dropped.records,
                bytes: dropped.bytes,
            };
            if let Some(json) = event.json(Api::Telemetry, clock.now()) {
                subscriber.queue.push(Bytes::from(json.to_string()));
            }
        }
    }
}

/// One try. `line` is a TCP subscriber's connection.
async fn once(
    subscriber: &Subscriber,
    sandbox: &dyn Instance,
    items: &[Bytes],
    line: &mut Option<Connection>,
) -> io::Result<()> {
    match &subscriber.subscription.destination {
        Destination::Http { port, path } => {
            let stream = connect(sandbox, *port).await?;
            post(stream, *port, path, array(items)).await
        }
        Destination::Tcp { port } => {
            let mut stream = match line.take() {
                Some(stream) => stream,
                None => connect(sandbox, *port).await?,
            };
            stream.write_all(&lines(items)).await?;
            *line = Some(stream);
            Ok(())
        }
    }
}

async fn connect(sandbox: &dyn Instance, port: u16) -> io::Result<Connection> {
    sandbox.connect(port).await.map_err(io::Error::other)
}

async fn post(stream: Connection, port: u16, path: &str, body: Bytes) -> io::Result<()> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    let builder = builder.max_buf_size(HEAD_BYTES_MAX);
    let shaken = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(io::Error::other)?;
    let request = Request::post(path)
        .header("host", format!("sandbox.localdomain:{port}"))
        .header("content-type", "application/json")
        .header("connection", "close")
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let answered = async {
        let response = sender.send_request(request).await;
        response.map_err(io::Error::other)
    };
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(answered);
    let response = tokio::select! {
        biased;
        response = answered.as_mut() => response?,
        // The other end has gone; what it still said is in the answer.
        _ = connection.as_mut() => answered.await?,
    };
    match response.status().is_success() {
        true => Ok(()),
        false => Err(io::Error::other("the subscriber refused it")),
    }
}

/// Waits until the environment is not frozen.
async fn thawed(frozen: &mut watch::Receiver<bool>) {
    // Its sender is gone only with the environment.
    let _ = frozen.wait_for(|frozen| !*frozen).await;
}

/// Whether work succeeds in time; time does not count while the environment is frozen.
async fn in_time(
    work: impl Future<Output = io::Result<()>>,
    frozen: &mut watch::Receiver<bool>,
) -> bool {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = work.as_mut() => return done.is_ok(),
            () = tokio::time::sleep(DELIVER_WITHIN) => {
                if !*frozen.borrow_and_update() {
                    return false;
                }
            }
        }
    }
}

/// `[…,…]`
fn array(items: &[Bytes]) -> Bytes {
    let mut body = BytesMut::from("[");
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            body.extend_from_slice(b",");
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(b"]");
    body.freeze()
}

/// One a line.
fn lines(items: &[Bytes]) -> Bytes {
    let mut body = BytesMut::new();
    for item in items {
        body.extend_from_slice(item);
        body.extend_from_slice(b"\n");
    }
    body.freeze()
}
