//! What waits in a queue: an event, and how far it has come.
//!
//! ```text
//!   {"v":1,"event":{…},"payload_bytes":…,"stage":…} \n payload | response of the last run
//! ```
//!
//! The head is one line of JSON; what callers and functions wrote follows as it is, byte for byte.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use storage::queue::BODY_BYTES_MAX;
use types::{FunctionArn, RequestId, Timestamp, Version};

use crate::destination::Destination;
use crate::record::qualified;
use crate::retry::Limits;

/// The form that is written; others are not read.
const FORM: u32 = 1;
/// Room for the head in addition to payload and response.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The longest text kept of what went wrong, bytes: a dead-letter queue gets no more (AWS: 1 KB).
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_024;

/// An event, and what is to be done about it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Item {
    pub(crate) event: Event,
    pub(crate) stage: Stage,
}

/// An accepted event.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Event {
    pub(crate) state: State,
    /// As the caller sent it.
    pub(crate) payload: Bytes,
    /// What the function answered last; empty if it did not run, or if there was no room for it.
    pub(crate) response: Bytes,
}

/// What is known about an event in addition to its bytes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) request: RequestId,
    /// As the caller named the function.
    pub(crate) arn: FunctionArn,
    pub(crate) accepted: Timestamp,
    /// `X-Amzn-Trace-Id`, with the lineage.
    pub(crate) trace: String,
    /// How often the function ran.
    #[serde(default)]
    pub(crate) invokes: u32,
    /// How often it failed.
    #[serde(default)]
    pub(crate) failures: u32,
    /// How often in a row it could not run.
    #[serde(default)]
    pub(crate) refusals: u32,
    /// What came of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Last>,
    /// What was wanted when the function was last there, if anything that is not usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wanted: Option<Wanted>,
}

/// How to treat an event whose function was deleted: as when it last existed. The event keeps its settings,
/// and its destination for failures is still notified (as on AWS).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) limits: Limits,
    /// The destination for failures.
    pub(crate) to: Vec<Receiver>,
    /// ARN of the role in whose name.
    pub(crate) role: String,
}

/// What came of the last try.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Last {
    /// The status a synchronous caller would have been told; none if it was not even tried.
    pub(crate) status: Option<u16>,
    /// For people.
    pub(crate) message: String,
    /// The version that ran, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Version>,
    /// Whether the function failed.
    #[serde(default)]
    pub(crate) failed: bool,
    /// Whether there was no room for what it answered.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) omitted: bool,
}

/// What is to be done about an event.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It is to be invoked.
    Invoke,
    /// It was, and its outcome must be delivered.
    Deliver(Delivery),
}

/// The outcome of an event on its way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) condition: Condition,
    /// When that was so.
    pub(crate) decided: Timestamp,
    /// Where it still has to go, each once.
    pub(crate) to: Vec<Receiver>,
    /// ARN of the role in whose name.
    pub(crate) role: String,
    /// Since when they are tried.
    pub(crate) since: Timestamp,
    /// How often in a row the first of them did not take it.
    #[serde(default)]
    pub(crate) tries: u32,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
}

/// Why an event is over, as a destination's record says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    ZeroReservedConcurrency,
}

/// The destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Receiver {
    /// A destination: gets the record.
    Destination(Destination),
    /// A dead-letter queue or topic: gets the event as it came.
    DeadLetter(Destination),
}

/// A body that is none of ours, or of another version's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the head of a queued event cannot be read")]
    Head(#[source] serde_json::Error),
    #[error("a queued event has no head, or not the length that its head says")]
    Shape,
    #[error("a queued event has format {form}, which this version does not know")]
    Form { form: u32 },
}

#[derive(Serialize, Deserialize)]
struct Head<E, S> {
    v: u32,
    event: E,
    payload_bytes: usize,
    stage: S,
}

/// A head whose parts are read only if its form is known.
type Unread<'h> = Head<&'h RawValue, &'h RawValue>;

impl Item {
    /// An event that was just accepted.
    pub(crate) fn new(
        accept: api::events::Accept,
        accepted: Timestamp,
        wanted: Option<Wanted>,
    ) -> Self {
        let state = State {
            request: accept.request,
            arn: accept.arn,
            accepted,
            trace: accept.trace,
            invokes: 0,
            failures: 0,
            refusals: 0,
            last: None,
            wanted,
        };
        let event = Event {
            state,
            payload: accept.payload,
            response: Bytes::new(),
        };
        let stage = Stage::Invoke;
        Self { event, stage }
    }

    /// The body to queue.
    pub(crate) fn encode(&self) -> Bytes {
        let Event {
            state,
            payload,
            response,
        } = &self.event;
        let head = Head {
            v: FORM,
            event: state,
            payload_bytes: payload.len(),
            stage: &self.stage,
        };
        let head = serde_json::to_vec(&head).expect("names, numbers and texts have a JSON form");
        let mut body = BytesMut::with_capacity(head.len() + 1 + payload.len() + response.len());
        body.extend_from_slice(&head);
        // JSON text has no line break of its own.
        body.extend_from_slice(b"\n");
        body.extend_from_slice(payload);
        body.extend_from_slice(response);
        body.freeze()
    }

    /// What is to be done again, as if it had come at `now` and never been tried.
    pub(crate) fn anew(&mut self, now: Timestamp) {
        if let Stage::Deliver(delivery) = &mut self.stage {
            (delivery.since, delivery.tries) = (now, 0);
            return;
        }
        let state = &mut self.event.state;
        (state.invokes, state.failures, state.refusals) = (0, 0, 0);
        state.accepted = now;
        state.last = None;
        self.event.response = Bytes::new();
    }

    /// Reads a body.
    pub(crate) fn decode(body: &Bytes) -> Result<Self, Error> {
        let (state, stage, begins, payload_bytes) = head(body)?;
        let mut payload = body.slice(begins..);
        if payload_bytes > payload.len() {
            return Err(Error::Shape);
        }
        let response = payload.split_off(payload_bytes);
        let event = Event {
            state,
            payload,
            response,
        };
        Ok(Self { event, stage })
    }

    /// Reads as much of a body as tells what it is about.
    pub(crate) fn decode_head(beginning: &[u8]) -> Result<(State, Stage), Error> {
        let (state, stage, ..) = head(beginning)?;
        Ok((state, stage))
    }
}

/// What the head says, where the payload begins, and how long it is.
fn head(body: &[u8]) -> Result<(State, Stage, usize, usize), Error> {
    let end = body.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(Error::Shape)?;
    let head: Unread<'_> = serde_json::from_slice(&body[..end]).map_err(Error::Head)?;
    if head.v != FORM {
        return Err(Error::Form { form: head.v });
    }
    let state = serde_json::from_str(head.event.get()).map_err(Error::Head)?;
    let stage = serde_json::from_str(head.stage.get()).map_err(Error::Head)?;
    Ok((state, stage, end + 1, head.payload_bytes))
}

impl Event {
    /// The function ran.
    pub(crate) fn ran(&mut self, version: Version, failed: bool, response: Bytes) {
        let message = match failed {
            true => error_message(&response),
            false => String::new(),
        };
        let state = &mut self.state;
        state.invokes = state.invokes.saturating_add(1);
        state.refusals = 0;
        if failed {
            state.failures = state.failures.saturating_add(1);
        }
        let fits = self.payload.len() + response.len() + HEAD_BYTES_MAX <= BODY_BYTES_MAX;
        state.last = Some(Last {
            status: Some(200),
            message,
            version: Some(version),
            failed,
            omitted: !fits,
        });
        self.response = match fits {
            true => response,
            false => Bytes::new(),
        };
    }

    /// The function may not run at all.
    pub(crate) fn stopped(&mut self) {
        self.state.last = Some(Last {
            status: None,
            // In AWS's words.
            message: "Function not invoked. Function isconfigured with zero reserved concurrent \
                      executions"
                .to_owned(),
            version: None,
            failed: false,
            omitted: false,
        });
        self.response = Bytes::new();
    }

    /// The function could not run.
    pub(crate) fn refused(&mut self, error: &api::invoke::Error) {
        self.state.refusals = self.state.refusals.saturating_add(1);
        self.did_not_run(error.status, cut(&error.message));
    }

    /// There is no such function any more. That counts as a run that failed (so AWS counts it).
    pub(crate) fn missing(&mut self) {
        let state = &mut self.state;
        state.invokes = state.invokes.saturating_add(1);
        state.failures = state.failures.saturating_add(1);
        state.refusals = 0;
        let message = format!("Function not found: {}", qualified(&state.arn));
        self.did_not_run(404, message);
    }

    /// It got no turn among the others: AWS would have tried it, and been told this.
    pub(crate) fn crowded_out(&mut self) {
        self.did_not_run(429, "Rate Exceeded.".to_owned());
    }

    fn did_not_run(&mut self, status: u16, message: String) {
        self.state.last = Some(Last {
            status: Some(status),
            message,
            version: None,
            failed: false,
            omitted: false,
        });
        self.response = Bytes::new();
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What a failed function says about itself.
fn error_message(response: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Failure {
        #[serde(default)]
        error_message: String,
    }
    let failure = serde_json::from_slice::<Failure>(response);
    cut(&failure.map_or_else(
        |_| String::from_utf8_lossy(response).into_owned(),
        |failure| failure.error_message,
    ))
}

/// As much of a text as is kept.
pub(crate) fn cut(text: &str) -> String {
    let mut end = text.len().min(MESSAGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
pub(crate) mod tests;
