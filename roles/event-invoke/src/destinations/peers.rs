//! The services that outcomes go to, where the operator says they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws::{Client, Endpoint, Keys as Key};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use types::{ForCallers as _, Region};

use super::Error;

/// Bytes of a service's answer that are read; all of them are short.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Where services are, as the operator says.
#[derive(Clone, Default, Debug)]
pub struct Endpoints {
    /// Of every service that is not named.
    pub all: Option<Endpoint>,
    /// Of single ones: `sqs`, `events`.
    pub services: BTreeMap<String, Endpoint>,
}

/// A request to one of the services.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) region: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Bytes,
}

/// A service that takes calls.
#[async_trait]
pub(crate) trait Peers: Send + Sync {
    /// Sends a call, and returns an answer that says yes. When it fails it may have been carried out.
    async fn send(&self, call: Call, key: &Key) -> Result<Response<Bytes>, Error>;
}

/// The services themselves.
pub(crate) struct Services {
    pub(crate) client: Arc<Client>,
    pub(crate) endpoints: Endpoints,
}

#[async_trait]
impl Peers for Services {
    async fn send(&self, call: Call, key: &Key) -> Result<Response<Bytes>, Error> {
        let Call { service, .. } = call;
        let named = self.endpoints.services.get(service);
        let endpoint = named.or(self.endpoints.all.as_ref());
        let endpoint = endpoint
            .ok_or_else(|| Error::lasting(format!("no endpoint of {service} is configured")))?;
        let region = Region::new(&call.region);
        let region = region.map_err(|error| Error::lasting(error.told()))?;
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
}

/// An answer that says yes.
pub(crate) fn taken(answer: Result<Response<Bytes>, aws::Error>) -> Result<Response<Bytes>, Error> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ (aws::Error::Endpoint { .. } | aws::Error::Header { .. })) => {
            return Err(Error::lasting("the destination cannot be called").because(&error));
        }
        Err(error @ aws::Error::TooLarge { .. }) => {
            return Err(Error::passing("the destination's answer cannot be read").because(&error));
        }
        // Where the operator has it is not the owner's to know.
        Err(error @ (aws::Error::Unreachable { .. } | aws::Error::Timeout { .. })) => {
            return Err(Error::passing("the destination cannot be reached").because(&error));
        }
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
        reason: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
