//! Layers: what is published stays, numbers are given once, functions keep theirs.

use serde_json::{Value, json};

use super::harness::{FUNCTIONS, World, create_with, signer, zip};

const VERSIONS: &str = "/2018-10-31/layers/l/versions";
const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l";

async fn publish(world: &World, content: &str) -> Value {
    let body = json!({"Content": {"ZipFile": zip(content)}, "Description": content});
    let answer = world.call("POST", VERSIONS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn a_version_is_read_as_it_was_published() {
    let world = World::new();
    let published = publish(&world, "one").await;
    assert_eq!(published["LayerVersionArn"], format!("{LAYER}:1"));
    assert_eq!(published["CreatedDate"], "2026-01-31T10:20:30.123+0000");
    let by_arn = format!("/2018-10-31/layers?find=LayerVersion&Arn={LAYER}:1");
    for target in [&format!("{VERSIONS}/1"), &by_arn] {
        let found = world.get(target).await;
        assert_eq!((found.status, &found.body), (200, &published));
    }
    let missing = world.get(&format!("{VERSIONS}/2")).await;
    missing.refused(404, "ResourceNotFoundException", "does not exist");
}

#[tokio::test]
async fn numbers_are_given_once_even_to_many_at_a_time() {
    let world = World::new();
    let all = (0..8).map(|n| {
        let world = &world;
        async move {
            publish(world, &n.to_string()).await["Version"]
                .as_u64()
                .unwrap()
        }
    });
    let mut numbers = Vec::new();
    for publishing in all {
        numbers.push(publishing.await);
    }
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    world
        .call("DELETE", &format!("{VERSIONS}/8"), Value::Null)
        .await;
    assert_eq!(publish(&world, "again").await["Version"], 9);
}

#[tokio::test]
async fn lists_have_the_newest_first() {
    let world = World::new();
    for content in ["one", "two", "three"] {
        publish(&world, content).await;
    }
    let numbers = |answer: &Value| -> Vec<u64> {
        let list = answer["LayerVersions"].as_array().unwrap();
        list.iter()
            .map(|v| v["Version"].as_u64().unwrap())
            .collect()
    };
    let first = world.get(&format!("{VERSIONS}?MaxItems=2")).await.body;
    assert_eq!(numbers(&first), [3, 2]);
    let marker = first["NextMarker"].as_str().unwrap();
    let rest = world.get(&format!("{VERSIONS}?Marker={marker}")).await.body;
    assert_eq!((numbers(&rest), rest.get("NextMarker")), (vec![1], None));
    let layers = world.get("/2018-10-31/layers").await.body;
    assert_eq!(layers["Layers"][0]["LatestMatchingVersion"]["Version"], 3);
    assert_eq!(layers["Layers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_function_keeps_its_layer_when_the_version_is_deleted() {
    let world = World::new();
    publish(&world, "one").await;
    let body = create_with(json!({"Layers": [format!("{LAYER}:1")]}));
    let created = world.call("POST", FUNCTIONS, body.clone()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.body["Layers"][0]["Arn"], format!("{LAYER}:1"));
    world.wait("f", "State", "Active").await;
    let target = format!("{VERSIONS}/1");
    assert_eq!(world.call("DELETE", &target, Value::Null).await.status, 204);
    let update = json!({"Timeout": 9});
    let target = format!("{FUNCTIONS}/f/configuration");
    let updated = world.call("PUT", &target, update).await;
    assert_eq!(updated.body["Layers"], created.body["Layers"]);
    let mut other = body;
    other["FunctionName"] = json!("g");
    let refused = world.call("POST", FUNCTIONS, other).await;
    refused.refused(400, "InvalidParameterValueException", "does not exist.");
}

#[tokio::test]
async fn another_accounts_layers_are_not_for_everybody() {
    let world = World::new();
    let foreign = LAYER.replace("000000000000", "111111111111");
    let target = format!("/2018-10-31/layers?find=LayerVersion&Arn={foreign}:1");
    let refused = world.get(&target).await;
    refused.refused(403, "AccessDeniedException", "is not authorized to perform");
    let body = create_with(json!({"Layers": [format!("{foreign}:1")]}));
    let refused = world.call("POST", FUNCTIONS, body).await;
    refused.refused(403, "AccessDeniedException", "is not authorized to perform");
}

#[tokio::test]
async fn a_permission_lets_another_account_use_a_version() {
    let world = World::new();
    publish(&world, "one").await;
    let policy = format!("{VERSIONS}/1/policy");
    world
        .get(&policy)
        .await
        .refused(404, "ResourceNotFoundException", "No policy is associated");
    let other = signer("AKIAOTHER", "secret");
    let foreign = format!("/2018-10-31/layers?find=LayerVersion&Arn={LAYER}:1");
    let read = || world.send(&other, "GET", &foreign, b"");
    read()
        .await
        .refused(403, "AccessDeniedException", "resource-based policy");
    let permission = json!({
        "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "111111111111",
    });
    let added = world.call("POST", &policy, permission.clone()).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(
        added.body["Statement"],
        format!(
            "{{\"Sid\":\"s\",\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"arn:aws:iam::111111111111:root\"}},\
             \"Action\":\"lambda:GetLayerVersion\",\"Resource\":\"{LAYER}:1\"}}"
        )
    );
    assert_eq!(read().await.status, 200);
    let again = world.call("POST", &policy, permission).await;
    again.refused(
        409,
        "ResourceConflictException",
        "The statement id (s) provided already exists.",
    );
    let shown = world.get(&policy).await.body;
    assert_eq!(shown["RevisionId"], added.body["RevisionId"]);
    let stale = world
        .call("DELETE", &format!("{policy}/s?RevisionId=x"), Value::Null)
        .await;
    stale.refused(412, "PreconditionFailedException", "Revision Id");
    let removed = world
        .call("DELETE", &format!("{policy}/s"), Value::Null)
        .await;
    assert_eq!(removed.status, 204);
    read()
        .await
        .refused(403, "AccessDeniedException", "resource-based policy");
    let gone = world
        .call("DELETE", &format!("{policy}/s"), Value::Null)
        .await;
    gone.refused(404, "ResourceNotFoundException", "No policy is associated");
}
