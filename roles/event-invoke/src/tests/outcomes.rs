//! What happens to single events.

use std::time::Duration;

use api::events::Events as _;
use records::event_invoke::EventInvokeConfig;
use serde_json::json;
use storage::Queue as _;

use super::functions::{Call, Does, Function};
use super::process::Process;
use super::telling::{QUEUE, always, message, on_failure, record};
use super::world::World;

const HOUR: Duration = Duration::from_secs(3_600);

/// Seconds from each call to the next, rounded down.
fn gaps(calls: &[Call]) -> Vec<u64> {
    let pairs = calls.windows(2);
    pairs
        .map(|pair| (pair[1].at - pair[0].at).as_secs())
        .collect()
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
    world.functions.put("f", always(Does::Fails("no")));
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

#[tokio::test(start_paused = true)]
async fn a_function_says_how_often_it_is_tried() {
    for retries in 0..=2 {
        let world = World::new();
        world.functions.put("f", always(Does::Fails("no")));
        let config = EventInvokeConfig {
            retry_attempts_max: Some(retries),
            ..on_failure(QUEUE)
        };
        world.configure("f", config).await;
        let process = world.start("one");
        process.accept(world.event("f", "1")).await;
        world.settle(HOUR).await;
        assert_eq!(
            gaps(&world.functions.calls("f")),
            [60, 120][..retries as usize]
        );
        let context = &record(&world)["requestContext"];
        assert_eq!(context["approximateInvokeCount"], retries + 1);
        assert_eq!(context["condition"], "RetriesExhausted");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_run_is_tried_for_six_hours() {
    for (does, status) in [(Does::Throttled, 429), (Does::Unavailable, 500)] {
        let world = World::new();
        world.functions.put("f", always(does));
        world.configure("f", on_failure(QUEUE)).await;
        let process = world.start("one");
        process.accept(world.event("f", "{}")).await;
        world.settle(HOUR * 7).await;
        let calls = world.functions.calls("f");
        let gaps = gaps(&calls);
        assert!(
            gaps[..5]
                .iter()
                .zip([1, 2, 4, 8, 16])
                .all(|(gap, least)| { (least..=least + least / 5 + 1).contains(gap) }),
            "{gaps:?}"
        );
        assert!(
            gaps[9..].iter().all(|gap| (299..=312).contains(gap)),
            "{gaps:?}"
        );
        let told = record(&world);
        assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
        assert_eq!(told["requestContext"]["approximateInvokeCount"], 0);
        assert_eq!(told["responseContext"], json!({"statusCode": status}));
        assert_eq!(told.get("responsePayload"), None);
        // Another try would come too late.
        let hours = world.elapsed().as_secs_f64() / 3_600.0;
        assert!((5.9..6.0).contains(&hours), "{hours}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_says_how_old_its_events_become() {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    let config = EventInvokeConfig {
        event_age_seconds_max: Some(100),
        ..on_failure(QUEUE)
    };
    world.configure("f", config).await;
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    world.settle(HOUR).await;
    assert_eq!(gaps(&world.functions.calls("f")), [60]);
    let told = record(&world);
    assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(told["responseContext"]["functionError"], "Unhandled");
}

/// Though it is only the function's own slowness that it waits for.
#[tokio::test(start_paused = true)]
async fn an_event_that_gets_no_turn_becomes_too_old() {
    let world = World::new();
    let function = Function {
        takes: HOUR,
        limit: 1,
        ..Function::default()
    };
    world.functions.put("f", function);
    let config = EventInvokeConfig {
        event_age_seconds_max: Some(60),
        ..on_failure(QUEUE)
    };
    world.configure("f", config).await;
    let process = world.start("one");
    for event in ["1", "2"] {
        process.accept(world.event("f", event)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(70)).await;
    let told = record(&world);
    assert_eq!(told["requestPayload"], 2);
    assert_eq!(told["responseContext"], json!({"statusCode": 429}));
    assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
    world.settle(HOUR * 2).await;
    assert_eq!(world.functions.runs("f").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_follows_its_function() {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    let process = world.start("one");
    process.accept(world.event("f:live", "{}")).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    // The alias moves, and what is wanted changes, between the first run and the second.
    world
        .functions
        .change("f", |f| f.version = types::Version::Published(7));
    world.configure("f:live", on_failure(QUEUE)).await;
    world.settle(HOUR).await;
    let told = record(&world);
    assert_eq!(told["responseContext"]["executedVersion"], "7");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
    assert_eq!(told["requestContext"]["functionArn"], arn);
}

/// As AWS tells it: each try that finds no function counts as one that failed.
#[tokio::test(start_paused = true)]
async fn a_function_that_is_gone_is_told_to_whom_it_wanted() {
    for (retries, count) in [(0, 1), (1, 2)] {
        let world = World::new();
        let dead_letter = Some("arn:aws:sqs:us-east-1:000000000000:dead");
        let function = Function {
            dead_letter,
            ..always(Does::Throttled)
        };
        world.functions.put("f", function);
        let config = EventInvokeConfig {
            retry_attempts_max: Some(retries),
            ..on_failure(QUEUE)
        };
        world.configure("f", config).await;
        let process = world.start("one");
        tokio::time::sleep(Duration::from_secs(1)).await;
        // One that was never tried, and one that was.
        for _ in 0..2 {
            process.accept(world.event("f", "{}")).await;
            if count == 2 {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        }
        world.functions.delete("f");
        world.unconfigure("f").await;
        let deleted = world.elapsed();
        world.settle(HOUR).await;
        let took = (world.elapsed() - deleted).as_secs();
        assert!((retries as u64 * 60..100).contains(&took), "{took} s");
        let told = world.services.taken();
        assert_eq!(told.len(), 4);
        let records = told.iter().filter(|call| call.path.ends_with("/q"));
        let records: Vec<_> = records.map(message).collect();
        assert_eq!(records.len(), 2);
        for record in records {
            let context = &record["requestContext"];
            assert_eq!(context["condition"], "RetriesExhausted");
            assert_eq!(context["approximateInvokeCount"], count);
            assert_eq!(record["responseContext"], json!({"statusCode": 404}));
            assert_eq!(record.get("responsePayload"), None);
        }
        let letter = told.iter().find(|call| call.path.ends_with("/dead"));
        let letter = String::from_utf8(letter.unwrap().body.to_vec()).unwrap();
        let pairs = wire::uri::form_pairs(&letter);
        let values: Vec<&str> = pairs.iter().map(|(_, value)| &value[..]).collect();
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
        for value in ["404", &format!("Function not found: {arn}")] {
            assert!(values.contains(&value), "{values:?}");
        }
    }
}

/// "f" failed once and is gone before the second run.
async fn deleted_after_its_first_run() -> (World, Process) {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    let process = world.start("one");
    process.accept(world.event("f", "{}")).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.functions.delete("f");
    (world, process)
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_for_a_function_that_is_made_anew_is_invoked() {
    let (world, _process) = deleted_after_its_first_run().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.functions.put("f", Function::default());
    world.settle(HOUR).await;
    assert_eq!(world.functions.calls("f").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_function_that_is_gone_goes_at_once_if_nobody_is_told() {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    let process = world.start("one");
    process.accept(world.event("f", "1")).await;
    // It finally fails, and another waits for its next attempt.
    tokio::time::sleep(HOUR).await;
    process.accept(world.event("f", "2")).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let runs = world.functions.calls("f").len();
    let failed = "events/failed/000000000000/us-east-1/f";
    assert_eq!((world.left().await, world.depth(failed).await), (1, 1));
    world.functions.delete("f");
    world.settle(Duration::from_secs(40)).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(world.depth(failed).await, 0);
    assert_eq!(world.queue.usage().await.unwrap(), []);
    assert_eq!(world.functions.calls("f").len(), runs);
    assert_eq!(
        process.metric("event_invoke_events_dropped_total{reason=\"no_function\"}"),
        1
    );
}
