//! The side of the cluster: an HTTPS listener without client certificates, with one request that it answers.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use accepting::Accepting;
use api::enrolment::Holder;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::{Joined, PATH, QUESTION_BYTES_MAX, Question, Welcome};
use crate::folder::Folder;
use crate::registrar::{Error, Registrar};

/// A connection has that long for all that it is for.
const WITHIN: Duration = Duration::from_secs(30);
/// Connections at a time; more wait.
const CONNECTIONS_MAX: usize = 32;
/// Tries a second, of all who try.
const TRIES_A_SECOND: f64 = 5.0;
const TRIES_AT_ONCE: f64 = 20.0;

/// What a holder is given besides its certificate.
pub type Handout =
    Arc<dyn Fn(&Holder) -> Result<Welcome, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// See the module.
pub struct Joining {
    registrar: Arc<Registrar>,
    folder: Folder,
    handout: Handout,
    tries: Mutex<Tries>,
}

/// A bucket of tries, which fills with time.
struct Tries {
    left: f64,
    at: Instant,
}

impl Joining {
    /// Accepts hosts by `registrar`. The process shows the certificate in `folder`, which must be one of the role control.
    pub fn new(registrar: Arc<Registrar>, folder: Folder, handout: Handout) -> Arc<Self> {
        Arc::new(Self {
            registrar,
            folder,
            handout,
            tries: Mutex::new(Tries {
                left: TRIES_AT_ONCE,
                at: Instant::now(),
            }),
        })
    }

    /// Serves at a listener until the future is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let accepting = Accepting::tcp(listener, "the connection of a host that wants to join");
        accepting::serve(
            accepting,
            CONNECTIONS_MAX,
            || std::future::ready(()),
            move |(connection, _), ()| {
                let joining = Arc::clone(&self);
                async move {
                    let conversed = timeout(WITHIN, joining.converse(connection)).await;
                    match conversed {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::debug!(%error, "a host has not joined"),
                        Err(_) => tracing::debug!("a host that wanted to join took too long"),
                    }
                }
            },
        )
        .await;
    }

    async fn converse(self: Arc<Self>, connection: TcpStream) -> io::Result<()> {
        let folder = self.folder.clone();
        // Each time: it may have been renewed.
        let config = tokio::task::spawn_blocking(move || config(&folder)).await??;
        let tls = TlsAcceptor::from(Arc::new(config))
            .accept(connection)
            .await?;
        let service = service_fn(move |request| {
            let joining = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(joining.answer(request).await) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(WITHIN)
            .keep_alive(false)
            .serve_connection(TokioIo::new(tls), service)
            .await
            .map_err(io::Error::other)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::POST || request.uri().path() != PATH {
            return refusal(
                StatusCode::NOT_FOUND,
                "hosts join here by `lambent cluster join`",
            );
        }
        if !self.may_try() {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "too many hosts try to join; try again",
            );
        }
        let body = Limited::new(request.into_body(), QUESTION_BYTES_MAX)
            .collect()
            .await;
        let question = body.ok().map(http_body_util::Collected::to_bytes);
        let question = question.and_then(|bytes| serde_json::from_slice::<Question>(&bytes).ok());
        let Some(Question { secret, request }) = question else {
            return refusal(StatusCode::BAD_REQUEST, "this is no request to join");
        };
        let (holder, issued) = match self.registrar.admit(&secret, &request).await {
            Ok(admitted) => admitted,
            Err(error @ Error::Malformed) => {
                return refusal(StatusCode::BAD_REQUEST, &error.to_string());
            }
            Err(error @ Error::Token) => {
                tracing::warn!("a host was not accepted: its token is not valid");
                return refusal(StatusCode::FORBIDDEN, &error.to_string());
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "no host can join now");
                return not_now();
            }
        };
        let welcome = match (self.handout)(&holder) {
            Ok(welcome) => welcome,
            Err(error) => {
                tracing::error!(error = &*error, "a host that may join cannot be told how");
                return not_now();
            }
        };
        tracing::info!(host = holder.host, zone = holder.zone, roles = ?holder.roles, "a host has joined");
        let joined = Joined {
            certificate: issued.certificate,
            authorities: issued.authorities,
            welcome,
        };
        match serde_json::to_vec(&joined) {
            Ok(body) => Response::new(Full::new(Bytes::from(body))),
            Err(_) => not_now(),
        }
    }

    fn may_try(&self) -> bool {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let filled = (now - tries.at).as_secs_f64() * TRIES_A_SECOND;
        tries.at = now;
        tries.left = (tries.left + filled).min(TRIES_AT_ONCE);
        let may = tries.left >= 1.0;
        if may {
            tries.left -= 1.0;
        }
        may
    }
}

fn not_now() -> Response<Full<Bytes>> {
    refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "no host can join now: this server's log says why; the token may be used up",
    )
}

fn refusal(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(why.as_bytes())));
    *response.status_mut() = status;
    response
}

/// Shows this host's certificate and, below it, the authority's, by which a host that joins knows it.
fn config(folder: &Folder) -> io::Result<ServerConfig> {
    let files = folder.read()?;
    let mut chain = Vec::new();
    for text in [&files.certificate, &files.authorities] {
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            chain.push(certificate.map_err(io::Error::other)?);
        }
    }
    let key = PrivateKeyDer::from_pem_slice(files.key.as_bytes()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)
}
