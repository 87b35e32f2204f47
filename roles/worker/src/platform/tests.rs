//! Events as the Telemetry API's and the Logs API's book have them.

use super::*;

fn request() -> RequestId {
    "00000000-0000-0000-0000-000000000001".parse().unwrap()
}

fn init(phase: &'static str) -> Init {
    Init {
        kind: "on-demand".to_owned(),
        phase,
        function: "f".to_owned(),
        version: Version::Latest,
        runtime_version: "python:3.12.v1".to_owned(),
        runtime_arn: "arn:r".to_owned(),
    }
}

fn failure() -> Outcome {
    Outcome {
        status: "failure",
        error_type: Some("Runtime.ExitError".to_owned()),
    }
}

fn check(event: &Event, api: Api, expected: Option<Value>) {
    let told = event.json(api, Timestamp::from_millis(0));
    let expected = expected.map(|mut expected| {
        expected["time"] = json!("1970-01-01T00:00:00.000Z");
        expected
    });
    assert_eq!(told, expected);
}

#[test]
fn each_api_has_its_own_events_and_records() {
    let start = Event::Start {
        request: request(),
        version: Version::Latest,
        trace_id: "Root=1".to_owned(),
    };
    let id = request().to_string();
    let record = json!({"requestId": id, "version": "$LATEST",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"}});
    check(
        &start,
        Api::Telemetry,
        Some(json!({"type": "platform.start", "record": record})),
    );
    let record = json!({"requestId": id, "version": "$LATEST"});
    check(
        &start,
        Api::Logs,
        Some(json!({"type": "platform.start", "record": record})),
    );
    let end = Event::End(request());
    check(&end, Api::Telemetry, None);
    let record = json!({"requestId": id});
    check(
        &end,
        Api::Logs,
        Some(json!({"type": "platform.end", "record": record})),
    );
    let fault = Event::Fault("no\n".to_owned());
    check(&fault, Api::Telemetry, None);
    check(
        &fault,
        Api::Logs,
        Some(json!({"type": "platform.fault", "record": "no\n"})),
    );
    check(&Event::InitStart(init("init")), Api::Logs, None);
    let subscription = Event::Subscription {
        api: Api::Logs,
        name: "x".to_owned(),
        types: vec!["platform", "function"],
    };
    check(&subscription, Api::Telemetry, None);
    let record = json!({"name": "x", "state": "Subscribed", "types": ["platform", "function"]});
    check(
        &subscription,
        Api::Logs,
        Some(json!({"type": "platform.logsSubscription", "record": record})),
    );
    assert_eq!(
        subscription.line().unwrap(),
        "LOGS\tName: x\tState: Subscribed\tTypes: [Platform, Function]\n"
    );
}

#[test]
fn an_init_is_told_with_its_phase_and_end() {
    let report = Event::InitReport(init("init"), Duration::from_micros(1_500), failure());
    let record = json!({"initializationType": "on-demand", "phase": "init", "status": "failure",
        "errorType": "Runtime.ExitError", "metrics": {"durationMs": 1.5}});
    check(
        &report,
        Api::Telemetry,
        Some(json!({"type": "platform.initReport", "record": record})),
    );
    assert_eq!(
        report.line().unwrap(),
        "INIT_REPORT Init Duration: 1.50 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n"
    );
    let success = Event::InitReport(init("init"), Duration::ZERO, Outcome::success());
    assert_eq!(success.line(), None);
    assert_eq!(Event::InitStart(init("invoke")).line(), None);
    assert!(
        Event::InitStart(init("init"))
            .line()
            .unwrap()
            .starts_with("INIT_START ")
    );
}

#[test]
fn a_done_runtime_is_told_with_its_spans() {
    let done = Event::RuntimeDone(RuntimeDone {
        request: request(),
        outcome: Outcome::success(),
        duration: Duration::from_millis(3),
        produced_bytes: Some(7),
        spans: vec![(
            "responseLatency",
            Timestamp::from_millis(0),
            Duration::from_millis(2),
        )],
    });
    let span =
        json!({"name": "responseLatency", "start": "1970-01-01T00:00:00.000Z", "durationMs": 2.0});
    let record = json!({"requestId": request().to_string(), "status": "success", "spans": [span],
        "metrics": {"durationMs": 3.0, "producedBytes": 7}});
    check(
        &done,
        Api::Telemetry,
        Some(json!({"type": "platform.runtimeDone", "record": record})),
    );
    let record = json!({"requestId": request().to_string(), "status": "success"});
    check(
        &done,
        Api::Logs,
        Some(json!({"type": "platform.runtimeDone", "record": record})),
    );
    assert_eq!(done.level(), Level::Debug);
}

#[test]
fn failures_matter_more_than_successes() {
    assert_eq!(
        Event::InitRuntimeDone(init("init"), failure()).level(),
        Level::Warn
    );
    let success = Outcome::success();
    assert_eq!(
        Event::InitRuntimeDone(init("init"), success.clone()).level(),
        Level::Debug
    );
    let made_ahead = Init {
        kind: "provisioned-concurrency".to_owned(),
        ..init("init")
    };
    assert_eq!(
        Event::InitReport(made_ahead, Duration::ZERO, success).level(),
        Level::Info
    );
}
