//! What operators are shown of workers, and who else is not.

use std::sync::Arc;
use std::time::Duration;

use faulty::Faults;
use serde_json::Value;
use storage::{Consistency, Row, Table as _};

use super::harness::{World, signer};

const LIST: &str = "/lambent/workers";
const H1: &str = "/lambent/drains/h1";

/// Says that it drains.
const KEY: &str = "cluster/drain/h1";

async fn row(world: &World, key: &str) -> Option<Row> {
    world.table.get(key, Consistency::Strong).await.unwrap()
}

/// A control plane of a cluster.
fn of_cluster() -> World {
    let network = Faults::fixed(Duration::ZERO);
    World::behind(network, Arc::default(), Arc::default()).0
}

#[tokio::test]
async fn an_operator_sees_each_worker() {
    let world = World::new();
    let listed = world.get(LIST).await;
    assert_eq!(listed.status, 200);
    let workers = listed.body["Workers"].as_array().unwrap();
    let states: Vec<&Value> = workers.iter().map(|worker| &worker["State"]).collect();
    assert_eq!(states, ["ready", "silent"]);
    let one = &workers[0];
    assert_eq!((&one["Host"], &one["Zone"]), (&"h1".into(), &"a".into()));
    assert_eq!((&one["Busy"], &one["Idle"]), (&1.into(), &2.into()));
    assert_eq!(one["SilentMs"], 200);
}

#[tokio::test]
async fn a_host_drains_and_drains_no_more() {
    let world = of_cluster();
    assert_eq!(world.call("PUT", H1, Value::Null).await.status, 204);
    assert!(row(&world, KEY).await.is_some());
    assert_eq!(world.call("DELETE", H1, Value::Null).await.status, 204);
    assert!(row(&world, KEY).await.is_none());
    // Harmless.
    assert_eq!(world.call("DELETE", H1, Value::Null).await.status, 204);
}

#[tokio::test]
async fn a_host_without_a_worker_that_lives_is_refused() {
    let world = of_cluster();
    for host in ["h2", "h3"] {
        let path = format!("/lambent/drains/{host}");
        let refused = world.call("PUT", &path, Value::Null).await;
        refused.refused(
            404,
            "ResourceNotFoundException",
            "No worker runs on the host",
        );
    }
}

#[tokio::test]
async fn one_process_alone_does_not_drain() {
    let world = World::new();
    let refused = world.call("PUT", H1, Value::Null).await;
    refused.refused(400, "ValidationException", "one process with one worker");
}

#[tokio::test]
async fn other_accounts_see_and_do_nothing() {
    let world = of_cluster();
    let other = signer("AKIAOTHER", "secret");
    for (method, path) in [("GET", LIST), ("PUT", H1), ("DELETE", H1)] {
        let refused = world.send(&other, method, path, b"").await;
        refused.refused(403, "AccessDeniedException", "operator");
    }
    assert!(row(&world, KEY).await.is_none());
}
