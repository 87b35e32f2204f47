//! Reserved concurrency, account settings, tags.

use serde_json::{Value, json};

use super::harness::{ARN, FUNCTIONS, World, create};

const PUT: &str = "/2017-10-31/functions/f/concurrency";
const GET: &str = "/2019-09-30/functions/f/concurrency";

#[tokio::test]
async fn concurrency_is_reserved_and_released() {
    let world = World::with_function().await;
    assert_eq!(world.get(GET).await.body, json!({}));
    let reserved = json!({"ReservedConcurrentExecutions": 10});
    let put = world.call("PUT", PUT, reserved.clone()).await;
    assert_eq!((put.status, &put.body), (200, &reserved));
    assert_eq!(world.get(GET).await.body, reserved);
    assert_eq!(
        world.get("/2015-03-31/functions/f").await.body["Concurrency"],
        reserved
    );
    let zero = json!({"ReservedConcurrentExecutions": 0});
    assert_eq!(world.call("PUT", PUT, zero.clone()).await.body, zero);
    assert_eq!(world.call("DELETE", PUT, Value::Null).await.status, 204);
    assert_eq!(world.get(GET).await.body, json!({}));
}

#[tokio::test]
async fn a_hundred_stay_unreserved() {
    let world = World::with_function().await;
    world.call("POST", FUNCTIONS, create("g")).await;
    let reserve = |count: i64| json!({"ReservedConcurrentExecutions": count});
    assert_eq!(world.call("PUT", PUT, reserve(600)).await.status, 200);
    let message = "Specified ReservedConcurrentExecutions for function decreases account's \
                   UnreservedConcurrentExecution below its minimum value of [100].";
    let other = "/2017-10-31/functions/g/concurrency";
    let refused = world.call("PUT", other, reserve(301)).await;
    refused.refused(400, "InvalidParameterValueException", message);
    assert_eq!(world.call("PUT", other, reserve(300)).await.status, 200);
    // What the function had itself does not count against it.
    assert_eq!(world.call("PUT", PUT, reserve(600)).await.status, 200);
    let wrong = world.call("PUT", PUT, reserve(-1)).await;
    wrong.refused(
        400,
        "ValidationException",
        "Member must have value greater than or equal to 0",
    );
    let none = world.call("PUT", PUT, json!({})).await;
    none.refused(
        400,
        "ValidationException",
        "Value null at 'reservedConcurrentExecutions'",
    );
    let huge = world.call("PUT", PUT, reserve(i64::MAX)).await;
    huge.refused(400, "InvalidParameterValueException", message);
    let version = world
        .call("PUT", "/2017-10-31/functions/f:1/concurrency", reserve(1))
        .await;
    version.refused(
        400,
        "InvalidParameterValueException",
        "Aliases and versions do not support this operation",
    );

    let account = world.get("/2016-08-19/account-settings").await.body;
    assert_eq!(
        account["AccountLimit"]["UnreservedConcurrentExecutions"],
        100
    );
    assert_eq!(account["AccountLimit"]["ConcurrentExecutions"], 1000);
    assert_eq!(account["AccountUsage"]["FunctionCount"], 2);
}

#[tokio::test]
async fn account_settings_count_every_version() {
    let world = World::with_function().await;
    let size = world
        .get("/2015-03-31/functions/f/configuration")
        .await
        .body["CodeSize"]
        .clone();
    world
        .call("POST", "/2015-03-31/functions/f/versions", Value::Null)
        .await;
    let account = world.get("/2016-08-19/account-settings").await.body;
    let expected = json!({
        "AccountLimit": {
            "TotalCodeSize": 80530636800_u64,
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        },
        "AccountUsage": {"TotalCodeSize": size.as_u64().unwrap() * 2, "FunctionCount": 1},
    });
    assert_eq!(account, expected);
}

#[tokio::test]
async fn tags_are_put_listed_and_removed() {
    let world = World::with_function().await;
    let target = format!("/2017-03-31/tags/{}", wire::uri::encode(ARN));
    assert_eq!(world.get(&target).await.body, json!({"Tags": {}}));
    let put = world
        .call("POST", &target, json!({"Tags": {"a b": "1", "c": "2"}}))
        .await;
    assert_eq!((put.status, put.raw.body().len()), (204, 0));
    world
        .call("POST", &target, json!({"Tags": {"c": "3", "d": "4"}}))
        .await;
    assert_eq!(
        world.get(&target).await.body,
        json!({"Tags": {"a b": "1", "c": "3", "d": "4"}})
    );
    let gone = world
        .call(
            "DELETE",
            &format!("{target}?tagKeys=a%20b&tagKeys=d"),
            Value::Null,
        )
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(world.get(&target).await.body, json!({"Tags": {"c": "3"}}));

    let version = format!("{target}%3A1");
    let parameter = "InvalidParameterValueException";
    world.get(&version).await.refused(
        400,
        parameter,
        "Tags on function aliases and versions are not supported.",
    );
    world.get("/2017-03-31/tags/f").await.refused(
        400,
        "ValidationException",
        "Value 'f' at 'resource'",
    );
    world
        .get(&target.replace("function%3Af", "function%3Ag"))
        .await
        .refused(404, "ResourceNotFoundException", "function:g");
    let many: Value = (0..60)
        .map(|n| (n.to_string(), json!("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    world
        .call("POST", &target, json!({"Tags": many}))
        .await
        .refused(400, parameter, "Number of tags exceeds");
    world.call("DELETE", &target, Value::Null).await.refused(
        400,
        "ValidationException",
        "'tagKeys'",
    );
}
