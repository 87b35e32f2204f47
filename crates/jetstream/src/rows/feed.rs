//! Tells the mirror what is in the stream, in order and without a gap: a consumer that lives in one server's memory, and
//! another one from the last place on when it falls silent or a message is missing.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use storage::{Revision, Row};
use tokio::time::{sleep, timeout};

use super::OPERATION;
use super::mirror::Mirror;
use crate::error::Failure;
use crate::names;
use crate::stream::Stream;

const HEARTBEAT: Duration = Duration::from_millis(500);
/// A consumer that is silent for this long is gone.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a server keeps one that nobody listens to.
const ABANDONED: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    num_pending: u64,
}

/// Where a message stands, as its reply subject tells.
pub(crate) struct Place {
    /// How often it has been delivered.
    pub(crate) deliveries: u32,
    pub(crate) sequence: u64,
    /// Which delivery of the consumer this is.
    pub(crate) delivery: u64,
    /// How many are left after it.
    pub(crate) left: u64,
}

/// `$JS.ACK.<stream>.<consumer>.<deliveries>.<place>.<delivery>.<time>.<left>`, and two more words before the stream
/// in the newer form.
pub(crate) fn place(reply: &str) -> Option<Place> {
    let words: Vec<&str> = reply.split('.').collect();
    let first = match words.len() {
        9 => 4,
        11.. => 6,
        _ => return None,
    };
    let number = |at: usize| words.get(first + at)?.parse::<u64>().ok();
    Some(Place {
        deliveries: u32::try_from(number(0)?).ok()?,
        sequence: number(1)?,
        delivery: number(2)?,
        left: number(4)?,
    })
}

/// Runs until it is aborted.
pub(super) async fn run(stream: Stream, root: String, mirror: Arc<Mirror>) {
    loop {
        if let Err(failure) = consume(&stream, &root, &mirror).await {
            tracing::debug!(stream = stream.name, %failure, "the table's consumer is made again");
        }
        sleep(PAUSE).await;
    }
}

async fn consume(stream: &Stream, root: &str, mirror: &Mirror) -> Result<(), Failure> {
    let client = &stream.api.client;
    let inbox = client.new_inbox();
    let lost = |error: async_nats::SubscribeError| Failure::Odd(error.to_string());
    let mut messages = client.subscribe(inbox.clone()).await.map_err(lost)?;
    let question = json!({
        "stream_name": stream.name,
        "config": {
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": mirror.seen() + 1,
            "ack_policy": "none",
            "max_deliver": 1,
            "flow_control": true,
            "idle_heartbeat": nanoseconds(HEARTBEAT),
            "inactive_threshold": nanoseconds(ABANDONED),
            "mem_storage": true,
            "num_replicas": 1,
        },
    });
    let verb = format!("CONSUMER.CREATE.{}", stream.name);
    let made: Made = stream.api.ask_once(&verb, &question).await?;
    if made.num_pending == 0 {
        mirror.is_told();
    }
    let mut delivered = 0;
    while let Ok(Some(message)) = timeout(SILENCE, messages.next()).await {
        if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
            if is_behind(&message, delivered) {
                return Err(Failure::Odd("a message is missing".to_owned()));
            }
            for subject in resumes(&message) {
                // Flow control: the server continues when it hears that we have come this far.
                let _ = client.publish(subject, Bytes::new()).await;
            }
            continue;
        }
        let place = message.reply.as_ref().and_then(|reply| place(reply));
        let Some(place) = place.filter(|place| place.delivery == delivered + 1) else {
            return Err(Failure::Odd("a message is missing".to_owned()));
        };
        delivered = place.delivery;
        take(message, &place, root, mirror);
    }
    Err(Failure::Silence)
}

fn is_behind(heartbeat: &Message, delivered: u64) -> bool {
    let last = header(heartbeat, "Nats-Last-Consumer");
    last.and_then(|last| last.parse::<u64>().ok())
        .is_some_and(|last| last != delivered)
}

fn resumes(heartbeat: &Message) -> impl Iterator<Item = String> {
    let reply = heartbeat.reply.as_ref().map(|reply| reply.to_string());
    let stalled = header(heartbeat, "Nats-Consumer-Stalled").map(str::to_owned);
    reply.into_iter().chain(stalled)
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let headers = message.headers.as_ref()?;
    headers.get(name).map(|value| value.as_str())
}

fn take(message: Message, place: &Place, root: &str, mirror: &Mirror) {
    let key = message.subject.strip_prefix(root).and_then(names::key);
    let Some(key) = key else {
        tracing::warn!(subject = %message.subject, "somebody else has written into the table's stream");
        mirror.pass(place.sequence, place.left);
        return;
    };
    let row = header(&message, OPERATION).is_none().then(|| Row {
        key: key.clone(),
        value: message.payload.clone(),
        revision: Revision(place.sequence),
    });
    mirror.apply(place.sequence, &key, row, place.left);
}

/// As JetStream takes durations.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
