//! One connection: made over TCP and TLS, with HTTP/2 in it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use api::enrolment::dns_name;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::client::Grpc;
use tower_service::Service;

use crate::identity::{Identity, Proof};
use crate::roles::Peer;
use crate::served::{KEEPALIVE, KEEPALIVE_WITHIN};
use types::Role;

/// What is read at once of what the callee says first. Longer reads, all others, go past it.
const FIRST_BYTES: usize = 64;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotConnected {
    #[error("nobody answers in time")]
    TimedOut,
    #[error("a connection has just been tried")]
    JustTried,
    #[error("the connection cannot be made: {0}")]
    Io(#[from] io::Error),
    #[error("the connection cannot be begun: {0}")]
    Http(#[from] hyper::Error),
    #[error("the certificate of the process there is revoked")]
    Revoked,
    #[error("the process there is not on the host that it should be on")]
    OtherHost,
    #[error("the role is no name")]
    Name,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Body>,
    callee: Arc<Peer>,
    /// What we proved ourselves with.
    proof: Arc<Proof>,
}

impl Connection {
    /// Whether a call can begin on it.
    pub(crate) fn is_usable(&self, identity: &Identity) -> bool {
        !self.sender.is_closed()
            && Arc::ptr_eq(&self.proof, &identity.newest())
            && !identity.has_revoked(&self.callee)
    }

    /// What the certificate of its other end says.
    pub(crate) fn callee(&self) -> &Peer {
        &self.callee
    }

    /// gRPC on it, with messages of at most `largest` bytes.
    pub(crate) fn grpc(self, role: Role, largest: usize) -> Grpc<Sender> {
        Grpc::with_origin(Sender(self.sender), origin(role))
            .max_decoding_message_size(largest)
            .max_encoding_message_size(largest)
    }
}

/// Makes a connection. When it is there, both ends have accepted each other's certificate.
pub(crate) async fn connect(
    role: Role,
    address: SocketAddr,
    identity: &Identity,
) -> Result<Connection, NotConnected> {
    let proof = identity.newest();
    let name = ServerName::try_from(dns_name(role)).map_err(|_| NotConnected::Name)?;
    let plain = TcpStream::connect(address).await?;
    plain.set_nodelay(true)?;
    let tls = TlsConnector::from(Arc::clone(&proof.client));
    let tls = tls.connect(name, plain).await?;
    let (_, session) = tls.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let callee = Arc::new(certificate.map(Peer::of).unwrap_or_default());
    if identity.has_revoked(&callee) {
        return Err(NotConnected::Revoked);
    }
    // In TLS 1.3 the callee verifies our certificate last. It says nothing before that, and its settings right after: a
    // process that is refused learns it here, where it is certain that no call has been received.
    let mut io = BufReader::with_capacity(FIRST_BYTES, tls);
    if io.fill_buf().await?.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let handshake = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io));
    let (sender, connection) = handshake.await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, %address, "a connection has ended");
        }
    });
    Ok(Connection {
        sender,
        callee,
        proof,
    })
}

/// What requests say they are for.
fn origin(role: Role) -> Uri {
    let uri = Uri::builder().scheme("https").authority(dns_name(role));
    let uri = uri.path_and_query("/").build();
    uri.unwrap_or_default()
}

/// Sends requests on a connection.
pub(crate) struct Sender(SendRequest<Body>);

impl Service<Request<Body>> for Sender {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, hyper::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
