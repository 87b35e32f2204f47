//! Aliases.

use serde_json::{Value, json};

use super::harness::{ARN, World};

const ALIASES: &str = "/2015-03-31/functions/f/aliases";

async fn with_versions() -> World {
    let world = World::with_function().await;
    for timeout in 1..=2 {
        let change = json!({"Timeout": timeout});
        world
            .call("PUT", "/2015-03-31/functions/f/configuration", change)
            .await;
        world.settled().await;
        world
            .call("POST", "/2015-03-31/functions/f/versions", Value::Null)
            .await;
    }
    world
}

#[tokio::test]
async fn an_alias_lives_and_points_where_it_is_told() {
    let world = with_versions().await;
    let created = world
        .call(
            "POST",
            ALIASES,
            json!({"Name": "live", "FunctionVersion": "1"}),
        )
        .await;
    assert_eq!(created.status, 201, "{}", created.body);
    let mut expected = json!({
        "AliasArn": format!("{ARN}:live"),
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
        "RevisionId": created.body["RevisionId"],
    });
    assert_eq!(created.body, expected);
    assert_eq!(world.get(&format!("{ALIASES}/live")).await.body, expected);
    let again = world
        .call(
            "POST",
            ALIASES,
            json!({"Name": "live", "FunctionVersion": "1"}),
        )
        .await;
    again.refused(
        409,
        "ResourceConflictException",
        &format!("Alias already exists: {ARN}:live"),
    );

    let through = world
        .get("/2015-03-31/functions/f?Qualifier=live")
        .await
        .body;
    assert_eq!(
        through["Configuration"]["FunctionArn"],
        format!("{ARN}:live")
    );
    assert_eq!(through["Configuration"]["Version"], "1");

    let change =
        json!({"Description": "d", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}});
    let updated = world.call("PUT", &format!("{ALIASES}/live"), change).await;
    assert_eq!(updated.status, 200, "{}", updated.body);
    expected["Description"] = json!("d");
    expected["RoutingConfig"] = json!({"AdditionalVersionWeights": {"2": 0.25}});
    assert_ne!(updated.body["RevisionId"], expected["RevisionId"]);
    expected["RevisionId"] = updated.body["RevisionId"].clone();
    assert_eq!(updated.body, expected);

    let cleared =
        json!({"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {}}});
    let updated = world.call("PUT", &format!("{ALIASES}/live"), cleared).await;
    assert!(
        updated.body.get("RoutingConfig").is_none(),
        "{}",
        updated.body
    );
    assert_eq!(updated.body["FunctionVersion"], "2");

    let deleted = world
        .call("DELETE", &format!("{ALIASES}/live"), Value::Null)
        .await;
    assert_eq!(deleted.status, 204);
    let gone = world.get(&format!("{ALIASES}/live")).await;
    gone.refused(
        404,
        "ResourceNotFoundException",
        &format!("Cannot find alias arn: {ARN}:live"),
    );
    assert_eq!(
        world
            .call("DELETE", &format!("{ALIASES}/live"), Value::Null)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn wrong_aliases_are_refused() {
    let world = with_versions().await;
    let validation = "ValidationException";
    let parameter = "InvalidParameterValueException";
    let weights = |version: &str, weights: Value| json!({"Name": "a", "FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}});
    for (body, status, error, message) in [
        (
            json!({}),
            400,
            validation,
            "2 validation errors detected: Value null at 'name'",
        ),
        (
            json!({"Name": "7", "FunctionVersion": "1"}),
            400,
            validation,
            "Value '7' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "x"}),
            400,
            validation,
            "Value 'x' at 'functionVersion'",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "9"}),
            404,
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:9",
        ),
        (
            weights("1", json!({"2": 0.1, "3": 0.1})),
            400,
            parameter,
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            weights("1", json!({"1": 0.1})),
            400,
            parameter,
            "Function version 1 is already included in routing configuration.",
        ),
        (
            weights("$LATEST", json!({"1": 0.1})),
            400,
            parameter,
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            weights("1", json!({"9": 0.1})),
            404,
            "ResourceNotFoundException",
            "function:f:9",
        ),
        (
            weights("1", json!({"2": 1.1})),
            400,
            validation,
            "Value '{2=1.1}' at 'routingConfig.additionalVersionWeights'",
        ),
    ] {
        world
            .call("POST", ALIASES, body)
            .await
            .refused(status, error, message);
    }
    assert_eq!(world.get(ALIASES).await.body, json!({"Aliases": []}));
    let missing = world.call("PUT", &format!("{ALIASES}/no"), json!({})).await;
    missing.refused(
        404,
        "ResourceNotFoundException",
        &format!("Alias not found: {ARN}:no"),
    );
    world
        .call(
            "POST",
            ALIASES,
            json!({"Name": "a", "FunctionVersion": "1"}),
        )
        .await;
    let stale = world
        .call("PUT", &format!("{ALIASES}/a"), json!({"RevisionId": "x"}))
        .await;
    stale.refused(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match",
    );
}

#[tokio::test]
async fn aliases_are_listed_by_name_and_by_version() {
    let world = with_versions().await;
    for (name, version) in [("c", "1"), ("a", "2"), ("b", "1"), ("latest", "$LATEST")] {
        let alias = json!({"Name": name, "FunctionVersion": version});
        assert_eq!(world.call("POST", ALIASES, alias).await.status, 201);
    }
    let names = |body: &Value| -> Vec<String> {
        let list = body["Aliases"].as_array().unwrap();
        list.iter()
            .map(|alias| alias["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&world.get(ALIASES).await.body),
        ["a", "b", "c", "latest"]
    );
    assert_eq!(
        names(
            &world
                .get(&format!("{ALIASES}?FunctionVersion=1"))
                .await
                .body
        ),
        ["b", "c"]
    );
    let first = world.get(&format!("{ALIASES}?MaxItems=3")).await.body;
    assert_eq!(names(&first), ["a", "b", "c"]);
    let marker = first["NextMarker"].as_str().unwrap();
    let rest = world
        .get(&format!("{ALIASES}?MaxItems=3&Marker={marker}"))
        .await
        .body;
    assert_eq!(names(&rest), ["latest"]);
    assert!(rest.get("NextMarker").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_alias_never_points_at_a_version_that_is_being_deleted() {
    let world = std::sync::Arc::new(with_versions().await);
    let call = |method: &'static str, target: &'static str, body: Value| {
        let world = world.clone();
        tokio::spawn(async move { world.call(method, target, body).await.status })
    };
    for _ in 0..20 {
        let alias = json!({"Name": "a", "FunctionVersion": "1"});
        let made = call("POST", ALIASES, alias);
        let deleted = call("DELETE", "/2015-03-31/functions/f?Qualifier=1", Value::Null);
        let (made, deleted) = (made.await.unwrap(), deleted.await.unwrap());
        let version = world
            .get("/2015-03-31/functions/f?Qualifier=1")
            .await
            .status;
        let alias = world.get(&format!("{ALIASES}/a")).await.status;
        assert!(
            alias == 404 || version == 200,
            "made {made}, deleted {deleted}"
        );
        if version == 404 {
            return;
        }
        world
            .call("DELETE", &format!("{ALIASES}/a"), Value::Null)
            .await;
    }
}
