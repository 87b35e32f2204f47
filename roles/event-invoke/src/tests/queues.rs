//! Many events, many functions, one process.

use std::collections::BTreeSet;
use std::time::Duration;

use api::events::Events as _;
use bytes::Bytes;
use storage::Queue as _;

use super::functions::{Call, Does, Function, arn};
use super::process::Process;
use super::world::World;
use crate::shards::{DEDICATED, FunctionId, UNREADABLE};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

pub(super) async fn send(world: &World, process: &Process, name: &str, count: usize) {
    for n in 0..count {
        let event = world.event(name, &n.to_string());
        process.service.accept(event).await.unwrap();
    }
}

/// The payloads that ran, each once.
fn payloads(calls: &[Call]) -> BTreeSet<Bytes> {
    calls.iter().map(|call| call.payload.clone()).collect()
}

/// The most that ran at a time, where each run takes as long.
pub(super) fn concurrency(calls: &[Call], takes: Duration) -> usize {
    let at_once = |call: &Call| {
        let running = calls.iter();
        let running = running.filter(|other| other.at <= call.at && other.at + takes > call.at);
        running.count()
    };
    calls.iter().map(at_once).max().unwrap_or(0)
}

fn own(name: &str) -> String {
    FunctionId::of(&arn(name)).dedicated()
}

#[tokio::test(start_paused = true)]
async fn a_function_that_crowds_moves_to_its_own_queue_and_back() {
    let world = World::new();
    let process = world.start("one");
    world
        .functions
        .change("f", |f| f.takes = Duration::from_secs(1));
    send(&world, &process, "f", 2_000).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(world.depth(&own("f")).await > 1_000);
    world.settle(10 * MINUTE).await;
    let runs = world.functions.runs("f");
    assert_eq!((runs.len(), payloads(&runs).len()), (2_000, 2_000));
    assert_eq!(
        concurrency(&runs, Duration::from_secs(1)),
        32,
        "half of what there is"
    );
    // Its queue goes when it has been empty for long, and its events go where all go.
    tokio::time::sleep(3 * MINUTE).await;
    assert!(world.queue.queues(DEDICATED).await.unwrap().is_empty());
    send(&world, &process, "f", 1).await;
    assert!(world.queue.queues(DEDICATED).await.unwrap().is_empty());
    world.settle(MINUTE).await;
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_noisy_function_does_not_hold_up_another() {
    let world = World::new();
    let process = world.start("one");
    for noisy in ["f", "g", "h"] {
        let function = Function {
            takes: Duration::from_secs(20),
            ..Function::default()
        };
        world.functions.put(noisy, function);
    }
    world.functions.put("quiet", Function::default());
    for noisy in ["f", "g", "h"] {
        send(&world, &process, noisy, 3_000).await;
    }
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(7)).await;
        let sent = world.elapsed();
        send(&world, &process, "quiet", 1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let runs = world.functions.runs("quiet");
        let last = runs.last().unwrap();
        assert!(last.at >= sent, "within a second");
    }
    let runs = ["f", "g", "h"].map(|noisy| world.functions.runs(noisy).len());
    assert!(runs.iter().all(|runs| *runs > 60), "all continue: {runs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_at_its_limit_is_not_hammered() {
    let world = World::new();
    let process = world.start("one");
    let function = Function {
        takes: Duration::from_secs(1),
        limit: 3,
        ..Function::default()
    };
    world.functions.put("f", function);
    send(&world, &process, "f", 600).await;
    world.settle(HOUR).await;
    let (calls, runs) = (world.functions.calls("f"), world.functions.runs("f"));
    assert_eq!(payloads(&runs).len(), 600);
    assert_eq!(runs.len(), 600);
    let seconds = world.elapsed().as_secs();
    assert!(seconds < 600 / 3 * 2, "it uses what it may: {seconds} s");
    let throttled = calls.len() - runs.len();
    assert!(throttled < 6 * 300, "{throttled}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_may_not_run_is_asked_for_seldom_however_many_events_wait() {
    let world = World::new();
    let process = world.start("one");
    world.functions.put(
        "f",
        Function {
            does: vec![Does::Throttled],
            ..Function::default()
        },
    );
    send(&world, &process, "f", 5_000).await;
    tokio::time::sleep(HOUR).await;
    let calls = world.functions.calls("f").len();
    assert!((300..700).contains(&calls), "{calls} in an hour");
    assert_eq!(world.left().await, 5_000);
    world
        .functions
        .change("f", |f| f.does = vec![Does::Returns("null")]);
    world.settle(10 * MINUTE).await;
    assert_eq!(payloads(&world.functions.runs("f")).len(), 5_000);
    // Most were never asked for, and so did not wait for their own sake.
}

#[tokio::test(start_paused = true)]
async fn a_backlog_brings_more_shared_queues_and_a_quiet_takes_them_away() {
    let world = World::new();
    let process = world.start("one");
    for n in 0..60 {
        let function = Function {
            takes: Duration::from_secs(5),
            ..Function::default()
        };
        world.functions.put(&format!("f{n}"), function);
        world.functions.put(&format!("g{n}"), Function::default());
    }
    let shared = || async { world.queue.queues("events/shared/").await.unwrap().len() };
    tokio::time::sleep(Duration::from_secs(10)).await;
    for n in 0..60 {
        send(&world, &process, &format!("f{n}"), 200).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    send(&world, &process, "f0", 100).await;
    for n in 0..60 {
        send(&world, &process, &format!("g{n}"), 1).await;
    }
    let most = shared().await;
    assert!(most > 4, "{most}");
    world.settle(HOUR).await;
    for n in 0..60 {
        let count = if n == 0 { 300 } else { 200 };
        assert_eq!(world.functions.runs(&format!("f{n}")).len(), count);
        assert_eq!(world.functions.runs(&format!("g{n}")).len(), 1);
    }
    tokio::time::sleep(HOUR).await;
    send(&world, &process, "f0", 1).await;
    let least = shared().await;
    assert!(least <= 4, "{least}");
    world.settle(MINUTE).await;
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_invoke_that_takes_longer_than_it_is_hidden_is_not_given_to_another() {
    let world = World::new();
    let process = world.start("one");
    world.functions.change("f", |f| f.takes = 15 * MINUTE);
    send(&world, &process, "f", 3).await;
    world.settle(20 * MINUTE).await;
    assert_eq!(world.functions.calls("f").len(), 3);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_put_aside_and_counted() {
    let world = World::new();
    let good = world.start("zero");
    good.accept(world.event("f", "{}")).await;
    good.kill();
    let bodies = [
        "",
        "x",
        "{}\n",
        "{\"v\":9}\n",
        "\n\n",
        "{\"v\":1,\"event\":{},\"stage\":0}\n",
    ];
    for (n, body) in bodies.iter().enumerate() {
        for queue in [format!("events/shared/{}", n % 4), own("f")] {
            let body = Bytes::from_static(body.as_bytes());
            let sent = world.queue.send(&queue, body, Duration::ZERO);
            sent.await.unwrap();
        }
    }
    let process = world.start("one");
    world.settle(2 * MINUTE).await;
    let count = 2 * bodies.len() as u64;
    assert_eq!(
        process.metric("event_invoke_events_unreadable_total"),
        count
    );
    assert_eq!(world.depth(UNREADABLE).await, count);
    assert_eq!(world.functions.runs("f").len(), 1);
    send(&world, &process, "f", 1).await;
    world.settle(MINUTE).await;
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_has_begun_and_leaves_the_rest() {
    let world = World::new();
    let process = world.start("one");
    world.functions.change("f", |f| f.takes = 5 * MINUTE);
    send(&world, &process, "f", 1_000).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let begun = world.functions.runs("f").len();
    assert!(begun >= 8);
    let before = world.elapsed();
    process.stop().await;
    assert!(world.elapsed() - before < 6 * MINUTE);
    assert_eq!(world.functions.runs("f").len(), begun);
    assert_eq!(world.left().await, 1_000 - begun as u64);
    // What is left is there for the next at once.
    world
        .functions
        .change("f", |f| f.takes = Duration::from_millis(1));
    let before = world.elapsed();
    let next = world.start("two");
    world.settle(20 * MINUTE).await;
    assert!(world.elapsed() - before < MINUTE);
    let runs = world.functions.runs("f");
    assert_eq!((runs.len(), payloads(&runs).len()), (1_000, 1_000));
    next.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_panics_is_tried_again_and_holds_up_nothing() {
    let world = World::new();
    let process = world.start("one");
    let function = Function {
        does: [vec![Does::Panics; 200], vec![Does::Returns("1")]].concat(),
        ..Function::default()
    };
    world.functions.put("f", function);
    send(&world, &process, "f", 100).await;
    world.settle(10 * MINUTE).await;
    let runs = world.functions.runs("f");
    assert_eq!((runs.len(), payloads(&runs).len()), (300, 100));
    process.stop().await;
}
