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

use crate::identity::Identity;
use crate::message::{Frames, MESSAGE_BYTES_MAX, decode, encode};
use crate::roles::Peer;
use types::Role;

/// Connections that say nothing are asked whether they live, and closed if they do not answer.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(1);
pub(crate) const KEEPALIVE_WITHIN: Duration = Duration::from_secs(2);
/// A connection is made anew after this, which proves anew who its two ends are: nobody is served for longer than so
/// after its certificate has expired. Calls under way are finished.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3_600);
/// Calls under way on a connection at most.
const CALLS_MAX: u32 = 10_000;

type Whole = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Bytes, Status>> + Send + Sync>;
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
    callers: &'static [Role],
    answers: Answers,
}

/// What a process serves to others.
#[derive(Clone, Default)]
pub struct Served {
    methods: HashMap<&'static str, Method>,
}

impl Served {
    /// A method that answers in one piece.
    pub(crate) fn method<R, A, F>(
        &mut self,
        path: &'static str,
        callers: &'static [Role],
        call: impl Fn(R) -> F + Send + Sync + 'static,
    ) where
        R: DeserializeOwned,
        A: Serialize,
        F: Future<Output = A> + Send + 'static,
    {
        let whole = move |request: Bytes| match decode(&request) {
            Ok(request) => {
                let answer = call(request);
                async move { encode(&answer.await) }.boxed()
            }
            Err(malformed) => std::future::ready(Err(malformed)).boxed(),
        };
        let answers = Answers::Whole(Arc::new(whole));
        self.methods.insert(path, Method { callers, answers });
    }

    /// A method that answers in pieces, which its caller paces.
    pub(crate) fn in_pieces<R, F>(
        &mut self,
        path: &'static str,
        callers: &'static [Role],
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
        self.methods.insert(path, Method { callers, answers });
    }

    /// Every method, and who may call it, in order of their paths.
    pub fn rights(&self) -> Vec<(&'static str, &'static [Role])> {
        let methods = self.methods.iter();
        let mut rights: Vec<_> = methods
            .map(|(path, method)| (*path, method.callers))
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

    /// The method that a request calls, if the peer may.
    fn method_for(&self, request: &Request<Body>, identity: &Identity) -> Result<Method, Status> {
        let path = request.uri().path();
        let method = self.methods.get(path);
        let method = method.ok_or_else(|| Status::unimplemented(path.to_owned()))?;
        let peer = request.extensions().get::<Arc<Peer>>();
        let peer = peer.ok_or_else(|| Status::unauthenticated("no certificate"))?;
        if identity.has_revoked(peer) {
            tracing::warn!(
                path,
                host = peer.host,
                serial = peer.serial,
                "a call was refused: the caller's certificate is revoked"
            );
            return Err(Status::permission_denied(path.to_owned()));
        }
        if !peer.roles.iter().any(|role| method.callers.contains(role)) {
            let roles: Vec<&str> = peer.roles.iter().map(|role| role.word()).collect();
            tracing::warn!(
                path,
                host = peer.host,
                ?roles,
                "a call was refused: the caller's certificate has no role for it"
            );
            return Err(Status::permission_denied(path.to_owned()));
        }
        Ok(method.clone())
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
            let mut grpc = Grpc::new(Frames)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX);
            Ok(match method {
                Err(refused) => refused.into_http(),
                Ok(method) => match method.answers {
                    Answers::Whole(whole) => grpc.unary(AsWhole(whole), request).await,
                    Answers::InPieces(pieces) => {
                        grpc.server_streaming(AsPieces(pieces), request).await
                    }
                },
            })
        }
        .boxed()
    }
}

struct AsWhole(Whole);

impl UnaryService<Bytes> for AsWhole {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let answer = (self.0)(request.into_inner());
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
