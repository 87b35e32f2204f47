//! Calls that are never answered: the caller continues after a while, and nothing waits for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use api::events::{Error, Events as _};
use types::RequestId;

use super::functions::{Does, Function};
use super::process::{Fault, Process};
use super::telling::{QUEUE, on_failure};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);

async fn send(world: &World, to: &Process, name: &str, count: usize) -> BTreeSet<RequestId> {
    let mut sent = BTreeSet::new();
    for n in 0..count {
        let event = world.event(name, &n.to_string());
        sent.insert(event.request);
        to.service.accept(event).await.unwrap();
    }
    sent
}

fn ran(world: &World, name: &str) -> BTreeSet<RequestId> {
    let runs = world.functions.runs(name);
    runs.iter().map(|call| call.request).collect()
}

#[tokio::test(start_paused = true)]
async fn a_process_goes_on_after_its_stores_have_left_questions_unanswered() {
    for fault in [Fault::Swallow, Fault::Forget] {
        let world = World::new();
        world.functions.takes("f", Duration::from_secs(2));
        let one = world.start("one");
        tokio::time::sleep(MINUTE).await;
        let mut sent = send(&world, &one, "f", 50).await;
        // Calls made meanwhile are never answered.
        one.fail(fault);
        tokio::time::sleep(Duration::from_secs(12)).await;
        one.fail(Fault::None);
        sent.extend(send(&world, &one, "f", 50).await);
        world.settle(3 * MINUTE).await;
        assert_eq!(ran(&world, "f"), sent, "{fault:?}");
        tokio::time::sleep(10 * MINUTE).await;
        let before = world.elapsed();
        sent.extend(send(&world, &one, "f", 50).await);
        world.settle(MINUTE).await;
        assert!(world.elapsed() - before < MINUTE);
        assert_eq!(ran(&world, "f"), sent, "{fault:?}");
        one.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_process_had_whose_stores_leave_it_without_answers_is_taken_over() {
    for fault in [Fault::Swallow, Fault::Forget] {
        let world = World::new();
        let (one, two) = (world.start("one"), world.start("two"));
        tokio::time::sleep(MINUTE).await;
        one.fail(fault);
        let sent = send(&world, &two, "f", 200).await;
        let before = world.elapsed();
        world.settle(2 * MINUTE).await;
        assert_eq!(ran(&world, "f"), sent, "{fault:?}");
        let took = world.elapsed() - before;
        assert!(took < Duration::from_secs(40), "{took:?}");
        one.fail(Fault::None);
        tokio::time::sleep(2 * MINUTE).await;
        one.stop().await;
        two.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_an_event_to_a_queue_that_does_not_answer_is_told_so() {
    let world = World::new();
    let one = world.start("one");
    one.fail(Fault::Swallow);
    let before = world.elapsed();
    let accepted = one.service.accept(world.event("f", "{}")).await;
    assert_eq!(accepted, Err(Error::Unavailable));
    assert!(world.elapsed() - before < MINUTE);
}

/// An invoke that is lost is tried again, and others are not held up by it.
#[tokio::test(start_paused = true)]
async fn an_invoke_that_never_returns_is_given_up() {
    let world = World::new();
    let function = Function {
        does: [vec![Does::Hangs; 12], vec![Does::Returns("1")]].concat(),
        ..Function::default()
    };
    world.functions.put("f", function);
    world.functions.put("g", Function::default());
    let one = world.start("one");
    let sent = send(&world, &one, "f", 100).await;
    let others = send(&world, &one, "g", 100).await;
    world.settle(120 * MINUTE).await;
    assert_eq!(ran(&world, "f"), sent);
    assert_eq!(ran(&world, "g"), others);
    assert_eq!(world.functions.runs("f").len(), 112);
    one.stop().await;
}

/// One that is lost holds up neither the others nor a stop.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_never_returns_is_given_up() {
    let world = World::new();
    world.functions.put(
        "f",
        Function {
            reserved: Some(0),
            ..Function::default()
        },
    );
    world.configure("f", on_failure(QUEUE)).await;
    world.services.swallow(3);
    let one = world.start("one");
    send(&world, &one, "f", 10).await;
    world.settle(10 * MINUTE).await;
    assert_eq!(world.services.taken().len(), 10);
    one.stop().await;
}
