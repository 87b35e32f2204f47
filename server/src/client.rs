//! A small signing client for the commands: one request, one answer. Called too often, it waits and
//! tries again, as SDKs do.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws::Request;
use bytes::Bytes;
use http::{Method, Response};
use types::limits::TIMEOUT_SECONDS_MAX;
use types::{Region, SystemClock};

use crate::access::Access;
use crate::cli;

/// How often a call that came too soon is tried again: with the pauses between, half a minute.
const TRIES_MAX: u32 = 8;
/// The first pause; each is longer than the one before by as much.
const PAUSE: Duration = Duration::from_secs(1);
/// An answer may take as long as a function.
const PATIENCE: Duration = Duration::from_secs(TIMEOUT_SECONDS_MAX as u64 + 30);
/// Bytes of an answer: more than any operation's.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Calls one server, as the owner of the key.
pub(crate) struct Client {
    access: Access,
    client: aws::Client,
}

impl Client {
    /// For the server and credentials that the options name.
    pub(crate) fn new(options: &cli::Client) -> anyhow::Result<Self> {
        let access = Access::of(options)?;
        let client = aws::Client::patient(Arc::new(SystemClock), PATIENCE);
        let client = match access.authorities.clone() {
            Some(authorities) => client.believing(authorities),
            None => client,
        };
        Ok(Self { access, client })
    }

    /// The region that is spoken to.
    pub(crate) fn region(&self) -> &Region {
        &self.access.region
    }

    /// Sends a signed request to the Lambda API, again if it is one too many for a second.
    pub(crate) async fn send(
        &self,
        request: (Method, &str),
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Response<Bytes>> {
        self.send_as("lambda", request, headers, body).await
    }

    /// The same for another service.
    pub(crate) async fn send_as(
        &self,
        service: &str,
        (method, path): (Method, &str),
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Response<Bytes>> {
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            let once = self.send_to(service, (method.clone(), path), headers, body.clone());
            let response = once.await?;
            if !came_too_soon(&response) {
                return Ok(response);
            }
            tokio::time::sleep(pause).await;
            pause += PAUSE;
        }
        self.send_to(service, (method, path), headers, body).await
    }

    /// Sends one request once, signed for that service; without a name it is not signed.
    pub(crate) async fn send_to(
        &self,
        service: &str,
        (method, target): (Method, &str),
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Response<Bytes>> {
        let request = Request {
            endpoint: &self.access.endpoint,
            service,
            region: &self.access.region,
            keys: (!service.is_empty()).then_some(&self.access.keys),
            method,
            target,
            headers,
            body,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let sent = self.client.send(request).await;
        sent.with_context(|| format!("there is no answer from {}", self.access.url))
    }
}

/// Whether nothing was done because the account calls too often. An invoke throttled for its
/// concurrency is another matter: its caller wants to know that.
fn came_too_soon(response: &Response<Bytes>) -> bool {
    if response.status().is_success() {
        return false;
    }
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let says = |member: &str, text: &str| body.get(member).is_some_and(|value| value == text);
    says("Reason", "CallerRateLimitExceeded") || says("__type", "ThrottlingException")
}
