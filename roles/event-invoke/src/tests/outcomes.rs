//! What becomes of single events.

use std::time::Duration;

use api::event_invoke::EventInvokeConfig;
use api::events::Events as _;
use serde_json::{Value, json};

use super::functions::{Call, Does, Function};
use super::world::World;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const HOUR: Duration = Duration::from_secs(3_600);

fn on_failure(arn: &str) -> EventInvokeConfig {
    EventInvokeConfig {
        on_failure: Some(arn.to_owned()),
        ..EventInvokeConfig::default()
    }
}

/// Seconds from each call to the next, rounded down.
fn gaps(calls: &[Call]) -> Vec<u64> {
    let pairs = calls.windows(2);
    pairs
        .map(|pair| (pair[1].at - pair[0].at).as_secs())
        .collect()
}

/// The message in an SQS call.
fn message(call: &crate::destinations::peers::Call) -> Value {
    let body = String::from_utf8(call.body.to_vec()).unwrap();
    let pairs = wire::uri::form_pairs(&body);
    let text = pairs.iter().find(|(name, _)| name == "MessageBody");
    let (_, text) = text.unwrap();
    serde_json::from_str(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_accepted_event_is_invoked_once_and_gone() {
    let world = World::new();
    let process = world.start("one");
    let event = world.event("f", "{\"n\":  1}");
    process.service.accept(event.clone()).await.unwrap();
    world.settle(Duration::from_secs(5)).await;
    let calls = world.functions.calls("f");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].request, event.request);
    assert_eq!(calls[0].payload, event.payload);
    assert_eq!(process.metric("event_invoke_events_accepted_total"), 1);
    process.stop().await;
    assert_eq!(world.left().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failing_function_is_invoked_three_times_and_its_failure_told() {
    let world = World::new();
    world.functions.put(
        "f",
        Function {
            does: vec![Does::Fails("no")],
            ..Function::default()
        },
    );
    world.configure("f", on_failure(QUEUE)).await;
    let process = world.start("one");
    let event = world.event("f", "{\"n\":  1}");
    process.service.accept(event.clone()).await.unwrap();
    world.settle(HOUR).await;
    let calls = world.functions.calls("f");
    assert_eq!(gaps(&calls), [60, 120]);
    assert!(calls.iter().all(|call| call.request == event.request));
    let told = world.services.taken();
    assert_eq!(told.len(), 1);
    let record = message(&told[0]);
    let expected = json!({
        "version": "1.0",
        "timestamp": record["timestamp"],
        "requestContext": {
            "requestId": event.request.to_string(),
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"n": 1},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorMessage": "no"},
    });
    assert_eq!(record, expected);
    process.stop().await;
}
