//! What callers say of themselves, and what their certificates say.

use std::collections::BTreeSet;
use std::time::Duration;

use api::assignment::{self, Assignment};
use api::enrolment::{self, Enrolment, Holder, Renew};
use api::membership::{self, Member, Membership, State, View};
use api::placement::{self, Heartbeat, Placement};
use api::requests::{Request, Requests};
use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::watch;
use tonic::Code;
use types::{ProcessId, SystemRandom, WorkerId};

use super::nothing::Nothing;
use super::*;
use crate::Far;
use crate::health::CHECK;
use crate::message::{Frames, MESSAGE_BYTES_MAX};

/// More than a connection takes.
const WITHIN: Duration = Duration::from_secs(10);

/// A member on a host, with a worker.
fn member(host: &str) -> Member {
    Member {
        process: ProcessId::random(&SystemRandom),
        host: host.to_owned(),
        zone: "a".to_owned(),
        roles: BTreeSet::from([Role::Worker]),
        address: "127.0.0.1:1".parse().unwrap(),
        version: "1".to_owned(),
        worker: Some(WorkerId::random(&SystemRandom)),
        runtimes: membership::Runtimes::default(),
        state: State::Ready,
    }
}

/// A cluster with one member on the caller's host and one on another, and a process that serves everything.
struct Known {
    authority: Authority,
    server: Server,
    here: Member,
    there: Member,
}

impl Known {
    async fn new() -> Self {
        let authority = Authority::new();
        let (here, there) = (member("h1"), member("h2"));
        let view = View {
            members: vec![here.clone(), there.clone()],
            ..View::default()
        };
        let (_, views) = watch::channel(Arc::new(view));
        let served = everything().knowing(views);
        let server = Server::start(served, authority.certify(&Role::ALL)).await;
        Self {
            authority,
            server,
            here,
            there,
        }
    }

    fn far<T: ?Sized>(&self, roles: &[Role]) -> Far<T> {
        let own = self.authority.certify(roles);
        Far::new(self.server.line(Role::Placement, &own))
    }
}

#[tokio::test]
async fn a_member_is_what_its_certificate_says() {
    let known = Known::new().await;
    let worker: Far<dyn Membership> = known.far(&[Role::Worker, Role::Counting]);
    let good = known.here.clone();
    worker.announce(good.clone()).await.unwrap();
    worker.announce(member("h1")).await.unwrap();
    let forgeries = [
        ("host", member("h2")),
        (
            "zone",
            Member {
                zone: "b".to_owned(),
                ..good.clone()
            },
        ),
        (
            "roles",
            Member {
                roles: [Role::Worker, Role::Control].into(),
                ..good.clone()
            },
        ),
        (
            "process",
            Member {
                process: known.there.process,
                ..good.clone()
            },
        ),
        (
            "worker",
            Member {
                worker: known.there.worker,
                ..good
            },
        ),
    ];
    for (what, forged) in forgeries {
        let what = what.to_owned();
        let refused = worker.announce(forged).await;
        assert_eq!(refused, Err(membership::Error::Forged { what }));
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_by_its_holder() {
    let known = Known::new().await;
    let own = known.authority.certify(&[Role::Worker]);
    let far: Far<dyn Enrolment> = Far::new(known.server.line(Role::Control, &own));
    let good = Renew {
        holder: Holder {
            host: "h1".to_owned(),
            zone: "a".to_owned(),
            roles: [Role::Worker].into(),
        },
        serial: own.own().serial.clone(),
        request: String::new(),
    };
    // It came through.
    assert_eq!(
        far.renew(good.clone()).await,
        Err(enrolment::Error::Malformed)
    );
    let forge = |what: &'static str, change: fn(&mut Renew)| {
        let mut forged = good.clone();
        change(&mut forged);
        (what, forged)
    };
    for (what, forged) in [
        forge("host", |renew| "h2".clone_into(&mut renew.holder.host)),
        forge("zone", |renew| "b".clone_into(&mut renew.holder.zone)),
        forge("roles", |renew| renew.holder.roles = Role::ALL.into()),
        forge("serial", |renew| renew.serial.push('0')),
    ] {
        let what = what.to_owned();
        let refused = far.renew(forged).await;
        assert_eq!(refused, Err(enrolment::Error::Forged { what }));
    }
}

#[tokio::test]
async fn a_process_is_ended_by_its_own_host() {
    let known = Known::new().await;
    let worker: Far<dyn Membership> = known.far(&[Role::Worker]);
    assert_eq!(worker.leave(known.here.process).await, Ok(()));
    let unknown = ProcessId::random(&SystemRandom);
    assert_eq!(worker.leave(unknown).await, Ok(()));
    let refused = worker.leave(known.there.process).await;
    assert_eq!(refused, Err(membership::Error::Unavailable));
}

#[tokio::test]
async fn a_heartbeat_is_of_a_worker_of_its_host() {
    let known = Known::new().await;
    let placement: Far<dyn Placement> = known.far(&[Role::Worker]);
    let heartbeat = |worker: Option<WorkerId>, zone: &str| Heartbeat {
        worker: worker.unwrap(),
        host: String::new(),
        zone: zone.to_owned(),
        version: String::new(),
        memory_mb: 1,
        committed_mb: 0,
        used_mb: 0,
        draining: false,
        idle: 0,
        busy: 0,
    };
    let good = heartbeat(known.here.worker, "a");
    let named = |host: &str| Heartbeat {
        host: host.to_owned(),
        ..good.clone()
    };
    assert_eq!(placement.heartbeat(named(&known.here.host)).await, Ok(()));
    let elsewhere = named(&known.there.host);
    assert_eq!(placement.heartbeat(good.clone()).await, Ok(()));
    for forged in [
        heartbeat(known.there.worker, "a"),
        heartbeat(Some(WorkerId::random(&SystemRandom)), "a"),
        heartbeat(known.here.worker, "b"),
        elsewhere,
    ] {
        let refused = placement.heartbeat(forged).await;
        assert_eq!(refused, Err(placement::Error::Unavailable));
    }
}

#[tokio::test]
async fn reports_are_of_a_worker_of_its_host_or_of_a_frontend() {
    let known = Known::new().await;
    let unknown = Some(WorkerId::random(&SystemRandom));
    let lost = Err(assignment::Error::Unavailable);
    let worker: Far<dyn Assignment> = known.far(&[Role::Worker]);
    assert_eq!(worker.report(known.here.worker, Vec::new()).await, Ok(()));
    for forged in [known.there.worker, unknown, None] {
        assert_eq!(worker.report(forged, Vec::new()).await, lost);
    }
    let frontend: Far<dyn Assignment> = known.far(&[Role::Frontend]);
    assert_eq!(frontend.report(None, Vec::new()).await, Ok(()));
    assert_eq!(frontend.report(known.there.worker, Vec::new()).await, lost);
}

#[tokio::test]
async fn a_process_that_knows_no_members_believes_no_worker() {
    let authority = Authority::new();
    let server = Server::start(everything(), authority.certify(&[Role::Assignment])).await;
    let own = authority.certify(&[Role::Worker]);
    let far: Far<dyn Assignment> = Far::new(server.line(Role::Assignment, &own));
    let refused = far.report(member("h1").worker, Vec::new()).await;
    assert_eq!(refused, Err(assignment::Error::Unavailable));
}

#[tokio::test]
async fn the_largest_request_of_a_client_goes_through_and_back() {
    let known = Known::new().await;
    let far: Far<dyn Requests> = known.far(&[Role::Frontend]);
    let request = |bytes: usize| Request {
        method: "POST".to_owned(),
        target: "/".to_owned(),
        headers: Vec::new(),
        body: Bytes::from(vec![b'x'; bytes]),
        size: bytes as u64,
        origin: None,
    };
    let response = far.answer(request(70_167_211)).await.unwrap();
    assert_eq!(response.body.len(), 70_167_211);
    assert!(far.answer(request(80_000_000)).await.is_err());
}

#[tokio::test]
async fn other_methods_take_no_message_that_long() {
    let known = Known::new().await;
    let own = known.authority.certify(&[Role::Frontend]);
    let line = known.server.line(Role::Counting, &own);
    let mut grpc = line.connected(WITHIN, 80 << 20).await.unwrap();
    grpc.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]));
    let path = PathAndQuery::from_static("/lambent.Counting/acquire");
    let refused = grpc.unary(request, path, Frames).await;
    assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn whoever_has_a_certificate_may_ask_for_health() {
    let authority = Authority::new();
    let mut served = Served::default();
    served.counting(Arc::new(Nothing));
    served.health();
    let server = Server::start(served, authority.certify(&[Role::Counting])).await;
    let own = authority.certify(&[Role::Worker]);
    let line = server.line(Role::Counting, &own);
    let check = async |request: &'static [u8]| {
        let mut grpc = line.connected(WITHIN, MESSAGE_BYTES_MAX).await.unwrap();
        grpc.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::from_static(request));
        let answer = grpc.unary(request, PathAndQuery::from_static(CHECK), Frames);
        answer
            .await
            .map(tonic::Response::into_inner)
            .map_err(|status| status.code())
    };
    let serving = Ok(Bytes::from_static(&[8, 1]));
    assert_eq!(check(b"").await, serving);
    assert_eq!(check(b"\x0a\x10lambent.Counting").await, serving);
    assert_eq!(check(b"\x0a\x0elambent.Worker").await, Err(Code::NotFound));
    assert_eq!(check(b"\xff").await, Err(Code::InvalidArgument));
}
