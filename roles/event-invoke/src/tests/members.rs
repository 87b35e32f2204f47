//! Several processes over the same stores: they share the queues, and take over from each other.

use std::collections::BTreeSet;
use std::time::Duration;

use api::events::Events as _;
use types::RequestId;

use super::functions::Function;
use super::process::{Fault, Process};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// Sends events, in turn to each process, and says which they were.
async fn send(world: &World, to: &[&Process], count: usize) -> BTreeSet<RequestId> {
    let mut sent = BTreeSet::new();
    for n in 0..count {
        let event = world.event("f", &n.to_string());
        sent.insert(event.request);
        to[n % to.len()].service.accept(event).await.unwrap();
    }
    sent
}

fn ran(world: &World) -> BTreeSet<RequestId> {
    let runs = world.functions.runs("f");
    runs.iter().map(|call| call.request).collect()
}

#[tokio::test(start_paused = true)]
async fn processes_share_the_work() {
    let world = World::new();
    let (one, two) = (world.start("one"), world.start("two"));
    tokio::time::sleep(MINUTE).await;
    let sent = send(&world, &[&one, &two], 300).await;
    world.settle(MINUTE).await;
    assert_eq!(ran(&world), sent);
    assert_eq!(world.functions.runs("f").len(), 300, "none twice");
    let both = [&one, &two].map(|process| process.metric("event_invoke_invokes_total"));
    assert!(both.iter().all(|invokes| *invokes > 50), "{both:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_had_is_taken_over_within_seconds() {
    let world = World::new();
    world.functions.takes("f", Duration::from_secs(2));
    let (one, two) = (world.start("one"), world.start("two"));
    tokio::time::sleep(MINUTE).await;
    let sent = send(&world, &[&one, &two], 100).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = world.functions.runs("f").len();
    one.kill();
    let killed = world.elapsed();
    world.settle(2 * MINUTE).await;
    assert_eq!(ran(&world), sent);
    let took = world.elapsed() - killed;
    assert!(took < Duration::from_secs(40), "{took:?}");
    let twice = world.functions.runs("f").len() - 100;
    assert!(twice <= begun, "only what had begun");
}

#[tokio::test(start_paused = true)]
async fn what_a_frozen_process_had_is_taken_over_and_it_harms_nothing_when_it_wakes() {
    let world = World::new();
    world
        .functions
        .change("f", |f| f.takes = Duration::from_secs(3));
    let (one, two) = (world.start("one"), world.start("two"));
    tokio::time::sleep(MINUTE).await;
    let mut sent = send(&world, &[&one, &two], 100).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    one.freeze(true);
    world.settle(2 * MINUTE).await;
    assert_eq!(ran(&world), sent);
    // It wakes to a world that has gone on, with events that are not its own any more.
    sent.extend(send(&world, &[&two], 100).await);
    one.freeze(false);
    world.settle(2 * MINUTE).await;
    assert_eq!(ran(&world), sent);
    tokio::time::sleep(MINUTE).await;
    for n in 0..40 {
        let name = format!("g{n}");
        world.functions.put(&name, Function::default());
        let event = world.event(&name, "{}");
        one.service.accept(event).await.unwrap();
    }
    world.settle(MINUTE).await;
    assert!((0..40).all(|n| world.functions.runs(&format!("g{n}")).len() == 1));
    let invokes = one.metric("event_invoke_invokes_total");
    assert!(invokes > 10, "it works again: {invokes}");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_finds_what_was_there_before_it() {
    let world = World::new();
    let one = world.start("one");
    world
        .functions
        .change("f", |f| f.takes = Duration::from_secs(1));
    let sent = send(&world, &[&one], 2_000).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    one.kill();
    world
        .functions
        .change("f", |f| f.takes = Duration::from_millis(1));
    let two = world.start("two");
    let before = world.elapsed();
    world.settle(2 * MINUTE).await;
    assert_eq!(ran(&world), sent);
    assert!(world.elapsed() - before < MINUTE);
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_leaves_hands_over_at_once() {
    let world = World::new();
    let (one, two) = (world.start("one"), world.start("two"));
    tokio::time::sleep(MINUTE).await;
    one.stop().await;
    let sent = send(&world, &[&two], 200).await;
    let before = world.elapsed();
    world.settle(MINUTE).await;
    assert!(world.elapsed() - before < Duration::from_secs(8));
    assert_eq!(ran(&world), sent);
    assert_eq!(world.functions.runs("f").len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_process_goes_on_after_its_stores_have_failed_and_after_a_part_of_it_has_panicked() {
    let world = World::new();
    let one = world.start("one");
    let mut sent = send(&world, &[&one], 50).await;
    for fault in [Fault::Refuse, Fault::Lie, Fault::Panic] {
        one.fail(fault);
        tokio::time::sleep(MINUTE).await;
        one.fail(Fault::None);
        sent.extend(send(&world, &[&one], 50).await);
        world.settle(2 * MINUTE).await;
        assert_eq!(ran(&world), sent, "{fault:?}");
    }
    // Whichever part asks first is the one that panics.
    for millis in 0..100 {
        tokio::time::sleep(Duration::from_millis(millis * 7)).await;
        one.fail(Fault::Panic);
    }
    tokio::time::sleep(MINUTE).await;
    one.fail(Fault::None);
    sent.extend(send(&world, &[&one], 50).await);
    world.settle(2 * MINUTE).await;
    assert_eq!(ran(&world), sent);
    one.stop().await;
}

/// What a function did is written as soon as it can be, rather than done again.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_some_seconds_has_nothing_run_twice() {
    for fault in [Fault::Refuse, Fault::Lie] {
        let world = World::new();
        world.functions.takes("f", Duration::from_secs(2));
        let one = world.start("one");
        tokio::time::sleep(MINUTE).await;
        let sent = send(&world, &[&one], 8).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.functions.runs("f").len(), 8, "they run");
        one.fail(fault);
        tokio::time::sleep(Duration::from_secs(6)).await;
        one.fail(Fault::None);
        world.settle(MINUTE).await;
        assert_eq!(ran(&world), sent);
        assert_eq!(world.functions.runs("f").len(), 8, "{fault:?}");
        one.stop().await;
    }
}
