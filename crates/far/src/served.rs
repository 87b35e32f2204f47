//! The callee's side: methods by path, each with the roles that may call it.

mod accepted;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::BoxStream;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::transport::Server;
use tonic::{Status, Streaming};
use tower_service::Service;

use crate::callers::{Caller, Hosts, NoHosts, Refusals};
use crate::identity::Identity;
use crate::message::{Frames, decode, encode};
use crate::roles::Peer;
use types::Role;

/// Connections that say nothing are asked whether they live, and closed if they do not answer.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(1);
pub(crate) const KEEPALIVE_WITHIN: Duration = Duration::from_secs(2);
/// A connection is re-created after this, which proves again who its two ends are: nobody is served for longer than so
/// after its certificate has expired. Calls under way are finished.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3_600);
/// Calls under way on a connection at most.
const CALLS_MAX: u32 = 10_000;

pub(crate) type Whole =
    Arc<dyn Fn(Caller, Bytes) -> BoxFuture<'static, Result<Bytes, Status>> + Send + Sync>;
type Pieces = BoxStream<'static, Result<Bytes, Status>>;
type InPieces = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Pieces, Status>> + Send + Sync>;

/// How a method answers.
#[derive(Clone)]
enum Answers {
    Whole(Whole),
    InPieces(InPieces),
}

#[derive(Clone)]
struct Method {
    rights: Rights,
    answers: Answers,
}

/// What a method lets through.
#[derive(Clone, Copy)]
pub(crate) struct Rights {
    /// Who may call it.
    pub(crate) callers: &'static [Role],
    /// The longest request and the longest answer, bytes.
    pub(crate) largest: usize,
}

/// What a process serves to others.
#[derive(Clone)]
pub struct Served {
    methods: HashMap<&'static str, Method>,
    hosts: Arc<dyn Hosts>,
    refusals: Arc<Refusals>,
}

impl Default for Served {
    fn default() -> Self {
        Self {
            methods: HashMap::new(),
            hosts: Arc::new(NoHosts),
            refusals: Arc::new(Refusals::new()),
        }
    }
}

impl Served {
    /// Who is where. Without it no worker is known, and what any says is refused.
    pub fn knowing(mut self, hosts: impl Hosts + 'static) -> Self {
        self.hosts = Arc::new(hosts);
        self
    }

    /// A method that answers in one piece, unless it refuses the caller.
    pub(crate) fn method<R, A, F>(
        &mut self,
        path: &'static str,
        rights: Rights,
        call: impl Fn(Caller, R) -> F + Send + Sync + 'static,
    ) where
        R: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Result<A, Status>> + Send + 'static,
    {
        let whole = move |caller: Caller, request: Bytes| match decode(&request) {
            Ok(request) => {
                let answer = call(caller, request);
                async move { encode(&answer.await?) }.boxed()
            }
            Err(malformed) => std::future::ready(Err(malformed)).boxed(),
        };
        self.bare(path, rights, Arc::new(whole));
    }

    /// A method whose messages are of a form of their own.
    pub(crate) fn bare(&mut self, path: &'static str, rights: Rights, answer: Whole) {
        let answers = Answers::Whole(answer);
        self.methods.insert(path, Method { rights, answers });
    }

    /// A method that answers in pieces, which its caller paces.
    pub(crate) fn in_pieces<R, F>(
        &mut self,
        path: &'static str,
        rights: Rights,
        call: impl Fn(R) -> F + Send + Sync + 'static,
    ) where
        R: DeserializeOwned,
        F: Future<Output = Result<Pieces, Status>> + Send + 'static,
    {
        let in_pieces = move |request: Bytes| match decode(&request) {
            Ok(request) => call(request).boxed(),
            Err(malformed) => std::future::ready(Err(malformed)).boxed(),
        };
        let answers = Answers::InPieces(Arc::new(in_pieces));
        self.methods.insert(path, Method { rights, answers });
    }

    /// Every method, and who may call it, in order of their paths.
    pub fn rights(&self) -> Vec<(&'static str, &'static [Role])> {
        let methods = self.methods.iter();
        let mut rights: Vec<_> = methods
            .map(|(path, method)| (*path, method.rights.callers))
            .collect();
        rights.sort_unstable();
        rights
    }

    /// Serves at a listener until `stop`; calls under way are finished. Each connection is accepted with the newest
    /// certificate of `identity`.
    pub async fn serve(
        self,
        listener: TcpListener,
        identity: &Identity,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
            .max_concurrent_streams(Some(CALLS_MAX))
            .max_connection_age(CONNECTION_AGE_MAX);
        let connections = accepted::connections(listener, identity.clone());
        server
            .serve_with_incoming_shutdown(
                Calls(Arc::new(self), identity.clone()),
                connections,
                stop.cancelled_owned(),
            )
            .await
            .map_err(io::Error::other)
    }

    /// The method that a request calls, and who calls it, if it may.
    fn method_for(
        &self,
        request: &Request<Body>,
        identity: &Identity,
    ) -> Result<(Method, Caller), Status> {
        let path = request.uri().path();
        let method = self.methods.get(path);
        let method = method.ok_or_else(|| Status::unimplemented(path.to_owned()))?;
        let peer = request.extensions().get::<Arc<Peer>>();
        let peer = peer.ok_or_else(|| Status::unauthenticated("no certificate"))?;
        let refused = |why: &'static str| {
            self.refusals.tell(peer, path, why);
            Err(Status::permission_denied(why))
        };
        if identity.has_revoked(peer) {
            return refused("the caller's certificate is revoked");
        }
        let callers = method.rights.callers;
        if !peer.roles.iter().any(|role| callers.contains(role)) {
            return refused("the caller's certificate has no role for it");
        }
        let caller = Caller {
            peer: Arc::clone(peer),
            hosts: Arc::clone(&self.hosts),
            refusals: Arc::clone(&self.refusals),
        };
        Ok((method.clone(), caller))
    }
}

/// One request after the other.
#[derive(Clone)]
struct Calls(Arc<Served>, Identity);

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.0.method_for(&request, &self.1);
        async move {
            let (method, caller) = match method {
                Ok(allowed) => allowed,
                Err(refused) => return Ok(refused.into_http()),
            };
            let mut grpc = Grpc::new(Frames)
                .max_decoding_message_size(method.rights.largest)
                .max_encoding_message_size(method.rights.largest);
            Ok(match method.answers {
                Answers::Whole(whole) => grpc.unary(AsWhole(whole, caller), request).await,
                Answers::InPieces(pieces) => grpc.server_streaming(AsPieces(pieces), request).await,
            })
        }
        .boxed()
    }
}

struct AsWhole(Whole, Caller);

impl UnaryService<Bytes> for AsWhole {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let answer = (self.0)(self.1.clone(), request.into_inner());
        async move { answer.await.map(tonic::Response::new) }.boxed()
    }
}

struct AsPieces(InPieces);

impl ServerStreamingService<Bytes> for AsPieces {
    type Response = Bytes;
    type ResponseStream = Pieces;
    type Future = BoxFuture<'static, Result<tonic::Response<Pieces>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let answer = (self.0)(request.into_inner());
        async move { answer.await.map(tonic::Response::new) }.boxed()
    }
}

/// What comes in pieces, as the caller's side reads it.
pub(crate) type Incoming = Streaming<Bytes>;
