//! Questions to JetStream. Those that can be asked again are, until they are answered or patience ends: while the
//! servers elect, nobody answers, or somebody who knows less than he should ("stream not found").

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Client, HeaderMap, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use types::Random;

use crate::error::Failure;

/// How long one answer is waited for. A leader that lives answers in milliseconds.
const ANSWER: Duration = Duration::from_secs(2);
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LAST: Duration = Duration::from_millis(500);

/// The row, or the whole stream, is not where the writer expected it; the second is said while another
/// write is under way.
const WRONG_LAST_SEQUENCE: [u64; 2] = [10071, 10164];
/// No such message.
pub(crate) const NO_MESSAGE: u64 = 10037;
/// No such stream, or none that the one who answers knows of.
pub(crate) const NO_STREAM: u64 = 10059;
/// There are not enough servers for the copies, or they are not all there yet.
pub(crate) const TOO_FEW: [u64; 2] = [10005, 10074];
/// A stream of that name exists, and is configured otherwise.
pub(crate) const NAME_IN_USE: u64 = 10058;

/// What is said while servers come and go: not available, no leader, not enough peers, stream or consumer not found, offline, the
/// same message under way.
const PASSING: [u64; 10] = [
    10008, 10009, 10005, 10059, 10014, 10118, 10119, 10158, 10074, 10023,
];

/// The connection, as the stores use it.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) random: Arc<dyn Random>,
    /// How long is asked on.
    pub(crate) patience: Duration,
}

#[derive(Deserialize)]
struct Answer {
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Published {
    /// It is in the stream, durably.
    Stored { sequence: u64 },
    /// The stream or row is not as expected. `doubted`: it was sent before, and no answer came.
    Conflict { doubted: bool },
    /// Nobody knows.
    Unknown(Failure),
}

#[derive(Deserialize)]
struct Stored {
    seq: u64,
}

/// A message that is to be published.
pub(crate) struct Outgoing<'a> {
    pub(crate) subject: &'a str,
    /// What the server knows it again by.
    pub(crate) id: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Api {
    /// An id that nobody else has.
    pub(crate) fn id(&self) -> String {
        format!(
            "{:016x}{:016x}",
            self.random.next_u64(),
            self.random.next_u64()
        )
    }

    /// Asks once.
    pub(crate) async fn ask_once<A: DeserializeOwned>(
        &self,
        verb: &str,
        question: &impl Serialize,
    ) -> Result<A, Failure> {
        let body = serde_json::to_vec(question).map_err(|error| Failure::Odd(error.to_string()))?;
        let request = Request::new().payload(body.into());
        self.request(&format!("$JS.API.{verb}"), request).await
    }

    /// Asks until it is answered.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        verb: &str,
        question: &impl Serialize,
    ) -> Result<A, Failure> {
        let mut pauses = Pauses::new(self.patience);
        loop {
            match self.ask_once(verb, question).await {
                Err(failure) if failure.passes() && pauses.pause().await => {}
                answer => return answer,
            }
        }
    }

    /// Publishes until it is known what became of the message.
    pub(crate) async fn publish(&self, message: &Outgoing<'_>) -> Published {
        let mut headers = message.headers.clone();
        headers.insert("Nats-Msg-Id", message.id);
        let mut doubted = false;
        let mut pauses = Pauses::new(self.patience);
        loop {
            let request = Request::new()
                .payload(message.body.clone())
                .headers(headers.clone());
            let failure = match self.request::<Stored>(message.subject, request).await {
                Ok(stored) => {
                    return Published::Stored {
                        sequence: stored.seq,
                    };
                }
                Err(Failure::Refused { code, .. }) if WRONG_LAST_SEQUENCE.contains(&code) => {
                    return Published::Conflict { doubted };
                }
                Err(failure) => failure,
            };
            doubted |= !matches!(failure, Failure::Nobody | Failure::Refused { .. });
            if !failure.passes() || !pauses.pause().await {
                return Published::Unknown(failure);
            }
        }
    }

    /// One request, one answer.
    pub(crate) async fn request<A: DeserializeOwned>(
        &self,
        subject: &str,
        request: Request,
    ) -> Result<A, Failure> {
        let payload = self.request_raw(subject, request).await?;
        let odd = |error: serde_json::Error| {
            let text = String::from_utf8_lossy(&payload[..payload.len().min(200)]).into_owned();
            Failure::Odd(format!("{error}: {text}"))
        };
        if let Some(error) = serde_json::from_slice::<Answer>(&payload)
            .map_err(odd)?
            .error
        {
            let code = match error.err_code {
                0 => error.code,
                code => code,
            };
            let description = error.description;
            return Err(Failure::Refused { code, description });
        }
        serde_json::from_slice(&payload).map_err(odd)
    }

    /// One request, and whatever comes back.
    pub(crate) async fn request_raw(
        &self,
        subject: &str,
        request: Request,
    ) -> Result<Bytes, Failure> {
        let asked = self
            .client
            .send_request(subject.to_owned(), request.timeout(Some(ANSWER)));
        let answer = asked.await.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => Failure::Nobody,
            RequestErrorKind::MaxPayloadExceeded => Failure::TooLarge,
            RequestErrorKind::InvalidSubject => Failure::Odd(error.to_string()),
            RequestErrorKind::TimedOut | RequestErrorKind::Other => Failure::Silence,
        })?;
        Ok(answer.payload)
    }
}

impl Failure {
    /// Whether it may be over in a moment.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Nobody | Self::Silence => true,
            Self::Refused { code, .. } => PASSING.contains(code) || *code == 503,
            Self::TooLarge | Self::TooFew { .. } | Self::Odd(_) => false,
        }
    }
}

/// Longer and longer pauses, until patience ends.
pub(crate) struct Pauses {
    until: Instant,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            until: Instant::now() + patience,
            next: PAUSE_FIRST,
        }
    }

    /// Waits a little. `false`, at once, when patience has ended.
    pub(crate) async fn pause(&mut self) -> bool {
        if Instant::now() + self.next >= self.until {
            return false;
        }
        sleep(self.next).await;
        self.next = (self.next * 2).min(PAUSE_LAST);
        true
    }
}
