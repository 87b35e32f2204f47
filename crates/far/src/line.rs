//! The caller's side: one connection to a role of another process, made when it is needed and made again when it is
//! lost.

use std::error::Error as _;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{Loses, Lost};
use bytes::Bytes;
use http::uri::PathAndQuery;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::client::Grpc;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::message::{Frames, MESSAGE_BYTES_MAX, decode, encode};
use crate::roles::{Certificates, dns_name};
use crate::served::{Incoming, KEEPALIVE, KEEPALIVE_WITHIN};
use types::Role;

/// A connection is made within this, or the call was not received.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {role} at {address} can be prepared")]
pub struct LineError {
    role: &'static str,
    address: SocketAddr,
    #[source]
    source: tonic::transport::Error,
}

/// A connection to one role at one address. Cheap to share.
#[derive(Clone)]
pub struct Line {
    channel: Channel,
}

impl Line {
    /// Connects when the first call is made. The process there must prove that it has the role.
    pub fn new(
        role: Role,
        address: SocketAddr,
        certificates: &Certificates,
    ) -> Result<Self, LineError> {
        let prepare = || {
            let tls = ClientTlsConfig::new()
                .ca_certificate(certificates.authority.clone())
                .identity(certificates.own.clone())
                .domain_name(dns_name(role));
            let endpoint = Endpoint::from_shared(format!("https://{address}"))?
                .tls_config(tls)?
                .connect_timeout(CONNECT_WITHIN)
                .tcp_nodelay(true)
                .http2_keep_alive_interval(KEEPALIVE)
                .keep_alive_timeout(KEEPALIVE_WITHIN)
                .keep_alive_while_idle(true);
            Ok(Self {
                channel: endpoint.connect_lazy(),
            })
        };
        prepare().map_err(|source| LineError {
            role: role.word(),
            address,
            source,
        })
    }

    /// Calls a method that answers in one piece.
    pub(crate) async fn call<R, A, E>(
        &self,
        path: &'static str,
        within: Duration,
        request: &R,
    ) -> Result<A, E>
    where
        R: Serialize + Sync,
        A: DeserializeOwned,
        E: DeserializeOwned + Loses,
    {
        let answer = tokio::time::timeout(within, self.unary(path, request)).await;
        let answered = match answer {
            Ok(answered) => answered.and_then(|answer| {
                // The callee has answered, so it has received the call.
                let read = decode::<Result<A, E>>(&answer);
                read.map_err(|status| Status::data_loss(status.message()))
            }),
            Err(_) => return Err(E::lost(Lost::After)),
        };
        answered.unwrap_or_else(|status| Err(E::lost(lost(path, &status))))
    }

    async fn unary<R: Serialize + Sync>(
        &self,
        path: &'static str,
        request: &R,
    ) -> Result<Bytes, Status> {
        let request = Request::new(encode(request)?);
        let mut grpc = self.grpc().await?;
        let answer = grpc.unary(request, PathAndQuery::from_static(path), Frames);
        Ok(answer.await?.into_inner())
    }

    /// Calls a method that answers in pieces.
    pub(crate) async fn pieces<R: Serialize + Sync>(
        &self,
        path: &'static str,
        request: &R,
    ) -> Result<Incoming, Status> {
        let request = Request::new(encode(request)?);
        let mut grpc = self.grpc().await?;
        let answer = grpc.server_streaming(request, PathAndQuery::from_static(path), Frames);
        Ok(answer.await?.into_inner())
    }

    /// What comes of a request that is no message.
    #[cfg(test)]
    pub(crate) async fn refusal(&self, path: &'static str) -> Status {
        let request = Request::new(Bytes::from_static(b"\xc1"));
        let mut grpc = self.grpc().await.expect("there is a connection");
        let answer = grpc.unary(request, PathAndQuery::from_static(path), Frames);
        answer.await.expect_err("no method takes this")
    }

    async fn grpc(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(error.into()))?;
        Ok(grpc)
    }
}

/// What is known of a call that ended like this.
pub(crate) fn lost(path: &'static str, status: &Status) -> Lost {
    let certain = matches!(
        status.code(),
        // Refused before anything was done.
        Code::PermissionDenied | Code::Unimplemented | Code::InvalidArgument
    ) || was_not_connected(status);
    tracing::debug!(path, code = ?status.code(), message = status.message(), certain, "a call was lost");
    match certain {
        true => Lost::Before,
        false => Lost::After,
    }
}

/// Whether there was no connection by which the call could have been received.
fn was_not_connected(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An arrow whose callee is at the other end of a line.
pub struct Far<T: ?Sized> {
    pub(crate) line: Line,
    arrow: PhantomData<Arc<T>>,
}

impl<T: ?Sized> Far<T> {
    /// The callee at the other end.
    pub fn new(line: Line) -> Self {
        Self {
            line,
            arrow: PhantomData,
        }
    }
}
