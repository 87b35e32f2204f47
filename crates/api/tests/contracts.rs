//! Everything that is sent over an arrow is equal after being serialised and read back.

// Long: one rule for all arrows, and a list of everything that they send.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fmt::Debug;
use std::sync::Arc;

use api::{
    Secret, assignment, counting, credentials, enrolment, events, invoke, logs, lost, membership,
    placement, preparation, requests, worker,
};
use bytes::Bytes;
use records::examples;
use records::functions::FunctionVersion;
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::{
    EnvironmentId, FunctionArn, FunctionName, Inner, Origin, PermitId, ProcessId, RequestId, Role,
    SystemRandom, Timestamp, Transport, Version, WorkerId,
};

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    values: impl IntoIterator<Item = T>,
) {
    for value in values {
        let sent = serde_json::to_vec(&value).unwrap();
        let back: T = serde_json::from_slice(&sent).unwrap();
        assert_eq!(back, value);
    }
}

fn text() -> String {
    "ä \"x\"\n\u{0}".to_owned()
}

fn bytes() -> Bytes {
    Bytes::from_static(b"\x00\xff{\"a\": 1}")
}

fn name() -> FunctionName {
    FunctionName::new("f").unwrap()
}

fn function() -> Arc<FunctionVersion> {
    Arc::new(examples::function_version("f", examples::configuration()))
}

fn arn() -> FunctionArn {
    FunctionArn {
        scope: examples::scope(),
        name: name(),
        qualifier: None,
    }
}

fn request() -> RequestId {
    RequestId::random(&SystemRandom)
}

fn environment() -> EnvironmentId {
    EnvironmentId::random(&SystemRandom)
}

fn number() -> assignment::LeaseNumber {
    let (term, count) = (u64::MAX, 1);
    assignment::LeaseNumber { term, count }
}

fn worker_id() -> WorkerId {
    WorkerId::random(&SystemRandom)
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_769_854_830_123)
}

fn inner() -> Inner {
    Inner::new("/var/lib/x: no space")
}

fn keys() -> credentials::Credentials {
    credentials::Credentials {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: Secret::new("s"),
        session_token: Secret::new(text()),
        expires: at(),
    }
}

fn file_systems() -> [worker::FileSystemError; 3] {
    let arn = text();
    [
        worker::FileSystemError::Failure { arn: arn.clone() },
        worker::FileSystemError::Connectivity { arn: arn.clone() },
        worker::FileSystemError::Timeout { arn },
    ]
}

fn unsupported() -> [worker::Unsupported; 2] {
    let architecture = text();
    [
        worker::Unsupported::Runtime { runtime: text() },
        worker::Unsupported::Architecture { architecture },
    ]
}

#[test]
fn what_assignment_hears_and_says() {
    comes_back([None, Some(text())].map(|zone| assignment::Assign {
        function: function(),
        zone,
    }));
    comes_back([None, Some(text())].map(|zone| assignment::Lend {
        function: function().key(),
        zone,
    }));
    comes_back([assignment::Lease {
        environment: environment(),
        worker: worker_id(),
        number: number(),
        cold: true,
    }]);
    let idle = assignment::Event::Idle { seen: number() };
    let events = [idle, assignment::Event::Gone];
    comes_back(events.map(|event| assignment::Report {
        environment: environment(),
        function: function().key(),
        event,
    }));
    comes_back([assignment::Provision {
        function: function(),
        count: u32::MAX,
        held: true,
        asked: at(),
    }]);
    let mut errors = vec![
        assignment::Error::NoCapacity { function: text() },
        assignment::Error::Create { reason: inner() },
        assignment::Error::Role { role: text() },
        assignment::Error::Init { error_type: text() },
        assignment::Error::Unavailable,
    ];
    errors.extend(file_systems().map(assignment::Error::FileSystem));
    errors.extend(unsupported().map(|what| assignment::Error::Unsupported {
        what,
        reason: inner(),
    }));
    comes_back(errors.iter().cloned().map(|error| assignment::Standing {
        ready: 3,
        failure: Some(error),
    }));
    comes_back(errors);
}

#[test]
fn what_counting_hears_and_says() {
    comes_back([None, Some(0)].map(|reserved| counting::Acquire {
        permit: PermitId::random(&SystemRandom),
        scope: examples::scope(),
        function: name(),
        version: Version::Latest,
        provisioned: 1,
        provisioned_total: 2,
        reserved,
        account_limit: 1_000,
        reserved_total: u32::MAX,
        lasts_ms: u64::MAX,
        returned: vec![PermitId::random(&SystemRandom)],
    }));
    comes_back([counting::Permit {
        id: PermitId::random(&SystemRandom),
        provisioned: true,
    }]);
    let (function, per_second) = (name(), 10);
    comes_back([
        counting::Error::FunctionConcurrency {
            function: name(),
            limit: 0,
        },
        counting::Error::AccountConcurrency { limit: 9 },
        counting::Error::FunctionRate {
            function,
            per_second,
        },
        counting::Error::AccountRate { per_second },
        counting::Error::ScalingRate { function: name() },
        counting::Error::Unavailable,
    ]);
}

fn heartbeat() -> placement::Heartbeat {
    placement::Heartbeat {
        worker: worker_id(),
        host: text(),
        zone: text(),
        version: text(),
        memory_mb: u64::MAX,
        committed_mb: 1,
        used_mb: 2,
        draining: true,
        idle: 3,
        busy: 4,
    }
}

#[test]
fn what_placement_hears_and_says() {
    comes_back([placement::Place {
        function: function().key(),
        memory_mb: 128,
        zone: None,
        avoid: vec![worker_id(), worker_id()],
    }]);
    comes_back([placement::Placed {
        worker: worker_id(),
        zone: text(),
        lease_end: at(),
    }]);
    comes_back([heartbeat()]);
    comes_back([placement::WorkerView {
        last: heartbeat(),
        silent_ms: 5,
        silent: true,
    }]);
    comes_back([
        placement::Error::NoCapacity { memory_mb: 10_240 },
        placement::Error::Unavailable,
    ]);
}

fn member(state: membership::State) -> membership::Member {
    membership::Member {
        process: ProcessId::random(&SystemRandom),
        host: text(),
        zone: text(),
        roles: Role::ALL.into(),
        address: "[::1]:7000".parse().unwrap(),
        version: text(),
        worker: Some(worker_id()),
        runtimes: membership::Runtimes {
            families: [text()].into(),
            exact: [text()].into(),
            refused: [(text(), text())].into(),
        },
        state,
    }
}

#[test]
fn who_is_a_member() {
    let states = [
        membership::State::Starting,
        membership::State::Ready,
        membership::State::Draining,
    ];
    let members = states.map(member);
    comes_back(members.clone());
    comes_back([membership::View {
        leaders: [(text(), members[0].process)].into(),
        members: members.into(),
        draining_hosts: [text()].into(),
        revoked: [text()].into(),
    }]);
    comes_back([
        membership::Error::Forged { what: text() },
        membership::Error::Unavailable,
    ]);
    comes_back(Role::ALL);
}

#[test]
fn how_a_certificate_is_renewed() {
    let holder = enrolment::Holder {
        host: text(),
        zone: text(),
        roles: Role::ALL.into(),
    };
    comes_back([holder.clone()]);
    comes_back([enrolment::Renew {
        holder,
        serial: text(),
        request: text(),
    }]);
    comes_back([enrolment::Issued {
        certificate: text(),
        authorities: text(),
        expires: at(),
    }]);
    comes_back([
        enrolment::Error::Forged { what: text() },
        enrolment::Error::Malformed,
        enrolment::Error::Revoked,
        enrolment::Error::Unavailable,
    ]);
}

#[test]
fn what_control_answers() {
    comes_back([requests::Request {
        method: text(),
        target: text(),
        headers: vec![(text(), bytes())],
        body: bytes(),
        size: u64::MAX,
        origin: Some(Origin {
            address: [192, 0, 2, 7].into(),
            transport: Transport::Tls,
        }),
    }]);
    comes_back([requests::Response {
        status: 200,
        headers: vec![(text(), bytes())],
        body: bytes(),
    }]);
    comes_back([requests::Error::Unavailable]);
}

#[test]
fn what_is_lost() {
    comes_back([lost::Lost::Before, lost::Lost::After]);
}

#[test]
fn what_is_prepared() {
    comes_back([preparation::Prepare {
        account: examples::scope().account,
        packages: vec![text(), String::new()],
    }]);
    comes_back([
        preparation::Error::Invalid { reason: inner() },
        preparation::Error::Damaged,
        preparation::Error::Failed { reason: inner() },
        preparation::Error::Unavailable,
    ]);
}

#[test]
fn what_a_worker_hears_and_says() {
    comes_back([true, false].map(|busy| worker::Living {
        environment: environment(),
        function: function().key(),
        busy,
    }));
    comes_back([worker::Create {
        environment: environment(),
        function: function(),
        credentials: keys(),
        lease_end: at(),
        ahead: true,
    }]);
    comes_back([None, Some(text())].map(|client_context| worker::Invoke {
        environment: environment(),
        lease: number(),
        request: request(),
        invoked_arn: arn(),
        payload: bytes(),
        client_context,
        trace_id: text(),
        log_tail: true,
    }));
    let failed = worker::StreamError {
        error_type: text(),
        body: bytes(),
    };
    comes_back([
        worker::StreamEvent::Piece(bytes()),
        worker::StreamEvent::Piece(Bytes::new()),
        worker::StreamEvent::End {
            error: None,
            log_tail: None,
        },
        worker::StreamEvent::End {
            error: Some(failed),
            log_tail: Some(bytes()),
        },
    ]);
    let environment = environment();
    let mut errors = vec![
        worker::Error::NotFound { environment },
        worker::Error::Busy { environment },
        worker::Error::Full,
        worker::Error::Sandbox { reason: inner() },
        worker::Error::Code { reason: inner() },
        worker::Error::Init { error_type: text() },
        worker::Error::Unavailable,
        worker::Error::Internal,
    ];
    errors.extend(file_systems().map(worker::Error::FileSystem));
    errors.extend(unsupported().map(|what| worker::Error::Unsupported {
        what,
        reason: inner(),
    }));
    comes_back(errors);
}

#[test]
fn what_is_invoked_on_behalf_of_events() {
    comes_back([invoke::Invoke {
        request: request(),
        arn: arn(),
        payload: bytes(),
        trace: text(),
    }]);
    comes_back([None, Some(5)].map(|reserved| invoke::Target {
        function: function(),
        reserved,
    }));
    comes_back([false, true].map(|failed| invoke::Outcome {
        function: function(),
        failed,
        payload: bytes(),
    }));
    let all = [
        invoke::Why::NotFound,
        invoke::Why::Denied,
        invoke::Why::Throttled,
        invoke::Why::Recursive,
        invoke::Why::Unavailable,
    ];
    comes_back(all.map(|why| invoke::Error {
        why,
        status: 429,
        code: text(),
        message: text(),
    }));
}

#[test]
fn what_is_said_of_events() {
    comes_back([None, Some(function())].map(|function| events::Accept {
        request: request(),
        arn: arn(),
        payload: bytes(),
        trace: text(),
        function,
    }));
    comes_back([events::QueueView {
        queue: text(),
        waiting: 1,
        hidden: 2,
        oldest_ms: 3,
    }]);
    let event = events::EventView {
        request: request(),
        arn: text(),
        accepted: at(),
        invokes: 2,
        last: Some(text()),
        delivering: true,
    };
    comes_back([events::FunctionView {
        pending: vec![event.clone()],
        failed: vec![event],
        incomplete: true,
    }]);
    comes_back([events::Error::Full, events::Error::Unavailable]);
}

#[test]
fn credentials_and_logs() {
    comes_back([keys()]);
    comes_back([
        credentials::Error::Role { role: text() },
        credentials::Error::Unavailable,
    ]);
    comes_back([logs::StreamName {
        scope: examples::scope(),
        group: text(),
        stream: text(),
    }]);
    comes_back([logs::LogEvent {
        time: at(),
        message: text(),
    }]);
    let id = logs::EventId {
        taker: u64::MAX,
        number: 1,
    };
    let event = logs::LogEvent {
        time: at(),
        message: text(),
    };
    let recent = logs::Recent {
        id,
        stream: text(),
        event,
    };
    comes_back([logs::Recents {
        events: vec![recent],
        more: true,
    }]);
    comes_back([logs::Error::Unavailable]);
    comes_back([Secret::new(text())]);
}

#[test]
fn what_the_version_before_did_not_say_is_read_without_it() {
    let without = |mut value: serde_json::Value, names: &[&str]| {
        for name in names {
            let removed = value.as_object_mut().unwrap().remove(*name);
            assert!(removed.is_some());
        }
        value
    };
    let heartbeat = serde_json::to_value(heartbeat()).unwrap();
    let before = without(heartbeat, &["host", "version", "idle", "busy"]);
    let read: placement::Heartbeat = serde_json::from_value(before).unwrap();
    assert_eq!((read.host.as_str(), read.busy), ("", 0));
    let member = serde_json::to_value(member(membership::State::Ready)).unwrap();
    let before = without(member, &["runtimes"]);
    let read: membership::Member = serde_json::from_value(before).unwrap();
    assert_eq!(read.runtimes, membership::Runtimes::default());
}
