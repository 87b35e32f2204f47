//! Telling the outcome of an event: to a queue, a topic, a bus, a bucket or a function.
//!
//! A destination gets the record; a dead-letter queue or topic gets the event as it came, with what went
//! wrong in attributes. Requests are signed with the function's role, or with the key that the
//! configuration names.

mod event_bridge;
mod s3;
mod sns;
mod sqs;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::credentials::RoleCredentials;
use api::events::Accept;
use api::invoke::{Invoker, Why};
use aws::{Client, Endpoint, Keys as Key};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use types::{FunctionArn, Random, Region, RequestId, Scope};

use crate::accept::Intake;
use crate::destination::{Destination, Place};
use crate::event::{Delivery, Event, Receiver};
use crate::record::record;

/// Bytes of a service's answer that are read; all of them are short.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Why an outcome was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    /// Whether it will hardly be taken later.
    pub(crate) lasting: bool,
    pub(crate) message: String,
}

impl Error {
    fn lasting(message: impl Into<String>) -> Self {
        Self {
            lasting: true,
            message: message.into(),
        }
    }

    fn passing(message: impl Into<String>) -> Self {
        Self {
            lasting: false,
            message: message.into(),
        }
    }
}

/// Where services are, as the operator says.
#[derive(Clone, Default, Debug)]
pub struct Endpoints {
    /// Of every service that is not named.
    pub all: Option<Endpoint>,
    /// Of single ones: `sqs`, `events`.
    pub services: BTreeMap<String, Endpoint>,
}

/// A request to one of the services.
struct Call {
    service: &'static str,
    region: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
}

/// See the module.
pub(crate) struct Destinations {
    pub(crate) random: Arc<dyn Random>,
    pub(crate) client: Arc<Client>,
    pub(crate) endpoints: Endpoints,
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
}

impl Destinations {
    /// Tells a receiver. Told twice, it hears it twice.
    pub(crate) async fn deliver(
        &self,
        receiver: &Receiver,
        event: &Event,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let (destination, letter) = match receiver {
            Receiver::Destination(destination) => {
                let attributes = Vec::new();
                let body = record(event, delivery);
                (destination, Letter { body, attributes })
            }
            Receiver::DeadLetter(destination) => (destination, dead_letter(event)),
        };
        let arn = &event.state.arn;
        match destination {
            Destination::Function(target) => self.invoke(target, event, letter.body).await,
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

    async fn to_queue(&self, place: &Place, letter: &Letter, key: &Key) -> Result<(), Error> {
        let answer = self.send(sqs::get_queue_url(place), key).await?;
        let path = sqs::queue_path(answer.body())
            .ok_or_else(|| Error::passing("the queue's URL is not in the answer"))?;
        let request = sqs::send_message(place, path, letter);
        self.send(request, key).await.map(drop)
    }

    /// An asynchronous invoke of another function, which hears of the chain it is in.
    async fn invoke(
        &self,
        target: &FunctionArn,
        event: &Event,
        record: String,
    ) -> Result<(), Error> {
        let arn = &event.state.arn;
        if target.scope.account != arn.scope.account {
            let message = "a function of another account cannot be a destination";
            return Err(Error::lasting(message));
        }
        if let Err(error) = self.invoker.target(target).await {
            let lasting = error.why == Why::NotFound;
            return Err(Error {
                lasting,
                message: error.message,
            });
        }
        let accept = Accept {
            request: RequestId::random(self.random.as_ref()),
            arn: target.clone(),
            payload: Bytes::from(record),
            trace: wire::lineage::pass(&event.state.trace, arn).0,
        };
        let accepted = self.intake.accept(accept).await;
        accepted.map_err(|error| Error::passing(error.to_string()))
    }

    /// Sends a request, and takes an answer that says yes.
    async fn send(&self, call: Call, key: &Key) -> Result<Response<Bytes>, Error> {
        let Call { service, .. } = call;
        let named = self.endpoints.services.get(service);
        let endpoint = named.or(self.endpoints.all.as_ref());
        let endpoint = endpoint
            .ok_or_else(|| Error::lasting(format!("no endpoint of {service} is configured")))?;
        let region = Region::new(&call.region);
        let region = region.map_err(|error| Error::lasting(error.to_string()))?;
        taken(
            self.client
                .send(aws::Request {
                    endpoint,
                    service,
                    region: &region,
                    keys: Some(key),
                    method: call.method,
                    target: &call.path,
                    headers: &call.headers,
                    body: call.body,
                    answer_bytes_max: ANSWER_BYTES_MAX,
                })
                .await,
        )
    }

    async fn key(&self, role: &str, function: &FunctionArn) -> Result<Key, Error> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        let credentials = self.credentials.for_function(role, function).await;
        let credentials = credentials.map_err(|error| Error::passing(error.to_string()))?;
        Ok(Key {
            access_key_id: credentials.access_key_id,
            secret: credentials.secret_access_key,
            session_token: Some(credentials.session_token),
        })
    }
}

/// The event as it came, and why it is here.
fn dead_letter(event: &Event) -> Letter {
    let mut attributes = vec![("RequestID", "String", event.state.request.to_string())];
    if let Some(last) = &event.state.last {
        attributes.push(("ErrorCode", "Number", last.status.to_string()));
        // An attribute may not be empty.
        if !last.message.is_empty() {
            attributes.push(("ErrorMessage", "String", last.message.clone()));
        }
    }
    Letter {
        body: String::from_utf8_lossy(&event.payload).into_owned(),
        attributes,
    }
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

/// An answer that says yes.
fn taken(answer: Result<Response<Bytes>, aws::Error>) -> Result<Response<Bytes>, Error> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ (aws::Error::Endpoint { .. } | aws::Error::Header { .. })) => {
            return Err(Error::lasting(error.to_string()));
        }
        Err(error) => return Err(Error::passing(error.to_string())),
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(answer.body());
    let message = crate::event::cut(&format!("status {}: {text}", status.as_u16()));
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
        || text.contains("Throttl");
    Err(Error {
        lasting: !passing,
        message,
    })
}

/// The account and region of a function, as services that have none in their names take them.
fn region(scope: &Scope) -> &str {
    scope.region.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    fn answer(status: u16, body: &str) -> Result<Response<Bytes>, aws::Error> {
        let response = Response::builder().status(status);
        Ok(response
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap())
    }

    #[test]
    fn a_refusal_lasts_and_a_throttle_passes() {
        let lasting = |answer| taken(answer).unwrap_err().lasting;
        assert!(taken(answer(200, "")).is_ok());
        assert!(lasting(answer(
            400,
            "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"
        )));
        assert!(lasting(answer(403, "")));
        assert!(lasting(Err(aws::Error::Endpoint {
            text: String::new()
        })));
        assert!(!lasting(answer(400, "<Code>ThrottlingException</Code>")));
        assert!(!lasting(answer(429, "")) && !lasting(answer(503, "")));
        assert!(!lasting(Err(aws::Error::TooLarge { limit: 1 })));
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
