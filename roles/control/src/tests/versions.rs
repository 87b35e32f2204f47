//! Publishing and listing versions.

use serde_json::{Value, json};

use super::harness::{ARN, FUNCTIONS, World, create_with, zip};

const VERSIONS: &str = "/2015-03-31/functions/f/versions";
const CODE: &str = "/2015-03-31/functions/f/code";

#[tokio::test]
async fn a_version_is_published_once_per_change() {
    let world = World::with_function().await;
    let latest = world
        .get("/2015-03-31/functions/f/configuration")
        .await
        .body;
    let first = world
        .call("POST", VERSIONS, json!({"Description": "one"}))
        .await;
    assert_eq!(first.status, 201, "{}", first.body);
    assert_eq!(first.body["Version"], "1");
    assert_eq!(first.body["FunctionArn"], format!("{ARN}:1"));
    assert_eq!(first.body["Description"], "one");
    assert_eq!(first.body["State"], "Active");
    assert_eq!(first.body["LastUpdateStatus"], "Successful");
    assert_ne!(first.body["RevisionId"], latest["RevisionId"]);
    let again = world
        .call("POST", VERSIONS, json!({"Description": "other"}))
        .await;
    assert_eq!((again.status, &again.body), (201, &first.body));

    world
        .call("PUT", CODE, json!({"ZipFile": zip("two")}))
        .await;
    world.settled().await;
    let second = world.call("POST", VERSIONS, Value::Null).await;
    assert_eq!(second.body["Version"], "2");
    assert_eq!(second.body["Description"], "");
    let one = world.get("/2015-03-31/functions/f?Qualifier=1").await.body;
    assert_eq!(one["Configuration"], first.body);
    assert_ne!(
        one["Configuration"]["CodeSha256"],
        second.body["CodeSha256"]
    );
}

#[tokio::test]
async fn guards_of_a_publish_are_kept() {
    let world = World::with_function().await;
    let sha = world
        .get("/2015-03-31/functions/f/configuration")
        .await
        .body["CodeSha256"]
        .clone();
    let wrong = world
        .call("POST", VERSIONS, json!({"CodeSha256": "x"}))
        .await;
    let message = format!(
        "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({}). Please try again with \
         the CodeSHA256 in $LATEST.",
        sha.as_str().unwrap()
    );
    wrong.refused(400, "InvalidParameterValueException", &message);
    let stale = world
        .call("POST", VERSIONS, json!({"RevisionId": "x"}))
        .await;
    stale.refused(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match",
    );
    let right = world
        .call("POST", VERSIONS, json!({"CodeSha256": sha}))
        .await;
    assert_eq!(right.status, 201);
    let missing = world
        .call("POST", "/2015-03-31/functions/g/versions", Value::Null)
        .await;
    missing.refused(404, "ResourceNotFoundException", "function:g");
}

#[tokio::test]
async fn a_function_can_be_published_as_it_is_made_or_changed() {
    let (world, settler) = World::unsettled(crate::Config::default());
    let created = world
        .call("POST", FUNCTIONS, create_with(json!({"Publish": true})))
        .await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(
        (
            created.body["Version"].as_str(),
            created.body["State"].as_str()
        ),
        (Some("1"), Some("Pending"))
    );
    assert_eq!(created.body["FunctionArn"], ARN);
    let one = "/2015-03-31/functions/f/configuration?Qualifier=1";
    assert_eq!(world.get(one).await.body["State"], "Pending");
    let running = tokio::spawn(settler.run());
    world.wait("f", "State", "Active").await;
    assert_eq!(world.get(one).await.body["State"], "Active");

    let update = json!({"ZipFile": zip("two"), "Publish": true});
    let updated = world.call("PUT", CODE, update.clone()).await;
    assert_eq!(updated.body["Version"], "2", "{}", updated.body);
    assert_eq!(updated.body["FunctionArn"], format!("{ARN}:2"));
    assert_eq!(updated.body["State"], "Pending");
    world.settled().await;
    let two = "/2015-03-31/functions/f/configuration?Qualifier=2";
    assert_eq!(world.get(two).await.body["State"], "Active");
    let same = world.call("PUT", CODE, update).await;
    assert_eq!(same.body["Version"], "3", "new code: {}", same.body);
    running.abort();
}

#[tokio::test]
async fn versions_are_listed_by_pages_latest_first() {
    let world = World::with_function().await;
    for number in 1..=4 {
        let change = json!({"Timeout": number});
        world
            .call("PUT", "/2015-03-31/functions/f/configuration", change)
            .await;
        world.settled().await;
        world.call("POST", VERSIONS, Value::Null).await;
    }
    for size in 1..=6 {
        let (mut found, mut marker) = (Vec::new(), String::new());
        loop {
            let page = world
                .get(&format!("{VERSIONS}?MaxItems={size}{marker}"))
                .await
                .body;
            for version in page["Versions"].as_array().unwrap() {
                let text = version["Version"].as_str().unwrap().to_owned();
                assert_eq!(version["FunctionArn"], format!("{ARN}:{text}"));
                assert!(version.get("State").is_none());
                found.push(text);
            }
            match page["NextMarker"].as_str() {
                Some(next) => marker = format!("&Marker={next}"),
                None => break,
            }
        }
        assert_eq!(found, ["$LATEST", "1", "2", "3", "4"], "pages of {size}");
    }
}

#[tokio::test]
async fn one_version_can_be_deleted_unless_an_alias_needs_it() {
    let world = World::with_function().await;
    for timeout in 1..=2 {
        let change = json!({"Timeout": timeout});
        world
            .call("PUT", "/2015-03-31/functions/f/configuration", change)
            .await;
        world.settled().await;
        world.call("POST", VERSIONS, Value::Null).await;
    }
    let alias = json!({"Name": "live", "FunctionVersion": "1",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}});
    world
        .call("POST", "/2015-03-31/functions/f/aliases", alias)
        .await;
    let delete = async |qualifier: &str| {
        world
            .call(
                "DELETE",
                &format!("/2015-03-31/functions/f?Qualifier={qualifier}"),
                Value::Null,
            )
            .await
    };
    for version in ["1", "2"] {
        delete(version).await.refused(
            409,
            "ResourceConflictException",
            "Unable to delete version because the following aliases reference it: [live]",
        );
    }
    let parameter = "InvalidParameterValueException";
    delete("$LATEST").await.refused(
        400,
        parameter,
        "$LATEST version cannot be deleted without deleting the function.",
    );
    delete("live").await.refused(
        400,
        parameter,
        "Deletion of aliases is not currently supported.",
    );
    assert_eq!(delete("99").await.status, 204);
    world
        .call(
            "DELETE",
            "/2015-03-31/functions/f/aliases/live",
            Value::Null,
        )
        .await;
    assert_eq!(delete("2").await.status, 204);
    let gone = world.get("/2015-03-31/functions/f?Qualifier=2").await;
    gone.refused(404, "ResourceNotFoundException", &format!("{ARN}:2"));
    // Its number is not used again, and publishing without a change makes a new one.
    let published = world.call("POST", VERSIONS, Value::Null).await;
    assert_eq!(published.body["Version"], "3", "{}", published.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_publishes_at_once_all_get_the_same_version() {
    let world = std::sync::Arc::new(World::with_function().await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.call("POST", VERSIONS, Value::Null).await })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        assert!([201, 409].contains(&answer.status), "{}", answer.body);
        if answer.status == 201 {
            seen.push(answer.body["RevisionId"].clone());
            assert_eq!(answer.body["Version"], "1");
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "one version has one content");
    let listed = world.get(VERSIONS).await.body["Versions"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(listed, 2);
}
