//! Who is refused: on each method the roles that may not call it, and processes without a certificate of this cluster.

use std::io;
use std::time::Duration;

use api::counting::{Counting, Error};
use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Request, Status};

use super::calls::acquire;
use super::*;
use crate::Far;
use crate::line::{Known, known};
use crate::message::{Frames, MESSAGE_BYTES_MAX};

/// What comes of a request that is no message.
async fn refusal(line: &Line, path: &'static str) -> Status {
    let within = Duration::from_secs(10);
    let connected = line.connected(within, MESSAGE_BYTES_MAX).await;
    let mut grpc = connected.expect("there is a connection");
    grpc.ready().await.unwrap();
    let request = Request::new(Bytes::from_static(b"\xc1"));
    let answer = grpc.unary(request, PathAndQuery::from_static(path), Frames);
    answer.await.expect_err("no method takes this")
}

#[tokio::test]
async fn every_method_refuses_every_role_that_may_not_call_it() {
    let authority = Authority::new();
    let all = authority.certify(&Role::ALL);
    let rights = everything().rights();
    assert!(rights.len() >= 14, "{rights:?}");
    let server = Server::start(everything(), all).await;
    for role in Role::ALL {
        let own = authority.certify(&[role]);
        let line = server.line(Role::Worker, &own);
        for (path, callers) in &rights {
            // What is sent is no request: who may call is told so, the others are refused before it is read.
            let refused = refusal(&line, path).await;
            let expected = match callers.contains(&role) {
                true => Code::InvalidArgument,
                false => Code::PermissionDenied,
            };
            assert_eq!(refused.code(), expected, "{path} by {role:?}");
            assert_eq!(known(&refused), Known::Refused);
        }
    }
}

async fn is_refused(server: &Server, own: &Identity) {
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, own));
    assert_eq!(
        counting.acquire(acquire(None)).await,
        Err(Error::Unavailable)
    );
}

#[tokio::test]
async fn certificates_of_others_expired_ones_and_wrong_roles_are_refused() {
    let authority = Authority::new();
    let server = Server::start(everything(), authority.certify(&[Role::Counting])).await;
    let good = authority.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &good));
    counting.acquire(acquire(None)).await.unwrap();
    // Of another cluster, presented to this one; and the other way round.
    let other = Authority::new();
    let mixed = other.certify_trusting(&[Role::Frontend], 4096, &authority);
    let other = other.certify(&[Role::Frontend]);
    is_refused(&server, &mixed).await;
    is_refused(&server, &other).await;
    is_refused(&server, &authority.certify_until(&[Role::Frontend], 2021)).await;
    is_refused(&server, &authority.certify(&[])).await;
    // A process that has a certificate, but not that of counting, cannot pass for it.
    let worker = Server::start(everything(), authority.certify(&[Role::Worker])).await;
    is_refused(&worker, &good).await;
}

#[tokio::test]
async fn plain_tcp_is_refused() {
    let authority = Authority::new();
    let server = Server::start(everything(), authority.certify(&[Role::Counting])).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let read: io::Result<usize> = plain.read_to_end(&mut answer).await;
    // An alert of TLS at most, and the end.
    assert!(read.is_err() || answer.len() < 16, "{answer:?}");
}
