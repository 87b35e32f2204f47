//! Takes messages from a queue's consumer, and tells the server what becomes of them.
//!
//! The server would keep a message hidden for the same time after every receive. That each receive has a time of its own
//! comes from giving every message back at once, to be delivered again after that time: until then it is nobody else's, and
//! can still be acknowledged.

use std::time::Duration;

use async_nats::{Message, Request, StatusCode};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::queue::RECEIVE_BYTES_MAX;
use tokio::time::timeout;

use super::message::{self, INLINE_BYTES_MAX};
use crate::api::Pauses;
use crate::error::Failure;
use crate::rows::{Place, nanoseconds, place};
use crate::stream::Stream;

/// The queue's one consumer.
const CONSUMER: &str = "receivers";
/// For how long a message is hidden if its receiver dies before it has said for how long.
const HIDDEN: Duration = Duration::from_secs(30);
/// The longest that one request waits.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How late an answer may be.
const LATE: Duration = Duration::from_secs(2);

/// What a consumer has.
#[derive(Deserialize, Debug)]
pub(super) struct Consumer {
    /// Not delivered yet.
    pub(super) num_pending: u64,
    /// Delivered and not acknowledged.
    pub(super) num_ack_pending: u64,
    pub(super) delivered: Delivered,
}

#[derive(Deserialize, Debug)]
pub(super) struct Delivered {
    pub(super) stream_seq: u64,
}

/// A message as it was delivered.
pub(super) struct Pulled {
    pub(super) message: Message,
    pub(super) reply: String,
    pub(super) place: Place,
}

/// Makes a stream's consumer.
pub(super) async fn make(stream: &Stream) -> Result<(), Failure> {
    let config = json!({
        "stream_name": stream.name,
        "config": {
            "durable_name": CONSUMER,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": nanoseconds(HIDDEN),
            "max_deliver": -1,
            "max_ack_pending": -1,
            "filter_subject": message::now(&stream.name),
        },
    });
    let verb = format!("CONSUMER.DURABLE.CREATE.{}.{CONSUMER}", stream.name);
    stream.api.ask::<Value>(&verb, &config).await.map(drop)
}

/// What a stream's consumer has.
pub(super) async fn consumer(stream: &Stream) -> Result<Consumer, Failure> {
    let verb = format!("CONSUMER.INFO.{}.{CONSUMER}", stream.name);
    stream.api.ask(&verb, &json!({})).await
}

/// Up to `max` messages: those that are there, or the first that comes within `wait`.
pub(super) async fn pull(
    stream: &Stream,
    max: usize,
    wait: Duration,
) -> Result<Vec<Pulled>, Failure> {
    let wait = wait.min(WAIT_MAX);
    // Those with large bodies are counted when they are here.
    let bytes = RECEIVE_BYTES_MAX + INLINE_BYTES_MAX;
    let (question, within) = match wait.is_zero() {
        true => (
            json!({ "batch": max, "no_wait": true, "max_bytes": bytes }),
            LATE,
        ),
        false => {
            let question = json!({ "batch": 1, "expires": nanoseconds(wait) });
            (question, wait + LATE)
        }
    };
    let mut most = if wait.is_zero() { max } else { 1 };
    let client = &stream.api.client;
    let inbox = client.new_inbox();
    let odd = |error: String| Failure::Odd(error);
    let subscribed = client.subscribe(inbox.clone()).await;
    let mut messages = subscribed.map_err(|error| odd(error.to_string()))?;
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{CONSUMER}", stream.name);
    let sent = client.publish_with_reply(subject, inbox, question.to_string().into());
    sent.await.map_err(|error| odd(error.to_string()))?;

    let mut pulled = Vec::new();
    while pulled.len() < most {
        let message = match timeout(within, messages.next()).await {
            Ok(Some(message)) => message,
            _ if pulled.is_empty() => return Err(Failure::Silence),
            _ => break,
        };
        if let Some(status) = message.status {
            match (unsent(&message), status) {
                // That this is all may be told before the last have come: they wait until they are known to be
                // delivered on other servers too.
                (Some(unsent), _) => most = most.saturating_sub(unsent),
                (None, StatusCode::IDLE_HEARTBEAT) => {}
                (None, StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => break,
                // There is no such consumer, or it has another leader now.
                (None, _) if pulled.is_empty() => return Err(Failure::Nobody),
                (None, _) => break,
            }
            continue;
        }
        let reply = message.reply.as_ref().map(|reply| reply.to_string());
        let Some((reply, place)) = reply.and_then(|reply| {
            let place = place(&reply)?;
            Some((reply, place))
        }) else {
            return Err(odd("a message without a place".to_owned()));
        };
        pulled.push(Pulled {
            message,
            reply,
            place,
        });
    }
    Ok(pulled)
}

/// How many of those that were asked for the server does not send.
fn unsent(status: &Message) -> Option<usize> {
    let value = status.headers.as_ref()?.get("Nats-Pending-Messages")?;
    value.as_str().parse().ok()
}

/// Hides a message for `delay` from now on. The server does not check who asks.
pub(super) async fn hide(stream: &Stream, reply: &str, delay: Duration) -> Result<(), Failure> {
    let words = match delay.is_zero() {
        // With a delay, even of nothing, it takes the server a moment.
        true => "-NAK".to_owned(),
        false => format!("-NAK {{\"delay\": {}}}", nanoseconds(delay)),
    };
    tell(stream, reply, words).await
}

/// Says that a message is done; the answer comes when that is durable.
pub(super) async fn done(stream: &Stream, reply: &str) -> Result<(), Failure> {
    tell(stream, reply, "+ACK".to_owned()).await
}

async fn tell(stream: &Stream, reply: &str, words: String) -> Result<(), Failure> {
    let mut pauses = Pauses::new(stream.api.patience);
    loop {
        let request = Request::new().payload(words.clone().into());
        match stream.api.request_raw(reply, request).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.passes() && pauses.pause().await => {}
            Err(failure) => return Err(failure),
        }
    }
}
