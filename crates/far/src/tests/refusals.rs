//! Who is refused: on each method the roles that may not call it, and processes without a certificate of this cluster.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Request, Status};

use super::*;
use crate::line::{Known, known};
use crate::message::{Frames, MESSAGE_BYTES_MAX};

/// More than a connection takes.
const WITHIN: Duration = Duration::from_secs(10);
const FOREVER: i32 = 4096;

/// What comes of a request that is no message.
async fn refusal(line: &Line, path: &'static str) -> Status {
    let connected = line.connected(WITHIN, MESSAGE_BYTES_MAX).await;
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
    assert!(rights.len() >= 26, "{rights:?}");
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

/// Calls every method, each on a connection of its own. Says how often there was none, and how often it was refused.
async fn refused(server: &Server, role: Role, own: &Identity) -> (usize, usize) {
    let (mut unconnected, mut denied) = (0, 0);
    for (path, _) in everything().rights() {
        let line = server.line(role, own);
        match line.connected(WITHIN, MESSAGE_BYTES_MAX).await {
            Err(_) => unconnected += 1,
            Ok(_) => {
                let refused = refusal(&line, path).await;
                assert_eq!(refused.code(), Code::PermissionDenied, "{path}");
                assert_eq!(known(&refused), Known::Refused);
                denied += 1;
            }
        }
    }
    (unconnected, denied)
}

#[tokio::test]
async fn every_method_refuses_who_is_not_of_this_cluster() {
    let authority = Authority::new();
    let all = everything().rights().len();
    let callee = authority.certify(&Role::ALL);
    let server = Server::start(everything(), callee.clone()).await;
    // Of another cluster, presented to this one; and the other way round.
    let other = Authority::new();
    let mixed = other.certify_trusting(&Role::ALL, FOREVER, &authority);
    let expired = authority.certify_until(&Role::ALL, 2021);
    for own in [mixed, other.certify(&Role::ALL), expired] {
        assert_eq!(refused(&server, Role::Counting, &own).await, (all, 0));
    }
    let nobody = authority.certify(&[]);
    assert_eq!(refused(&server, Role::Counting, &nobody).await, (0, all));
    let revoked = authority.certify(&Role::ALL);
    callee.revoke([revoked.own().serial.clone()].into());
    assert_eq!(refused(&server, Role::Counting, &revoked).await, (0, all));
}

#[tokio::test]
async fn no_method_is_called_of_who_is_not_the_callee() {
    let authority = Authority::new();
    let all = everything().rights().len();
    let own = authority.certify(&Role::ALL);
    // It has a certificate, but not that of counting.
    let worker = Server::start(everything(), authority.certify(&[Role::Worker])).await;
    assert_eq!(refused(&worker, Role::Counting, &own).await, (all, 0));
    let expired = authority.certify_until(&Role::ALL, 2021);
    let expired = Server::start(everything(), expired).await;
    assert_eq!(refused(&expired, Role::Counting, &own).await, (all, 0));
    let callee = authority.certify(&Role::ALL);
    own.revoke([callee.own().serial.clone()].into());
    let revoked = Server::start(everything(), callee).await;
    assert_eq!(refused(&revoked, Role::Counting, &own).await, (all, 0));
}

#[tokio::test]
async fn a_process_of_another_host_is_not_called_where_that_matters() {
    let authority = Authority::new();
    let own = authority.certify(&[Role::Frontend]);
    let server = Server::start(everything(), authority.certify(&[Role::Worker])).await;
    for (host, expected) in [("h1", true), ("h2", false)] {
        let line = Line::to_host(Role::Worker, host, server.address, &own);
        let connected = line.connected(WITHIN, MESSAGE_BYTES_MAX).await;
        assert_eq!(connected.is_ok(), expected, "{host}");
    }
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
