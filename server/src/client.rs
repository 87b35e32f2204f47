//! A small signing client for the commands: one request, one answer. Called too often, it waits and
//! tries again, as SDKs do.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use types::{Clock as _, SystemClock};
use wire::sigv4::Signer;

use crate::cli;
use crate::data_dir::{RootKey, read_root_key};

/// How often a call that came too soon is tried again: with the pauses between, half a minute.
const TRIES_MAX: u32 = 8;
/// The first pause; each is longer than the one before by as much.
const PAUSE: Duration = Duration::from_secs(1);

/// Speaks to one server, as its root or as whoever the environment's key is of.
pub(crate) struct Client {
    endpoint: Uri,
    key: RootKey,
    session_token: Option<String>,
    region: String,
}

impl Client {
    /// For the server and credentials that the options name.
    pub(crate) fn new(options: &cli::Client) -> anyhow::Result<Self> {
        let endpoint: Uri = options
            .endpoint
            .parse()
            .with_context(|| format!("{} is no endpoint URL", options.endpoint))?;
        if endpoint.scheme_str() != Some("http") {
            bail!("{}: only http endpoints are spoken to", options.endpoint);
        }
        let (key, session_token) = match key_of_the_environment() {
            Some(found) => found,
            None => (read_root_key(&options.data_dir.join("credentials"))?, None),
        };
        Ok(Self {
            endpoint,
            key,
            session_token,
            region: options.region.clone(),
        })
    }

    /// Sends a signed request to the Lambda API, again if it is one too many for a second.
    pub(crate) async fn send(
        &self,
        (method, path): (Method, &str),
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Response<Bytes>> {
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            let once = self.send_to("lambda", (method.clone(), path), headers, body.clone());
            let response = once.await?;
            if !came_too_soon(&response) {
                return Ok(response);
            }
            tokio::time::sleep(pause).await;
            pause += PAUSE;
        }
        self.send_to("lambda", (method, path), headers, body).await
    }

    /// Sends one request once, signed for that service; without a name it is not signed.
    pub(crate) async fn send_to(
        &self,
        service: &str,
        (method, path): (Method, &str),
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Response<Bytes>> {
        let authority = self
            .endpoint
            .authority()
            .context("the endpoint URL has no host")?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", authority.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request
            .body(())
            .context("the request cannot be made")?
            .into_parts();
        let signer = Signer {
            access_key_id: &self.key.id,
            secret: &self.key.secret,
            session_token: self.session_token.as_deref(),
            region: &self.region,
            service,
        };
        if !service.is_empty() {
            signer.sign(&mut parts, &body, SystemClock.now());
        }
        let address = (authority.host(), authority.port_u16().unwrap_or(80));
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("nothing answers at {}", self.endpoint))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .context("the connection broke")?;
        let request = Request::from_parts(parts, Full::new(body));
        let answer = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response::from_parts(parts, body))
        };
        tokio::select! {
            biased;
            answer = answer => answer.context("the answer broke off"),
            ended = connection => {
                ended.context("the connection broke")?;
                bail!("the connection was closed before an answer came")
            }
        }
    }
}

/// Whether nothing was done because the account calls too often. An invoke throttled for its
/// concurrency is another matter: its caller wants to hear of that.
fn came_too_soon(response: &Response<Bytes>) -> bool {
    let reason = || {
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        body.get("Reason")
            .is_some_and(|reason| reason == "CallerRateLimitExceeded")
    };
    response.status() == http::StatusCode::TOO_MANY_REQUESTS && reason()
}

/// The access key that AWS's own clients would take from the environment, with its session token.
fn key_of_the_environment() -> Option<(RootKey, Option<String>)> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let key = RootKey {
        id: variable("AWS_ACCESS_KEY_ID")?,
        secret: variable("AWS_SECRET_ACCESS_KEY")?,
    };
    Some((key, variable("AWS_SESSION_TOKEN")))
}
