//! Delivers the outcome of an event: to a queue, a topic, a bus, a bucket or a function.
//!
//! A destination gets the record; a dead-letter queue or topic gets the event as it came, with what went
//! wrong in attributes. Requests are signed with the function's role, or with the key that the
//! configuration names.

mod event_bridge;
pub(crate) mod peers;
mod s3;
mod sns;
mod sqs;

use std::sync::Arc;
use std::time::Duration;

use api::credentials::{Credentials, Error as CredentialsError, RoleCredentials};
use api::events::Accept;
use api::invoke::{Invoker, Why};
use aws::Keys as Key;
use bytes::Bytes;
use http::{Method, Response};
use types::limits::ASYNC_REQUEST_BYTES_MAX;
use types::{FunctionArn, Inner, Random, RequestId, Scope};

use crate::accept::Intake;
use crate::destination::{Destination, Place};
use crate::event::{Delivery, Event, Receiver, State};
use crate::record::record;
use peers::{Call, Peers};

/// Why an outcome was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    /// Whether it will hardly be taken later.
    pub(crate) lasting: bool,
    /// For the function's owner, who is shown it with the event.
    pub(crate) message: String,
    /// For the operator: what lies beneath.
    pub(crate) reason: Option<Inner>,
}

impl Error {
    fn lasting(message: impl Into<String>) -> Self {
        Self {
            lasting: true,
            message: message.into(),
            reason: None,
        }
    }

    /// There was no answer in time.
    pub(crate) fn silent(within: Duration) -> Self {
        Self::passing(format!("not taken within {within:?}"))
    }

    fn passing(message: impl Into<String>) -> Self {
        Self {
            lasting: false,
            message: message.into(),
            reason: None,
        }
    }

    /// With what lies beneath.
    fn because(self, reason: &(dyn std::error::Error + 'static)) -> Self {
        let reason = Some(Inner::of(reason));
        Self { reason, ..self }
    }

    /// What lies beneath, for the server's own log.
    pub(crate) fn reason_for_log(&self) -> Option<&str> {
        self.reason.as_ref().map(Inner::for_log)
    }
}

/// See the module.
pub(crate) struct Destinations {
    pub(crate) random: Arc<dyn Random>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) credentials: Arc<dyn RoleCredentials>,
    /// Signs instead of roles.
    pub(crate) key: Option<Key>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) invoker: Arc<dyn Invoker>,
}

/// What is put into a queue or topic.
struct Letter {
    body: String,
    /// Name, type, value.
    attributes: Vec<(&'static str, &'static str, String)>,
    /// `X-Amzn-Trace-Id`, with the chain of functions that the event has come through.
    trace: String,
}

impl Destinations {
    /// Delivers to a receiver. A repeated call delivers twice.
    pub(crate) async fn deliver(
        &self,
        receiver: &Receiver,
        event: &Event,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let (destination, letter) = match receiver {
            Receiver::Destination(_) if is_omitted(event) => {
                return Err(Error::lasting(
                    "the function's answer is too large for the record",
                ));
            }
            Receiver::Destination(destination) => {
                let letter = Letter {
                    body: escaped(&record(event, delivery)),
                    attributes: Vec::new(),
                    trace: handed_on(event),
                };
                (destination, letter)
            }
            Receiver::DeadLetter(destination) => (destination, dead_letter(event)),
        };
        let arn = &event.state.arn;
        self.check_right(destination, event, delivery).await?;
        match destination {
            Destination::Function(target) => {
                let keys = self.credentials(&delivery.role, arn).await?;
                self.invoke(target, event, &keys, letter.body).await
            }
            Destination::Sqs(place) => {
                let key = self.key(&delivery.role, arn).await?;
                self.to_queue(place, &letter, &key).await
            }
            Destination::Sns(place) => {
                let key = self.key(&delivery.role, arn).await?;
                let answer = self.send(sns::publish(place, &letter), &key).await;
                answer.map(drop)
            }
            Destination::EventBridge(place) => {
                let key = self.key(&delivery.role, arn).await?;
                let request = event_bridge::put_events(place, arn, delivery.condition, letter.body);
                let answer = self.send(request, &key).await?;
                event_bridge::accepted(answer.body())
            }
            Destination::S3 { bucket } => {
                let key = self.key(&delivery.role, arn).await?;
                let request = s3::put_object(bucket, &event.state, delivery.decided, letter.body);
                self.send(request, &key).await.map(drop)
            }
        }
    }

    /// Refuses what the function's role may not do. The called service may not know the role, or may be shown
    /// another key.
    async fn check_right(
        &self,
        destination: &Destination,
        event: &Event,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let mut resource = destination.arn();
        let (service, action) = match destination {
            Destination::Sqs(_) => ("sqs", "SendMessage"),
            Destination::Sns(_) => ("sns", "Publish"),
            Destination::EventBridge(_) => ("events", "PutEvents"),
            Destination::S3 { .. } => {
                let key = s3::key(&event.state, delivery.decided);
                resource = format!("{resource}/{key}");
                ("s3", "PutObject")
            }
            // Asked with the function's own policy, which may allow it as well.
            Destination::Function(_) => return Ok(()),
        };
        let full = format!("{service}:{action}");
        let role = delivery.role.as_str();
        let may = self
            .credentials
            .may(role, &event.state.arn, &full, &resource);
        if may.await.map_err(no_role)? {
            return Ok(());
        }
        Err(Error::lasting(format!(
            "the function's execution role does not have permissions to call {action} on {resource}"
        )))
    }

    /// A queue's path is asked for only where it is not the usual one: that needs a right of its own.
    async fn to_queue(&self, place: &Place, letter: &Letter, key: &Key) -> Result<(), Error> {
        let usual = sqs::usual_path(place);
        let sent = self.send(sqs::send_message(place, usual.clone(), letter), key);
        let Err(error) = sent.await else {
            return Ok(());
        };
        if !sqs::is_not_there(&error.message) {
            return Err(error);
        }
        let Ok(answer) = self.send(sqs::get_queue_url(place), key).await else {
            return Err(error);
        };
        match sqs::queue_path(answer.body()).filter(|path| *path != usual) {
            Some(path) => {
                let request = sqs::send_message(place, path, letter);
                self.send(request, key).await.map(drop)
            }
            None => Err(error),
        }
    }

    /// An asynchronous invoke of another function, with the chain it is in.
    async fn invoke(
        &self,
        target: &FunctionArn,
        event: &Event,
        keys: &Credentials,
        record: String,
    ) -> Result<(), Error> {
        let arn = &event.state.arn;
        if target.scope.account != arn.scope.account {
            let message = "a function of another account cannot be a destination";
            return Err(Error::lasting(message));
        }
        if record.len() > ASYNC_REQUEST_BYTES_MAX {
            let (size, limit) = (record.len(), ASYNC_REQUEST_BYTES_MAX);
            let message = format!("record of {size} bytes exceeds the event limit of {limit}");
            return Err(Error::lasting(message));
        }
        if let Err(error) = self.invoker.may_invoke(keys, target).await {
            return Err(Error {
                lasting: matches!(error.why, Why::NotFound | Why::Denied),
                message: error.message,
                reason: None,
            });
        }
        let meant = self.invoker.target(target).await;
        let accept = Accept {
            request: RequestId::random(self.random.as_ref()),
            arn: target.clone(),
            payload: Bytes::from(record),
            trace: handed_on(event),
            // It was there a moment ago.
            function: meant.ok().map(|target| target.function),
        };
        let accepted = self.intake.accept(accept).await;
        accepted.map_err(|error| Error::passing("events are not taken at present").because(&error))
    }

    async fn send(&self, call: Call, key: &Key) -> Result<Response<Bytes>, Error> {
        self.peers.send(call, key).await
    }

    async fn key(&self, role: &str, function: &FunctionArn) -> Result<Key, Error> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        let credentials = self.credentials(role, function).await?;
        Ok(Key {
            access_key_id: credentials.access_key_id,
            secret: credentials.secret_access_key,
            session_token: Some(credentials.session_token),
        })
    }

    async fn credentials(&self, role: &str, function: &FunctionArn) -> Result<Credentials, Error> {
        let credentials = self.credentials.for_function(role, function).await;
        credentials.map_err(no_role)
    }
}

fn no_role(error: CredentialsError) -> Error {
    match error {
        CredentialsError::Role { .. } => {
            Error::lasting("the function's execution role cannot be assumed")
        }
        CredentialsError::Unavailable => {
            Error::passing("the function's execution role cannot be assumed at present")
                .because(&error)
        }
    }
}

/// The trace as a receiver gets it: it has passed through the function.
fn handed_on(event: &Event) -> String {
    let State { trace, arn, .. } = &event.state;
    wire::lineage::pass(trace, arn).0
}

/// A record without its response would say what is not so.
fn is_omitted(event: &Event) -> bool {
    event.state.last.as_ref().is_some_and(|last| last.omitted)
}

/// The event as it came, and why it is here.
fn dead_letter(event: &Event) -> Letter {
    let mut attributes = vec![("RequestID", "String", event.state.request.to_string())];
    if let Some(last) = &event.state.last {
        if let Some(status) = last.status {
            attributes.push(("ErrorCode", "Number", status.to_string()));
        }
        // An attribute may not be empty.
        if !last.message.is_empty() {
            attributes.push(("ErrorMessage", "String", plain(&last.message)));
        }
    }
    Letter {
        body: escaped(&String::from_utf8_lossy(&event.payload)),
        attributes,
        trace: handed_on(event),
    }
}

/// The same JSON without the two characters that JSON may hold as they are and queues refuse.
fn escaped(json: &str) -> String {
    json.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

/// A text that queues and topics take: they refuse what has no place in XML, and with it the event.
fn plain(text: &str) -> String {
    let taken = |character: char| match character {
        '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => character,
        _ => '\u{fffd}',
    };
    text.chars().map(taken).collect()
}

/// A request to one of the services.
fn request(
    service: &'static str,
    region: &str,
    (method, path): (Method, String),
    headers: &[(&'static str, &'static str)],
    body: String,
) -> Call {
    Call {
        service,
        region: region.to_owned(),
        method,
        path,
        headers: headers.to_vec(),
        body: body.into(),
    }
}

/// A request of the query protocol.
fn form(service: &'static str, region: &str, path: String, parameters: &[(String, &str)]) -> Call {
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", wire::uri::encode(name), wire::uri::encode(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    request(service, region, (Method::POST, path), &kind, body)
}

/// The account and region of a function, as services that have none in their names take them.
fn region(scope: &Scope) -> &str {
    scope.region.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[test]
    fn a_message_has_no_characters_that_queues_refuse() {
        let colours = "\u{1b}[31mno\u{0}\t\u{ffff} \u{1f600}\n";
        assert_eq!(
            plain(colours),
            "\u{fffd}[31mno\u{fffd}\t\u{fffd} \u{1f600}\n"
        );
    }

    #[test]
    fn json_is_the_same_without_what_queues_refuse() {
        let text = "{\"\u{ffff}\": \"\\\\\u{fffe}\u{fffd}\"}";
        let safe = escaped(text);
        assert_eq!(safe, "{\"\\uffff\": \"\\\\\\ufffe\u{fffd}\"}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&safe), read(text));
    }

    #[test]
    fn a_dead_letter_is_the_event_as_it_came_with_what_went_wrong() {
        let mut event = event("{\"a\":  1}", 0).event;
        event.ran(
            types::Version::Latest,
            true,
            Bytes::from("{\"errorMessage\":\"no\"}"),
        );
        let letter = dead_letter(&event);
        assert_eq!(letter.body, "{\"a\":  1}");
        let id = RequestId::from_uuid(Default::default()).to_string();
        assert_eq!(
            letter.attributes,
            [
                ("RequestID", "String", id),
                ("ErrorCode", "Number", "200".to_owned()),
                ("ErrorMessage", "String", "no".to_owned()),
            ]
        );
    }
}
