//! How many events are kept, in memory and on disk, and for how long.

use std::time::Duration;

use api::events::Events as _;
use storage::Queue as _;
use storage::queue::Usage;

use super::functions::{Call, Does, Function, arn};
use super::queues::{HOUR, MINUTE, concurrency, send};
use super::telling::{always, failed};
use super::world::World;
use crate::charges::Kept;
use crate::config::Config;
use crate::shards::FunctionId;

#[tokio::test(start_paused = true)]
async fn what_is_held_in_memory_has_a_maximum() {
    let world = World::new();
    let config = Config {
        working_bytes_max: 4 * 1024 * 1024,
        ..Config::default()
    };
    let process = world.start_with(config);
    for n in 0..10 {
        let function = Function {
            takes: Duration::from_secs(1),
            ..Function::default()
        };
        world.functions.put(&format!("f{n}"), function);
    }
    let large = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
    for n in 0..100 {
        let event = world.event(&format!("f{}", n % 10), &large);
        process.service.accept(event).await.unwrap();
    }
    world.settle(10 * MINUTE).await;
    let mut calls: Vec<Call> = Vec::new();
    for n in 0..10 {
        let runs = world.functions.runs(&format!("f{n}"));
        assert_eq!(runs.len(), 10);
        calls.extend(runs);
    }
    // The maximum, and one receive of each poller, at the same moment at worst.
    assert!(concurrency(&calls, Duration::from_secs(1)) <= 4 + 4 * 2);
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn more_than_there_is_room_for_is_refused() {
    let world = World::new();
    let config = Config {
        accepting_bytes_max: 3_000,
        ..Config::default()
    };
    let process = world.start_with(config);
    let accept = |bytes| {
        let event = world.event("f", &format!("\"{}\"", "x".repeat(bytes)));
        process.service.accept(event)
    };
    // One alone finds room whatever its size.
    assert_eq!(accept(4_000).await, Ok(()));
    assert_eq!(accept(1_000).await, Ok(()));
    // What is frozen takes nothing, and is full after a while.
    process.freeze(true);
    let mut first = std::pin::pin!(accept(1_000));
    let waits = tokio::time::timeout(Duration::from_secs(10), first.as_mut()).await;
    assert!(waits.is_err());
    assert_eq!(accept(1_000).await, Err(api::events::Error::Full));
    process.freeze(false);
    assert_eq!(first.await, Ok(()));
    world.settle(MINUTE).await;
    assert_eq!(world.functions.runs("f").len(), 3);
    assert_eq!(process.metric("event_invoke_events_refused_total"), 1);
}

#[tokio::test(start_paused = true)]
async fn failed_events_are_kept_so_many_and_so_long() {
    let world = World::new();
    world.functions.put("f", always(Does::Fails("no")));
    let config = Config {
        failed_max: 30,
        failed_age_max: 2 * HOUR,
        ..Config::default()
    };
    let process = world.start_with(config);
    send(&world, &process, "f", 500).await;
    world.settle(10 * MINUTE).await;
    tokio::time::sleep(MINUTE).await;
    let failed = || async { failed(&process).await.len() };
    assert_eq!(failed().await, 30);
    tokio::time::sleep(HOUR).await;
    assert_eq!(failed().await, 30);
    tokio::time::sleep(HOUR).await;
    assert_eq!(failed().await, 0);
    let queue = FunctionId::of(&arn("f")).failed();
    let queues = world.queue.queues("events/failed/").await.unwrap();
    assert!(!queues.contains(&queue));
}

/// What a redrive had received and not sent is seen again later than all others, and is older than they are.
#[tokio::test(start_paused = true)]
async fn only_failed_events_that_are_too_old_are_removed_for_their_age() {
    let world = World::new();
    world.functions.put(
        "f",
        Function {
            does: vec![Does::Fails("no")],
            ..Function::default()
        },
    );
    let config = Config {
        failed_age_max: 2 * HOUR,
        ..Config::default()
    };
    let process = world.start_with(config);
    send(&world, &process, "f", 10).await;
    world.settle(10 * MINUTE).await;
    tokio::time::sleep(HOUR).await;
    send(&world, &process, "f", 20).await;
    world.settle(10 * MINUTE).await;
    let queue = FunctionId::of(&arn("f")).failed();
    let held = world
        .queue
        .receive(&queue, 10, MINUTE, Duration::ZERO)
        .await;
    assert_eq!(held.unwrap().len(), 10);
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.depth(&queue).await, 20);
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(world.depth(&queue).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_of_a_function_of_an_account_and_of_all_has_a_bound() {
    let world = World::new();
    for name in ["f", "g", "h"] {
        world.functions.put(name, always(Does::Throttled));
    }
    let of = |messages, bytes| Usage { messages, bytes };
    let kept = Kept {
        function: of(4, u64::MAX),
        account: of(6, 4_000),
        all: of(100, u64::MAX),
        failed: of(1, u64::MAX),
    };
    let config = Config {
        kept,
        ..Config::default()
    };
    let process = world.start_with(config.clone());
    let accept = async |name: &str, bytes: usize| {
        let event = world.event(name, &format!("\"{}\"", "x".repeat(bytes)));
        process.service.accept(event).await
    };
    let full = Err(api::events::Error::Full);
    for _ in 0..4 {
        assert_eq!(accept("f", 10).await, Ok(()));
    }
    assert_eq!(accept("f", 10).await, full, "the function's");
    assert_eq!(accept("g", 10).await, Ok(()));
    assert_eq!(accept("g", 4_000).await, full, "the account's bytes");
    assert_eq!(accept("h", 10).await, Ok(()));
    assert_eq!(accept("h", 10).await, full, "the account's number");
    // Retries change nothing; finished events make room.
    tokio::time::sleep(MINUTE).await;
    assert_eq!(accept("f", 10).await, full);
    world.functions.put("f", Function::default());
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(accept("f", 10).await, Ok(()));
    // Another process finds what is kept.
    let other = world.start_with(config);
    for _ in 0..4 {
        let event = world.event("h", "1");
        drop(other.service.accept(event).await);
    }
    let usage = world.queue.usage().await.unwrap();
    let sum: u64 = usage.iter().map(|(_, usage)| usage.messages).sum();
    assert!(sum <= 6, "{usage:?}");
}
