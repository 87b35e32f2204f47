//! Function URLs, as far as deletions are concerned.

use serde_json::{Value, json};
use storage::{Consistency, Expect, Table as _};

use super::harness::{FUNCTIONS, World, create};

const URL: &str = "/2021-10-31/functions/f/url";
const URLS: &str = "/2021-10-31/functions/f/urls";
const KEY: &str = "url/000000000000/us-east-1/f/$LATEST";

async fn make(world: &World) -> Value {
    let made = world.call("POST", URL, json!({"AuthType": "NONE"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

#[tokio::test]
async fn a_url_ends_with_its_function() {
    let world = World::with_function().await;
    let first = make(&world).await;
    let removed = world
        .call("DELETE", &format!("{FUNCTIONS}/f"), json!(null))
        .await;
    assert_eq!(removed.status, 204);
    world.call("POST", FUNCTIONS, create("f")).await;
    assert_eq!(world.get(URL).await.status, 404);
    let second = make(&world).await;
    assert_ne!(first["FunctionUrl"], second["FunctionUrl"]);
}

#[tokio::test]
async fn a_url_that_a_deletion_missed_is_not_the_next_functions() {
    let world = World::with_function().await;
    make(&world).await;
    let row = world
        .table
        .get(KEY, Consistency::Strong)
        .await
        .unwrap()
        .unwrap();
    world
        .call("DELETE", &format!("{FUNCTIONS}/f"), json!(null))
        .await;
    let left = || world.table.put(KEY, row.value.clone(), Expect::Any);
    // As an update leaves it that was in progress meanwhile. Without a function there is no URL.
    left().await.unwrap();
    assert_eq!(world.get(URL).await.status, 404);
    world.call("POST", FUNCTIONS, create("f")).await;
    // The same, later still.
    left().await.unwrap();
    assert_eq!(world.get(URL).await.status, 404);
    assert_eq!(world.get(URLS).await.body["FunctionUrlConfigs"], json!([]));
    for (method, body) in [
        ("PUT", json!({"AuthType": "NONE"})),
        ("DELETE", json!(null)),
    ] {
        let refused = world.call(method, URL, body).await;
        assert_eq!(
            (refused.status, &*refused.error),
            (404, "ResourceNotFoundException")
        );
    }
    // It blocks nobody.
    let made = make(&world).await;
    let shown = world.get(URL).await;
    assert_eq!(shown.body["FunctionUrl"], made["FunctionUrl"]);
    let listed = world.get(URLS).await;
    assert_eq!(
        listed.body["FunctionUrlConfigs"].as_array().unwrap().len(),
        1
    );
    let again = world.call("POST", URL, json!({"AuthType": "NONE"})).await;
    assert_eq!(
        (again.status, &*again.error),
        (409, "ResourceConflictException")
    );
}
