//! One request, one answer.
//!
//! Connections are kept and used again. Redirects are not followed: where a request goes, its
//! signature and its keys go, and that is for the operator to say.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::Secret;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use types::{Clock, Region};
use wire::sigv4::Signer;

use crate::endpoint::{Endpoint, Keys};
use crate::error::Error;
use crate::trust::{Authorities, connector};

/// How long to wait for an answer, or the next piece of one, unless the caller says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections to one host that wait for their next use.
const IDLE_MAX: usize = 16;

/// Calls services. Cheap to share behind an `Arc`.
pub struct Client {
    clock: Arc<dyn Clock>,
    patience: Duration,
    authorities: Option<Authorities>,
    connections: OnceLock<Connections<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

/// A request to a service.
#[derive(Debug)]
pub struct Request<'r> {
    /// Where it is.
    pub endpoint: &'r Endpoint,
    /// Its name in signatures: `s3`, `sqs`.
    pub service: &'r str,
    /// The region in signatures.
    pub region: &'r Region,
    /// Who asks; nobody in particular without.
    pub keys: Option<&'r Keys>,
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded as they will be sent.
    pub target: &'r str,
    /// Headers in addition to those that signing and sending need.
    pub headers: &'r [(&'static str, &'r str)],
    /// The body.
    pub body: Bytes,
    /// Bytes of the answer's body, at most.
    pub answer_bytes_max: usize,
}

impl Client {
    /// Nothing is opened before it is needed.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::patient(clock, PATIENCE)
    }

    /// One that waits for `patience` for an answer, or the next piece of one.
    pub fn patient(clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self {
            clock,
            patience,
            authorities: None,
            connections: OnceLock::new(),
        }
    }

    /// The same, believing these authorities instead of the machine's.
    pub fn believing(mut self, authorities: Authorities) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Signs and sends a request, and reads the answer, whatever its status. When it fails it may
    /// have been carried out nevertheless.
    pub async fn send(&self, request: Request<'_>) -> Result<Response<Bytes>, Error> {
        let host = request.endpoint.host();
        let parts = self.signed(&request)?;
        let (body, limit) = (request.body, request.answer_bytes_max);
        let sent = http::Request::from_parts(parts, Full::new(body));
        let answer = self.connections().request(sent);
        let answer = self
            .within(host, answer)
            .await?
            .map_err(|error| unreachable(host, error))?;
        let (parts, body) = answer.into_parts();
        let body = self.read(host, body, limit).await?;
        Ok(Response::from_parts(parts, body))
    }

    fn signed(&self, request: &Request<'_>) -> Result<Parts, Error> {
        let mut unsigned = http::Request::new(());
        *unsigned.method_mut() = request.method.clone();
        *unsigned.uri_mut() = request.endpoint.uri(request.target)?;
        let (mut parts, ()) = unsigned.into_parts();
        let host = [("host", request.endpoint.host())];
        for (name, value) in host.iter().chain(request.headers) {
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|_| Error::Header { name })?;
            parts.headers.insert(*name, value);
        }
        if let Some(keys) = request.keys {
            let signer = Signer {
                access_key_id: &keys.access_key_id,
                secret: keys.secret.expose(),
                session_token: keys.session_token.as_ref().map(Secret::expose),
                region: request.region.as_str(),
                service: request.service,
            };
            signer.sign(&mut parts, &request.body, self.clock.now());
        }
        Ok(parts)
    }

    fn connections(&self) -> &Connections<HttpsConnector<HttpConnector>, Full<Bytes>> {
        self.connections.get_or_init(|| {
            Connections::builder(TokioExecutor::new())
                .pool_max_idle_per_host(IDLE_MAX)
                .build(connector(self.authorities.as_ref()))
        })
    }

    async fn read(&self, host: &str, mut body: Incoming, limit: usize) -> Result<Bytes, Error> {
        let announced = body.size_hint().lower();
        let too_large = || Error::TooLarge { limit };
        if announced > limit as u64 {
            return Err(too_large());
        }
        let mut all = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(frame) = self.within(host, body.frame()).await? {
            let frame = frame.map_err(|error| unreachable(host, error))?;
            if let Ok(piece) = frame.into_data() {
                if all.len() + piece.len() > limit {
                    return Err(too_large());
                }
                all.extend_from_slice(&piece);
            }
        }
        Ok(all.freeze())
    }

    async fn within<T>(&self, host: &str, work: impl Future<Output = T>) -> Result<T, Error> {
        let timely = tokio::time::timeout(self.patience, work).await;
        timely.map_err(|_| Error::Timeout {
            host: host.to_owned(),
            within: self.patience,
        })
    }
}

fn unreachable(host: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unreachable {
        host: host.to_owned(),
        source: Box::new(error),
    }
}
