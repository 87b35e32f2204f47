//! A stream: made, asked for its state, read message by message. All of it is answered by the stream's leader, so
//! that what was acknowledged before is seen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, NAME_IN_USE, NO_MESSAGE, NO_STREAM, TOO_FEW};
use crate::error::Failure;

/// How long the server knows a message again, nanoseconds. Much longer than anybody has patience.
const KNOWN_AGAIN_NS: u64 = 120_000_000_000;

/// A stream that exists.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) api: Api,
    pub(crate) name: String,
}

/// What there is in a stream.
#[derive(Clone, Deserialize, Debug)]
pub(crate) struct State {
    pub(crate) messages: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    /// How many messages each subject has, if it was asked.
    #[serde(default)]
    pub(crate) subjects: Option<std::collections::HashMap<String, u64>>,
}

#[derive(Deserialize)]
struct Info {
    config: Config,
    state: State,
    #[serde(default)]
    total: u64,
}

#[derive(Deserialize)]
struct Config {
    num_replicas: usize,
}

#[derive(Deserialize)]
struct Got {
    message: GotMessage,
}

#[derive(Deserialize)]
struct GotMessage {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

/// A message as the stream has it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    headers: String,
    pub(crate) body: Bytes,
}

impl Stored {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(':'));
        let (_, value) = pairs.find(|(of, _)| of.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

impl Stream {
    /// The stream of this name, with what is the same for all of ours. One that exists stays as it is.
    pub(crate) async fn open(
        api: &Api,
        name: &str,
        replicas: usize,
        own: Value,
    ) -> Result<Self, Failure> {
        let mut config = json!({
            "name": name,
            "num_replicas": replicas,
            "storage": "file",
            "discard": "new",
            "duplicate_window": KNOWN_AGAIN_NS,
            // Only the leader answers.
            "allow_direct": false,
        });
        if let (Some(config), Value::Object(own)) = (config.as_object_mut(), own) {
            config.extend(own);
        }
        let verb = format!("STREAM.CREATE.{name}");
        match api.ask::<Value>(&verb, &config).await {
            Ok(_) => {}
            Err(Failure::Refused { code, .. }) if code == NAME_IN_USE => {}
            Err(Failure::Refused { code, .. }) if TOO_FEW.contains(&code) => {
                return Err(Failure::TooFew {
                    has: None,
                    wanted: replicas,
                });
            }
            Err(failure) => return Err(failure),
        }
        let stream = Self {
            api: api.clone(),
            name: name.to_owned(),
        };
        // It may have been made when fewer were asked for.
        let has = stream.info().await?.config.num_replicas;
        match has >= replicas {
            true => Ok(stream),
            false => Err(Failure::TooFew {
                has: Some(has),
                wanted: replicas,
            }),
        }
    }

    async fn info(&self) -> Result<Info, Failure> {
        let verb = format!("STREAM.INFO.{}", self.name);
        self.api.ask::<Info>(&verb, &json!({})).await
    }

    /// What there is in it.
    pub(crate) async fn state(&self) -> Result<State, Failure> {
        Ok(self.info().await?.state)
    }

    /// How many messages each subject that fits a filter has.
    pub(crate) async fn subjects(&self, filter: &str) -> Result<Vec<(String, u64)>, Failure> {
        let verb = format!("STREAM.INFO.{}", self.name);
        let mut found = Vec::new();
        loop {
            let question = json!({ "subjects_filter": filter, "offset": found.len() });
            let info = self.api.ask::<Info>(&verb, &question).await?;
            let page = info.state.subjects.unwrap_or_default();
            let last = page.is_empty() || (found.len() + page.len()) as u64 >= info.total;
            found.extend(page);
            if last {
                return Ok(found);
            }
        }
    }

    /// The message at this place.
    pub(crate) async fn at(&self, sequence: u64) -> Result<Option<Stored>, Failure> {
        self.find(&json!({ "seq": sequence })).await
    }

    /// The last message of a subject.
    pub(crate) async fn last(&self, subject: &str) -> Result<Option<Stored>, Failure> {
        self.find(&json!({ "last_by_subj": subject })).await
    }

    /// The first message at this place or later whose subject fits.
    pub(crate) async fn next(&self, from: u64, filter: &str) -> Result<Option<Stored>, Failure> {
        self.find(&json!({ "seq": from, "next_by_subj": filter }))
            .await
    }

    async fn find(&self, question: &Value) -> Result<Option<Stored>, Failure> {
        let verb = format!("STREAM.MSG.GET.{}", self.name);
        let message = match self.api.ask::<Got>(&verb, question).await {
            Ok(got) => got.message,
            Err(Failure::Refused { code, .. }) if code == NO_MESSAGE => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text);
            bytes.map_err(|error| Failure::Odd(error.to_string()))
        };
        let headers = String::from_utf8_lossy(&decode(&message.hdrs)?).into_owned();
        Ok(Some(Stored {
            headers,
            body: decode(&message.data)?.into(),
            subject: message.subject,
            sequence: message.seq,
        }))
    }

    /// Deletes the stream; harmless if it is gone.
    pub(crate) async fn delete(&self) -> Result<(), Failure> {
        let verb = format!("STREAM.DELETE.{}", self.name);
        match self.api.ask_once::<Value>(&verb, &json!({})).await {
            Err(Failure::Refused { code, .. }) if code == NO_STREAM => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Removes all messages before this place.
    pub(crate) async fn purge_before(&self, sequence: u64) -> Result<(), Failure> {
        let verb = format!("STREAM.PURGE.{}", self.name);
        let question = json!({ "seq": sequence });
        self.api.ask::<Value>(&verb, &question).await.map(drop)
    }

    /// Removes one message; harmless if it is gone.
    pub(crate) async fn remove(&self, sequence: u64) -> Result<(), Failure> {
        let verb = format!("STREAM.MSG.DELETE.{}", self.name);
        let question = json!({ "seq": sequence, "no_erase": true });
        match self.api.ask::<Value>(&verb, &question).await {
            // There is no such message, as is said in three ways.
            Err(Failure::Refused { code, .. }) if [NO_MESSAGE, 10043, 10057].contains(&code) => {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }
}
