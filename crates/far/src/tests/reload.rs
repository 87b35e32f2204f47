//! Certificates that are replaced, and revoked, while calls are made.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::counting::{Counting, Error};
use api::worker::{Body, Worker};
use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::calls::{Echo, acquire, invoke};
use super::*;
use crate::Far;

const FOREVER: i32 = 4096;

/// Uses a new certificate of an authority.
fn renew(identity: &Identity, authority: &Authority, roles: &[Role]) {
    let (certificate, key) = authority.pem(roles, FOREVER);
    let authorities = authority.0.pem();
    identity.replace(&authorities, &certificate, &key).unwrap();
}

#[tokio::test]
async fn new_connections_use_the_newest_certificate() {
    let (old, new) = (Authority::new(), Authority::new());
    let callee = old.certify(&[Role::Counting]);
    let server = Server::start(everything(), callee.clone()).await;
    let caller = old.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &caller));
    counting.acquire(acquire(None)).await.unwrap();
    // The caller's alone: the callee does not know that authority, and the caller does not know the callee's.
    let before = caller.own();
    renew(&caller, &new, &[Role::Frontend]);
    assert_ne!(caller.own().serial, before.serial);
    let refused = counting.acquire(acquire(None)).await;
    assert_eq!(refused, Err(Error::Unavailable));
    renew(&callee, &new, &[Role::Counting]);
    counting.acquire(acquire(None)).await.unwrap();
}

#[tokio::test]
async fn a_call_under_way_outlives_the_certificates_it_began_with() {
    let (old, new) = (Authority::new(), Authority::new());
    let echo = Arc::new(Echo::default());
    let mut served = Served::default();
    served.worker(echo.clone());
    let callee = old.certify(&[Role::Worker]);
    let server = Server::start(served, callee.clone()).await;
    let caller = old.certify(&[Role::Frontend]);
    let worker: Far<dyn Worker> = Far::new(server.line(Role::Worker, &caller));
    let response = worker.invoke(invoke(Bytes::new(), Some(400))).await;
    let Body::Stream(mut stream) = response.unwrap().body else {
        panic!("it comes in pieces")
    };
    renew(&caller, &new, &[Role::Frontend]);
    renew(&callee, &new, &[Role::Worker]);
    worker.invoke(invoke(Bytes::new(), None)).await.unwrap();
    let mut events = 0;
    while stream.next().await.is_some() {
        events += 1;
    }
    assert_eq!((events, echo.begun.load(Ordering::SeqCst)), (401, 2));
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_and_the_old_one_kept() {
    let authority = Authority::new();
    let identity = authority.certify(&[Role::Frontend]);
    let (certificate, key) = authority.pem(&[Role::Frontend], FOREVER);
    let (other, _) = authority.pem(&[Role::Frontend], FOREVER);
    let trusted = authority.0.pem();
    let before = identity.own();
    for [trusted, certificate, key] in [
        ["", &certificate, &key],
        ["no certificate", &certificate, &key],
        [&trusted, "", &key],
        [&trusted, &certificate, ""],
        [&trusted, &certificate, &certificate],
        [&trusted, &other, &key],
    ] {
        assert!(identity.replace(trusted, certificate, key).is_err());
    }
    assert_eq!(identity.own(), before);
}

fn revoked(identity: &Identity) -> BTreeSet<String> {
    BTreeSet::from([identity.own().serial.clone()])
}

#[tokio::test]
async fn a_revoked_caller_is_refused_on_the_connection_that_it_has() {
    let authority = Authority::new();
    let callee = authority.certify(&[Role::Counting]);
    let server = Server::start(everything(), callee.clone()).await;
    let caller = authority.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &caller));
    counting.acquire(acquire(None)).await.unwrap();
    callee.revoke(revoked(&caller));
    let refused = counting.acquire(acquire(None)).await;
    assert_eq!(refused, Err(Error::Unavailable));
    // Others are not, nor is the same process with another certificate.
    renew(&caller, &authority, &[Role::Frontend]);
    counting.acquire(acquire(None)).await.unwrap();
}

#[tokio::test]
async fn a_revoked_callee_is_not_called_on_the_connection_that_there_is() {
    let authority = Authority::new();
    let callee = authority.certify(&[Role::Counting]);
    let server = Server::start(everything(), callee.clone()).await;
    let caller = authority.certify(&[Role::Frontend]);
    let counting: Far<dyn Counting> = Far::new(server.line(Role::Counting, &caller));
    counting.acquire(acquire(None)).await.unwrap();
    caller.revoke(revoked(&callee));
    for _ in 0..2 {
        let refused = counting.acquire(acquire(None)).await;
        assert_eq!(refused, Err(Error::Unavailable));
    }
    renew(&callee, &authority, &[Role::Counting]);
    let answered = timeout(Duration::from_secs(10), async {
        while counting.acquire(acquire(None)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    answered.await.unwrap();
}
