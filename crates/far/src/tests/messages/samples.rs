//! A message of each kind, of which none ever changes.

// Long: it is one list.

use std::fmt::Debug;
use std::sync::Arc;

use api::assignment::{self, Assign, Lease, LeaseNumber, Lend, Provision, Report, Standing};
use api::counting::{self, Acquire, Permit};
use api::credentials::{self, Credentials};
use api::enrolment::{self, Holder, Issued, Renew};
use api::events::{self, Accept, EventView, FunctionView, QueueView};
use api::invoke::{self, Outcome, Target};
use api::logs::{self, Recents};
use api::membership::{self, Member, Runtimes, State, View};
use api::placement::{self, Heartbeat, Place, Placed, WorkerView};
use api::preparation::{self, Prepare};
use api::requests::{self, Request, Response};
use api::worker::{Create, Invoke, StreamEvent};
use api::{Secret, worker};
use bytes::Bytes;
use records::examples;
use records::functions::FunctionVersion;
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::{
    EnvironmentId, FunctionArn, FunctionName, Inner, PermitId, ProcessId, Random, RequestId, Role,
    Timestamp, Version, WorkerId,
};

use crate::message::{decode, encode};

/// Always the same.
struct Sevens;

impl Random for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Reads bytes as a message of one type, and compares.
type Reads = Box<dyn Fn(&[u8])>;

/// A message, as this version writes it and reads it.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) written: Bytes,
    pub(super) reads: Reads,
}

fn sample<T>(name: &'static str, value: T) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    Sample {
        name,
        written: encode(&value).unwrap(),
        reads: Box::new(move |bytes| {
            let read: T = decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read, value, "{name}");
        }),
    }
}

fn function() -> Arc<FunctionVersion> {
    Arc::new(examples::function_version("f", examples::configuration()))
}

fn arn() -> FunctionArn {
    function().arn()
}

fn text() -> String {
    "text".to_owned()
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_769_854_830_123)
}

fn bytes() -> Bytes {
    Bytes::from_static(b"\x00\xff")
}

fn member() -> Member {
    Member {
        process: ProcessId::random(&Sevens),
        host: text(),
        zone: text(),
        roles: Role::ALL.into(),
        address: "[::1]:7000".parse().unwrap(),
        version: text(),
        worker: Some(WorkerId::random(&Sevens)),
        runtimes: Runtimes::default(),
        state: State::Draining,
    }
}

fn lease() -> Lease {
    Lease {
        environment: EnvironmentId::random(&Sevens),
        worker: WorkerId::random(&Sevens),
        number: LeaseNumber { term: 1, count: 2 },
        cold: true,
    }
}

fn keys() -> Credentials {
    Credentials {
        access_key_id: text(),
        secret_access_key: Secret::new("s"),
        session_token: Secret::new("t"),
        expires: at(),
    }
}

/// Of the roles between a frontend and a worker.
fn of_invokes() -> Vec<Sample> {
    let name = || FunctionName::new("f").unwrap();
    let environment = EnvironmentId::random(&Sevens);
    let acquire = Acquire {
        permit: PermitId::random(&Sevens),
        scope: examples::scope(),
        function: name(),
        version: Version::Latest,
        provisioned: 1,
        provisioned_total: 2,
        reserved: Some(3),
        account_limit: 1_000,
        reserved_total: 4,
        lasts_ms: 5,
        returned: vec![PermitId::random(&Sevens)],
    };
    let permit = Permit {
        id: PermitId::random(&Sevens),
        provisioned: true,
    };
    let limited = counting::Error::FunctionConcurrency {
        function: name(),
        limit: 3,
    };
    let report = Report {
        environment,
        function: function().key(),
        event: assignment::Event::Gone,
    };
    let standing = Standing {
        ready: 1,
        failure: Some(assignment::Error::Create {
            reason: Inner::new("x"),
        }),
    };
    let provision = Provision {
        function: function(),
        count: 1,
        held: true,
        asked: at(),
    };
    let zone = Some(text());
    let assign = Assign {
        function: function(),
        zone: zone.clone(),
    };
    let lend = Lend {
        function: function().key(),
        zone: zone.clone(),
    };
    let place = Place {
        function: function().key(),
        memory_mb: 128,
        zone,
        avoid: vec![WorkerId::random(&Sevens)],
    };
    let placed = Placed {
        worker: WorkerId::random(&Sevens),
        zone: text(),
        lease_end: at(),
    };
    // As version 1 says it.
    let heartbeat = Heartbeat {
        worker: WorkerId::random(&Sevens),
        host: String::new(),
        zone: text(),
        version: String::new(),
        memory_mb: 1,
        committed_mb: 2,
        used_mb: 3,
        draining: true,
        idle: 0,
        busy: 0,
    };
    let seen = WorkerView {
        last: Heartbeat {
            host: text(),
            version: text(),
            idle: 4,
            busy: 5,
            ..heartbeat.clone()
        },
        silent_ms: 6,
        silent: true,
    };
    let create = Create {
        environment,
        function: function(),
        credentials: keys(),
        lease_end: at(),
        ahead: true,
    };
    let invoke = Invoke {
        environment,
        lease: LeaseNumber { term: 1, count: 2 },
        request: RequestId::random(&Sevens),
        invoked_arn: arn(),
        payload: bytes(),
        client_context: Some(text()),
        trace_id: text(),
        log_tail: true,
    };
    let end = StreamEvent::End {
        error: None,
        log_tail: Some(bytes()),
    };
    let living = worker::Living {
        environment,
        function: function().key(),
        busy: true,
    };
    let worker = Some(WorkerId::random(&Sevens));
    vec![
        sample("Counting/acquire", (acquire,)),
        sample("Counting/acquire Ok", Ok::<_, counting::Error>(permit)),
        sample("Counting/acquire Err", Err::<Permit, _>(limited)),
        sample(
            "Counting/release",
            (examples::scope(), vec![PermitId::random(&Sevens)]),
        ),
        sample("Assignment/lend", (lend,)),
        sample(
            "Assignment/lend Ok",
            Ok::<_, assignment::Error>(Some(lease())),
        ),
        sample("Assignment/assign", (assign,)),
        sample("Assignment/give_back", (lease(), function().key())),
        sample("Assignment/provision", (vec![provision],)),
        sample(
            "Assignment/provision Ok",
            Ok::<_, assignment::Error>(vec![Some(standing)]),
        ),
        sample("Assignment/report", (worker, vec![report])),
        sample("Placement/place", (place,)),
        sample("Placement/place Ok", Ok::<_, placement::Error>(placed)),
        sample("Placement/heartbeat", (heartbeat,)),
        sample(
            "Placement/workers Ok",
            Ok::<_, placement::Error>(vec![seen]),
        ),
        sample("Worker/create", create),
        sample("Worker/create Ok", Ok::<_, worker::Error>(())),
        sample("Worker/invoke", invoke),
        sample(
            "Worker/invoke Err",
            Err::<(), _>(worker::Error::Busy { environment }),
        ),
        sample("Worker/invoke piece", StreamEvent::Piece(bytes())),
        sample("Worker/invoke end", end),
        sample("Worker/destroy", environment),
        sample(
            "Worker/environments Ok",
            Ok::<_, worker::Error>(vec![living]),
        ),
    ]
}

/// Of the others.
fn of_others() -> Vec<Sample> {
    let view = View {
        members: vec![member()],
        leaders: [(text(), ProcessId::random(&Sevens))].into(),
        draining_hosts: [text()].into(),
        revoked: [text()].into(),
    };
    let able = Member {
        runtimes: Runtimes {
            families: [text()].into(),
            exact: [text()].into(),
            refused: [(text(), text())].into(),
        },
        ..member()
    };
    let forged = membership::Error::Forged { what: text() };
    let renew = Renew {
        holder: Holder {
            host: text(),
            zone: text(),
            roles: Role::ALL.into(),
        },
        serial: text(),
        request: text(),
    };
    let issued = Issued {
        certificate: text(),
        authorities: text(),
        expires: at(),
    };
    let request = Request {
        method: text(),
        target: text(),
        headers: vec![(text(), bytes())],
        body: bytes(),
        size: 2,
        // As version 1 says it.
        origin: None,
    };
    let response = Response {
        status: 200,
        headers: vec![(text(), bytes())],
        body: bytes(),
    };
    let prepare = Prepare {
        account: examples::scope().account,
        packages: vec![text()],
    };
    let accept = Accept {
        request: RequestId::random(&Sevens),
        arn: arn(),
        payload: bytes(),
        trace: text(),
        function: Some(function()),
    };
    let queue = QueueView {
        queue: text(),
        waiting: 1,
        hidden: 2,
        oldest_ms: 3,
    };
    let event = EventView {
        request: RequestId::random(&Sevens),
        arn: text(),
        accepted: at(),
        invokes: 2,
        last: Some(text()),
        delivering: true,
    };
    let pending = FunctionView {
        pending: vec![event],
        failed: Vec::new(),
        incomplete: true,
    };
    let invoke = invoke::Invoke {
        request: RequestId::random(&Sevens),
        arn: arn(),
        payload: bytes(),
        trace: text(),
    };
    let target = Target {
        function: function(),
        reserved: Some(5),
    };
    let outcome = Outcome {
        function: function(),
        failed: true,
        payload: bytes(),
    };
    let recent = logs::Recent {
        id: logs::EventId {
            taker: 1,
            number: 2,
        },
        stream: text(),
        event: logs::LogEvent {
            time: at(),
            message: text(),
        },
    };
    let recents = Recents {
        events: vec![recent],
        more: true,
    };
    vec![
        sample("Membership/announce", (member(),)),
        sample("Membership/announce with runtimes", (able,)),
        sample(
            "Membership/announce Ok",
            Ok::<_, membership::Error>(Arc::new(view)),
        ),
        sample("Membership/announce Err", Err::<Arc<View>, _>(forged)),
        sample("Membership/leave", (ProcessId::random(&Sevens),)),
        sample("Enrolment/renew", (renew,)),
        sample("Enrolment/renew Ok", Ok::<_, enrolment::Error>(issued)),
        sample("RecentLogs/recent", (examples::scope(), text(), at())),
        sample("RecentLogs/recent Ok", Ok::<_, logs::Error>(recents)),
        sample("Requests/answer", (request,)),
        sample("Requests/answer Ok", Ok::<_, requests::Error>(response)),
        sample("Preparation/prepare", (prepare,)),
        sample(
            "Preparation/prepare Err",
            Err::<(), _>(preparation::Error::Damaged),
        ),
        sample("RoleCredentials/for_function", (text(), arn())),
        sample(
            "RoleCredentials/for_function Ok",
            Ok::<_, credentials::Error>(keys()),
        ),
        sample("RoleCredentials/may", (text(), arn(), text(), text())),
        sample("Events/accept", (accept,)),
        sample("Events/queues Ok", Ok::<_, events::Error>(vec![queue])),
        sample(
            "Events/function",
            (examples::scope(), FunctionName::new("f").unwrap()),
        ),
        sample("Events/function Ok", Ok::<_, events::Error>(pending)),
        sample("Invoker/target", (arn(),)),
        sample("Invoker/target Ok", Ok::<_, invoke::Error>(target)),
        sample("Invoker/may_invoke", (keys(), arn())),
        sample("Invoker/invoke", (invoke,)),
        sample("Invoker/invoke Ok", Ok::<_, invoke::Error>(outcome)),
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    let mut all = of_invokes();
    all.extend(of_others());
    all
}
