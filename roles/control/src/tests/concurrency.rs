//! Concurrent requests for an account's concurrency, and what a crash leaves of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use storage::{Consistency, Expect, Table as _};

use super::harness::{FUNCTIONS, World, create};

const CLAIMS: &str = "concurrency-claim/000000000000/us-east-1";

async fn reserve(world: &World, name: &str, count: u32) -> (u16, String) {
    let target = format!("/2017-10-31/functions/{name}/concurrency");
    let body = json!({"ReservedConcurrentExecutions": count});
    let answer = world.call("PUT", &target, body).await;
    (answer.status, answer.error)
}

async fn unreserved(world: &World) -> u64 {
    let settings = world.get("/2016-08-19/account-settings").await.body;
    settings["AccountLimit"]["UnreservedConcurrentExecutions"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reservations_at_once_leave_the_hundred() {
    for _ in 0..5 {
        let world = Arc::new(World::new());
        let mut tasks = Vec::new();
        for number in 0..12 {
            let name = format!("f{number}");
            world.call("POST", FUNCTIONS, create(&name)).await;
        }
        for number in 0..12 {
            let world = world.clone();
            let name = format!("f{number}");
            tasks.push(tokio::spawn(
                async move { reserve(&world, &name, 200).await },
            ));
        }
        let mut reserved = 0;
        for task in tasks {
            match task.await.unwrap() {
                (200, _) => reserved += 200,
                (400, error) => assert_eq!(error, "InvalidParameterValueException"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(unreserved(&world).await, 1_000 - reserved);
        assert!((200..=900).contains(&reserved), "{reserved}");
        let left = world.table.get(CLAIMS, Consistency::Strong).await.unwrap();
        let left: Value = serde_json::from_slice(&left.unwrap().value).unwrap();
        assert_eq!(left["claims"], json!([]));
    }
}

#[tokio::test]
async fn a_claim_that_a_crash_left_holds_nothing_up_for_long() {
    let world = World::with_function().await;
    world.call("POST", FUNCTIONS, create("g")).await;
    let since = types::Clock::now(&*world.clock).as_millis();
    let left = json!({"claims": [{"function": "f", "share": 800, "since": since, "id": "x"}]});
    let value = left.to_string().into();
    world.table.put(CLAIMS, value, Expect::Any).await.unwrap();
    // It may still be carried out: what it claims is not given to others, and its function waits for
    // it.
    assert_eq!(reserve(&world, "g", 101).await.0, 400);
    assert_eq!(reserve(&world, "f", 1).await.0, 409);
    assert_eq!(reserve(&world, "g", 100).await.0, 200);
    world.clock.advance(Duration::from_secs(15));
    assert_eq!(reserve(&world, "f", 1).await.0, 200);
    assert_eq!(reserve(&world, "g", 101).await.0, 200);
}
