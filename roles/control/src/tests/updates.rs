//! Changing functions.

use serde_json::{Value, json};
use types::{FunctionName, Scope};

use super::harness::{ARN, World, create_with, zip};

const CODE: &str = "/2015-03-31/functions/f/code";
const CONFIGURATION: &str = "/2015-03-31/functions/f/configuration";

async fn row(world: &World) -> records::functions::Function {
    let Scope { account, region } = super::function("f").scope;
    let scope = Scope { account, region };
    let name = FunctionName::new("f").unwrap();
    world
        .control
        .functions
        .function(&scope, &name)
        .await
        .unwrap()
        .unwrap()
        .0
}

#[tokio::test]
async fn new_code_takes_over_once_it_is_ready() {
    let (world, settler) = World::unsettled(crate::Config::default());
    world
        .call("POST", super::harness::FUNCTIONS, create_with(json!({})))
        .await;
    let pending = world
        .call("PUT", CODE, json!({"ZipFile": zip("two")}))
        .await;
    pending.refused(
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. The function is currently in the following state: Pending",
    );
    let running = tokio::spawn(settler.run());
    let before = world.wait("f", "State", "Active").await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());

    let updated = world
        .call("PUT", CODE, json!({"ZipFile": zip("two")}))
        .await;
    assert_eq!(updated.status, 200, "{}", updated.body);
    assert_eq!(updated.body["LastUpdateStatus"], "InProgress");
    assert_eq!(
        updated.body["LastUpdateStatusReason"],
        "The function is being created."
    );
    assert_eq!(updated.body["LastUpdateStatusReasonCode"], "Creating");
    assert_eq!(updated.body["State"], "Active");
    assert_ne!(updated.body["CodeSha256"], before["CodeSha256"]);
    assert_ne!(updated.body["RevisionId"], before["RevisionId"]);
    let function = row(&world).await;
    let serving = function
        .serving
        .expect("the old code serves until the new is ready");
    assert_eq!(serving.code.sha256, before["CodeSha256"].as_str().unwrap());
    assert_eq!(function.latest.generation, serving.generation + 1);
    let during = world
        .call("PUT", CONFIGURATION, json!({"Timeout": 5}))
        .await;
    let message = format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {ARN}"
    );
    during.refused(409, "ResourceConflictException", &message);
}

#[tokio::test]
async fn a_settled_update_serves_and_another_may_follow() {
    let world = World::with_function().await;
    let first = row(&world).await.latest.generation;
    for (round, content) in ["two", "three", "three"].iter().enumerate() {
        let updated = world
            .call("PUT", CODE, json!({"ZipFile": zip(content)}))
            .await;
        assert_eq!(updated.status, 200, "{}", updated.body);
        world.settled().await;
        let function = row(&world).await;
        assert!(function.serving.is_none());
        // The same code again is new code, too.
        assert_eq!(function.latest.generation - first, [1, 2, 3][round]);
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let world = World::with_function().await;
    let before = world.get(CONFIGURATION).await.body;
    let change = json!({
        "Timeout": 30,
        "MemorySize": 256,
        "Environment": {"Variables": {"KEY": "v"}},
        "LoggingConfig": {"LogGroup": "/mine"},
        "EphemeralStorage": {"Size": 1024},
        "TracingConfig": {"Mode": "Active"},
    });
    let updated = world.call("PUT", CONFIGURATION, change).await;
    assert_eq!(updated.status, 200, "{}", updated.body);
    let after = world.settled().await;
    let mut expected = before;
    expected["Timeout"] = json!(30);
    expected["MemorySize"] = json!(256);
    expected["Environment"] = json!({"Variables": {"KEY": "v"}});
    expected["LoggingConfig"]["LogGroup"] = json!("/mine");
    expected["EphemeralStorage"] = json!({"Size": 1024});
    expected["TracingConfig"] = json!({"Mode": "Active"});
    expected["RevisionId"] = after["RevisionId"].clone();
    assert_eq!(after, expected);
    let cleared = json!({"Environment": {"Variables": {}}});
    world.call("PUT", CONFIGURATION, cleared).await;
    assert_eq!(
        world.settled().await["Environment"],
        json!({"Variables": {}})
    );
}

#[tokio::test]
async fn wrong_updates_are_refused() {
    let world = World::with_function().await;
    let revision = "The Revision Id provided does not match the latest Revision Id. Call the \
                    GetFunction/GetAlias API to retrieve the latest Revision Id";
    let stale = world
        .call(
            "PUT",
            CONFIGURATION,
            json!({"RevisionId": "x", "Timeout": 4}),
        )
        .await;
    stale.refused(412, "PreconditionFailedException", revision);
    assert_eq!(stale.body["Type"], "User");
    let stale = world
        .call("PUT", CODE, json!({"RevisionId": "x", "ZipFile": zip("2")}))
        .await;
    stale.refused(412, "PreconditionFailedException", revision);
    let wrong = world
        .call("PUT", CONFIGURATION, json!({"Timeout": 901}))
        .await;
    wrong.refused(400, "ValidationException", "Value '901' at 'timeout'");
    let wrong = world
        .call("PUT", CONFIGURATION, json!({"Runtime": "cobol"}))
        .await;
    wrong.refused(
        400,
        "InvalidParameterValueException",
        "Value cobol at 'runtime'",
    );
    let nothing = world.call("PUT", CODE, json!({})).await;
    nothing.refused(
        400,
        "InvalidParameterValueException",
        "Please provide a source",
    );
    let version = world
        .call(
            "PUT",
            "/2015-03-31/functions/f:1/code",
            json!({"ZipFile": zip("2")}),
        )
        .await;
    version.refused(
        400,
        "InvalidParameterValueException",
        "Current operation does not support versions other than $LATEST.",
    );
    let missing = world
        .call(
            "PUT",
            "/2015-03-31/functions/g/code",
            json!({"ZipFile": zip("2")}),
        )
        .await;
    missing.refused(404, "ResourceNotFoundException", "function:g");
    let given = world.get(CONFIGURATION).await.body["RevisionId"].clone();
    let right = world
        .call(
            "PUT",
            CONFIGURATION,
            json!({"RevisionId": given, "Timeout": 4}),
        )
        .await;
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::with_function().await;
    let before = world.get(CONFIGURATION).await.body;
    let dry = world
        .call("PUT", CODE, json!({"ZipFile": zip("two"), "DryRun": true}))
        .await;
    assert_eq!(dry.status, 200);
    assert_ne!(dry.body["CodeSha256"], before["CodeSha256"]);
    assert_eq!(world.get(CONFIGURATION).await.body, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_updates_at_once_each_is_whole_or_refused() {
    let world = std::sync::Arc::new(World::with_function().await);
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move {
                let change = json!({"Timeout": 100 + number, "MemorySize": 200 + number});
                world.call("PUT", CONFIGURATION, change).await
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        let answer = task.await.unwrap();
        assert!([200, 409].contains(&answer.status), "{}", answer.body);
        done += usize::from(answer.status == 200);
    }
    assert!(done > 0);
    let after: Value = world.settled().await;
    assert_eq!(
        after["Timeout"].as_i64().unwrap() + 100,
        after["MemorySize"].as_i64().unwrap()
    );
}
