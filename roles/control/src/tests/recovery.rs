//! What a crash interrupts is resumed; what it leaves behind does no harm.

use std::sync::Arc;

use serde_json::{Value, json};
use storage::{Expect, Table as _};

use super::harness::{FUNCTIONS, World, create, create_with, zip};
use crate::Config;

/// The same stores under a new control plane, as after a crash.
pub(super) fn restarted(world: &World) -> (World, crate::Settler) {
    let cache = tempfile::tempdir().unwrap();
    World::over(
        Config::default(),
        Arc::clone(&world.table),
        Arc::clone(&world.blobs),
        cache,
    )
}

#[tokio::test]
async fn functions_left_pending_or_in_progress_are_settled_after_a_restart() {
    let (first, settler) = World::unsettled(Config::default());
    first
        .call("POST", FUNCTIONS, create_with(json!({"Publish": true})))
        .await;
    first.call("POST", FUNCTIONS, create("g")).await;
    drop(settler);
    let (second, settler) = restarted(&first);
    let running = tokio::spawn(settler.run());
    second.wait("f", "State", "Active").await;
    second.wait("g", "State", "Active").await;
    let version = second
        .get("/2015-03-31/functions/f/configuration?Qualifier=1")
        .await;
    assert_eq!(version.body["State"], "Active");
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());

    let code = json!({"ZipFile": zip("two")});
    let updated = second
        .call("PUT", "/2015-03-31/functions/g/code", code)
        .await;
    assert_eq!(updated.body["LastUpdateStatus"], "InProgress");
    let (third, settler) = restarted(&second);
    let running = tokio::spawn(settler.run());
    third.wait("g", "LastUpdateStatus", "Successful").await;
    running.abort();
}

#[tokio::test]
async fn a_publish_that_a_crash_interrupted_is_finished_with_what_was_decided() {
    let world = World::with_function().await;
    // As a crash leaves it: decided in the function's row, and an old row of that number exists.
    let mut function = super::function("f");
    let name = function.name.clone();
    let (present, revision) = world
        .control
        .functions
        .function(&function.scope, &name)
        .await
        .unwrap()
        .unwrap();
    let mut version = present.latest.clone();
    version.version = types::Version::Published(1);
    version.revision_id = "decided".to_owned();
    function = present.clone();
    function.publishing = Some(Arc::new(version.clone()));
    function.published_generation = function.latest.generation;
    assert!(
        world
            .control
            .functions
            .replace(&function, revision)
            .await
            .unwrap()
    );
    version.revision_id = "left over".to_owned();
    let put = world
        .control
        .functions
        .put_version(&function.scope, &name, 1, &version, Expect::Any)
        .await;
    assert!(put.unwrap());

    let published = world
        .call("POST", "/2015-03-31/functions/f/versions", Value::Null)
        .await;
    assert_eq!(published.body["Version"], "1", "{}", published.body);
    assert_eq!(published.body["RevisionId"], "decided");
}

#[tokio::test]
async fn rows_left_by_a_function_of_the_same_name_are_swept() {
    let world = World::new();
    let left = super::function("f");
    let key = records::functions::alias_key(
        &left.scope,
        &left.name,
        &types::AliasName::new("old").unwrap(),
    );
    world
        .table
        .put(&key, "{}".into(), Expect::Absent)
        .await
        .unwrap();
    world
        .control
        .functions
        .put_version(&left.scope, &left.name, 3, &left.latest, Expect::Any)
        .await
        .unwrap();
    world.call("POST", FUNCTIONS, create("f")).await;
    let rows = world.table.list("", None, 10).await.unwrap();
    let keys: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["function/000000000000/us-east-1/f"]);
}

#[tokio::test]
async fn a_damaged_row_is_a_fault_of_ours_and_says_nothing_of_it() {
    let world = World::with_function().await;
    world
        .table
        .put(
            "function/000000000000/us-east-1/f",
            "hush".into(),
            Expect::Any,
        )
        .await
        .unwrap();
    let answer = world.get("/2015-03-31/functions/f").await;
    answer.refused(500, "ServiceException", "An internal error occurred.");
    assert_eq!(answer.body["Type"], "Service");
}

#[tokio::test]
async fn a_package_that_vanished_leaves_the_function_pending_and_is_tried_again() {
    let (first, settler) = World::unsettled(Config::default());
    first.call("POST", FUNCTIONS, create("f")).await;
    drop(settler);
    let image = first
        .code
        .publish(decoded(&zip("one")).into())
        .await
        .unwrap()
        .image;
    let blob = format!("code/{image}.zip");
    storage::Blobs::delete(first.blobs.as_ref(), &blob)
        .await
        .unwrap();
    let (second, settler) = restarted(&first);
    tokio::time::pause();
    let running = tokio::spawn(settler.run());
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let found = second.get("/2015-03-31/functions/f/configuration").await;
    assert_eq!(found.body["State"], "Pending");
    storage::Blobs::put(second.blobs.as_ref(), &blob, decoded(&zip("one")).into())
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    tokio::time::resume();
    second.wait("f", "State", "Active").await;
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_package_that_there_is_no_room_for_is_tried_some_times_and_then_failed() {
    let (world, settler) = World::without_room();
    world.call("POST", FUNCTIONS, create("f")).await;
    let running = tokio::spawn(settler.run());
    let mut found = Vec::new();
    // Checked immediately, and again every 15 s.
    for seconds in [1, 45] {
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        let look = world.get("/2015-03-31/functions/f/configuration").await;
        found.push(look.body);
    }
    let states: Vec<_> = found.iter().map(|body| body["State"].as_str()).collect();
    assert_eq!(states, [Some("Pending"), Some("Failed")]);
    assert_eq!(found[1]["StateReasonCode"], "InternalError");
    let reason = "An internal error occurred. Please try again later.";
    assert_eq!(found[1]["StateReason"], reason);
    running.abort();
}

fn decoded(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
}
