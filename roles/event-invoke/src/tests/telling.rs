//! Where the outcome of an event goes, and what is kept without a destination.

use std::time::Duration;

use api::events::Events as _;
use records::event_invoke::EventInvokeConfig;
use serde_json::{Value, json};

use super::functions::{Does, Function};
use super::world::World;

pub(super) const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn on_failure(arn: &str) -> EventInvokeConfig {
    EventInvokeConfig {
        on_failure: Some(arn.to_owned()),
        ..EventInvokeConfig::default()
    }
}

pub(super) fn on_success(arn: &str) -> EventInvokeConfig {
    EventInvokeConfig {
        on_success: Some(arn.to_owned()),
        ..EventInvokeConfig::default()
    }
}

/// Delivered to [`QUEUE`] after the first failure.
pub(super) fn once() -> EventInvokeConfig {
    EventInvokeConfig {
        retry_attempts_max: Some(0),
        ..on_failure(QUEUE)
    }
}

/// The message in an SQS call.
pub(super) fn message(call: &crate::destinations::peers::Call) -> Value {
    let body = String::from_utf8(call.body.to_vec()).unwrap();
    let pairs = wire::uri::form_pairs(&body);
    let text = pairs.iter().find(|(name, _)| name == "MessageBody");
    let (_, text) = text.unwrap();
    serde_json::from_str(text).unwrap()
}

/// A function that does this, always.
pub(super) fn always(does: Does) -> Function {
    Function {
        does: vec![does],
        ..Function::default()
    }
}

/// The one record that was delivered.
pub(super) fn record(world: &World) -> Value {
    let told = world.services.taken();
    assert_eq!(told.len(), 1);
    message(&told[0])
}

/// The failed events of `f`, as people are shown them.
pub(super) async fn failed(process: &super::process::Process) -> Vec<api::events::EventView> {
    let (scope, name) = (super::functions::scope(), super::functions::arn("f").name);
    let view = process.service.function(&scope, &name).await.unwrap();
    view.failed
}

#[tokio::test(start_paused = true)]
async fn what_may_not_run_at_all_is_told_at_once() {
    let world = World::new();
    let function = Function {
        reserved: Some(0),
        dead_letter: Some("arn:aws:sqs:us-east-1:000000000000:dead"),
        ..Function::default()
    };
    world.functions.put("f", function);
    world.configure("f", on_failure("arn:aws:s3:::b")).await;
    let process = world.start("one");
    process.accept(world.event("f", "{\"n\":1}")).await;
    world.settle(Duration::from_secs(5)).await;
    assert_eq!(world.functions.calls("f").len(), 0);
    let told = world.services.taken();
    assert_eq!(told.len(), 2);
    let record: Value = serde_json::from_slice(&told[0].body).unwrap();
    assert_eq!(
        record["requestContext"]["condition"],
        "ZeroReservedConcurrency"
    );
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(record.get("responseContext"), None);
    let dead = wire::uri::form_pairs(std::str::from_utf8(&told[1].body).unwrap());
    let of = |name: &str| {
        dead.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &value[..])
    };
    assert_eq!(of("MessageBody"), Some("{\"n\":1}"));
    assert_eq!(of("MessageAttribute.1.Name"), Some("RequestID"));
    assert_eq!(of("MessageAttribute.2.Name"), Some("ErrorMessage"));
    assert!(
        of("MessageAttribute.2.Value.StringValue")
            .unwrap()
            .contains("zero reserved")
    );
    assert_eq!(of("MessageAttribute.3.Name"), None);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_and_a_destination_are_both_told() {
    let world = World::new();
    let function = Function {
        dead_letter: Some("arn:aws:sns:us-east-1:000000000000:dead"),
        ..always(Does::Fails("no"))
    };
    world.functions.put("f", function);
    world.configure("f", once()).await;
    // Each gets it once, even if it does not listen at first, and neither waits for the other.
    world.services.answer(&[503, 200, 500, 429, 200]);
    let process = world.start("one");
    let event = world.event("f", "{\"n\":1}");
    process.service.accept(event.clone()).await.unwrap();
    world.settle(HOUR).await;
    assert_eq!(world.functions.calls("f").len(), 1);
    let told = world.services.taken();
    let services: Vec<&str> = told.iter().map(|call| call.service).collect();
    assert_eq!(services, ["sns", "sqs"]);
    assert_eq!(world.services.refused(), 3);
    assert_eq!(
        message(&told[1])["requestContext"]["condition"],
        "RetriesExhausted"
    );
    let dead = wire::uri::form_pairs(std::str::from_utf8(&told[0].body).unwrap());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for expected in [
        pair("Message", "{\"n\":1}"),
        pair(
            "MessageAttributes.entry.1.Value.StringValue",
            &event.request.to_string(),
        ),
        pair("MessageAttributes.entry.2.Name", "ErrorCode"),
        pair("MessageAttributes.entry.2.Value.DataType", "Number"),
        pair("MessageAttributes.entry.2.Value.StringValue", "200"),
        pair("MessageAttributes.entry.3.Name", "ErrorMessage"),
        pair("MessageAttributes.entry.3.Value.StringValue", "no"),
    ] {
        assert!(dead.contains(&expected), "{expected:?} in {dead:?}");
    }
    assert_eq!(process.metric("event_invoke_records_delivered_total"), 1);
    assert_eq!(process.metric("event_invoke_events_dead_lettered_total"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_success_that_nobody_hears_is_not_run_again() {
    let world = World::new();
    let told = "arn:aws:events:us-east-1:000000000000:event-bus/b";
    world.configure("f", on_success(told)).await;
    world.services.answer(&[503; 8]);
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    assert_eq!(world.functions.calls("f").len(), 1);
    assert_eq!(world.services.refused(), 8);
    let told = world.services.taken();
    assert_eq!(told.len(), 1);
    let body: Value = serde_json::from_slice(&told[0].body).unwrap();
    let entry = &body["Entries"][0];
    assert_eq!(
        entry["DetailType"],
        "Lambda Function Invocation Result - Success"
    );
    let record: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(record["responsePayload"], Value::Null);
    assert_eq!(
        record["responseContext"],
        json!({"statusCode": 200, "executedVersion": "$LATEST"})
    );
}

#[tokio::test(start_paused = true)]
async fn what_no_destination_takes_is_kept_and_can_be_sent_again() {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    world.configure("f", once()).await;
    world.services.answer(&[403; 3]);
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    assert_eq!(world.services.refused(), 3);
    assert_eq!(
        process.metric("event_invoke_destination_delivery_failures_total"),
        1
    );
    let name = super::functions::arn("f").name;
    let scope = super::functions::scope();
    let view = process.service.function(&scope, &name).await.unwrap();
    assert_eq!((view.pending.len(), view.failed.len()), (0, 1));
    assert!(view.failed[0].delivering);
    assert!(view.failed[0].last.as_ref().unwrap().contains("403"));
    assert_eq!(process.service.redrive(&scope, &name).await.unwrap(), 1);
    world.settle(HOUR).await;
    assert_eq!(
        world.functions.calls("f").len(),
        1,
        "only its outcome is delivered again"
    );
    assert_eq!(
        record(&world)["requestContext"]["condition"],
        "RetriesExhausted"
    );
    assert_eq!(process.service.redrive(&scope, &name).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_failed_with_nobody_to_tell_is_kept_and_can_be_sent_again() {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    let name = super::functions::arn("f").name;
    let scope = super::functions::scope();
    let view = process.service.function(&scope, &name).await.unwrap();
    assert_eq!(view.failed.len(), 1);
    assert_eq!(view.failed[0].invokes, 3);
    assert_eq!(view.failed[0].last.as_deref(), Some("no"));
    world.functions.put("f", Function::default());
    assert_eq!(process.service.redrive(&scope, &name).await.unwrap(), 1);
    world.settle(Duration::from_secs(5)).await;
    assert_eq!(world.functions.runs("f").len(), 4);
    let view = process.service.function(&scope, &name).await.unwrap();
    assert_eq!((view.pending.len(), view.failed.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn functions_that_tell_each_other_stop_after_sixteen_rounds() {
    let world = World::new();
    world.functions.put("g", Function::default());
    for (from, to) in [("f", "g"), ("g", "f")] {
        let to = super::functions::arn(to).to_string();
        let config = EventInvokeConfig {
            on_success: Some(to),
            ..on_failure(QUEUE)
        };
        world.configure(from, config).await;
    }
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    assert_eq!(world.functions.runs("f").len(), 16);
    assert_eq!(world.functions.runs("g").len(), 16);
    assert_eq!(process.metric("event_invoke_events_recursive_total"), 1);
    let told = record(&world);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
    assert_eq!(told["requestContext"]["functionArn"], arn);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_the_role_may_not_invoke_is_not_told() {
    let world = World::new();
    let forbidden = Function {
        forbidden: true,
        ..Function::default()
    };
    world.functions.put("g", forbidden);
    let g = super::functions::arn("g").to_string();
    world.configure("f", on_success(&g)).await;
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    assert_eq!(world.functions.calls("g").len(), 0);
    let view = failed(&process).await;
    assert_eq!(view.len(), 1);
    assert_eq!(view[0].last.as_deref(), Some("You shall not."));
}

#[tokio::test(start_paused = true)]
async fn a_record_too_large_for_a_function_is_kept() {
    let world = World::new();
    world.functions.put("g", Function::default());
    let g = super::functions::arn("g").to_string();
    world.configure("f", on_success(&g)).await;
    let process = world.start("one");
    let large = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
    process.accept(world.event("f", &large)).await;
    world.settle(HOUR).await;
    assert_eq!(world.functions.runs("f").len(), 1);
    assert_eq!(world.functions.calls("g").len(), 0);
    assert_eq!(failed(&process).await.len(), 1);
    assert_eq!(
        process.metric("event_invoke_destination_delivery_failures_total"),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_asked_for_only_where_it_is_not_at_the_usual_path() {
    for (path, asked) in [("/000000000000/q", 0), ("/queue/q", 1)] {
        let world = World::new();
        world.services.have_queues_at(path);
        world.configure("f", on_success(QUEUE)).await;
        let process = world.start("one");
        process.accept(world.event("f", "{}")).await;
        world.settle(HOUR).await;
        assert_eq!(world.services.taken()[0].path, path);
        assert_eq!(world.services.asked(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_run_and_nobody_hears_of_is_kept_and_counted_apart() {
    let world = World::new();
    world.functions.change("f", |f| f.reserved = Some(0));
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(Duration::from_secs(5)).await;
    assert_eq!(failed(&process).await.len(), 1);
    let dropped = "event_invoke_events_dropped_total{reason=\"concurrency\"}";
    assert_eq!(process.metric(dropped), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_large_to_be_told_is_not_told_as_none() {
    let world = World::new();
    let large = format!("\"{}\"", "x".repeat(3 * 1024 * 1024));
    let does = vec![Does::Returns(large.leak())];
    world.functions.change("f", |f| f.does = does);
    let told = "arn:aws:s3:::b";
    world.configure("f", on_success(told)).await;
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    assert_eq!(world.functions.runs("f").len(), 1);
    assert_eq!(world.services.taken().len(), 0);
    let failed = failed(&process).await;
    let last = failed[0].last.as_deref();
    assert_eq!(
        last,
        Some("the function's answer is too large for the record")
    );
}
