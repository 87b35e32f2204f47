//! Creating, reading, listing and deleting functions.

use base64::Engine as _;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::harness::{ARN, FUNCTIONS, ROLE, World, create, create_with, signer, zip};
use crate::{Config, Urls};

#[tokio::test]
async fn a_new_function_is_pending_and_becomes_active() {
    let (world, settler) = World::unsettled(Config::default());
    let body =
        create_with(json!({"Environment": {"Variables": {"KEY": "value"}}, "Tags": {"t": "1"}}));
    let created = world.call("POST", FUNCTIONS, body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let revision = created.body["RevisionId"].clone();
    let package = base64::engine::general_purpose::STANDARD
        .decode(zip("one"))
        .unwrap();
    let mut expected = json!({
        "FunctionName": "f",
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "a.b",
        "CodeSize": package.len(),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "2026-01-31T10:20:30.123+0000",
        "CodeSha256": created.body["CodeSha256"],
        "Version": "$LATEST",
        "Environment": {"Variables": {"KEY": "value"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": revision,
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": created.body["RuntimeVersionConfig"],
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
    });
    assert_eq!(created.body, expected);
    let again = world.call("POST", FUNCTIONS, create("f")).await;
    again.refused(
        409,
        "ResourceConflictException",
        "Function already exist: f",
    );
    assert_eq!(again.body["Type"], "User");

    let running = tokio::spawn(settler.run());
    let active = world.wait("f", "State", "Active").await;
    assert_ne!(active["RevisionId"], revision);
    let members = expected.as_object_mut().unwrap();
    members.remove("StateReason");
    members.remove("StateReasonCode");
    members.insert("State".to_owned(), json!("Active"));
    members.insert("LastUpdateStatus".to_owned(), json!("Successful"));
    members.insert("RevisionId".to_owned(), active["RevisionId"].clone());
    assert_eq!(active, expected);
    running.abort();
}

#[tokio::test]
async fn a_function_is_got_with_its_code_and_tags() {
    let world = World::with_function().await;
    world
        .call(
            "POST",
            &format!("/2017-03-31/tags/{ARN}"),
            json!({"Tags": {"k": "v"}}),
        )
        .await;
    let found = world.get("/2015-03-31/functions/f").await;
    assert_eq!(found.status, 200);
    assert_eq!(found.body["Tags"], json!({"k": "v"}));
    assert_eq!(found.body["Code"]["RepositoryType"], "S3");
    assert!(found.body.get("Concurrency").is_none());
    let link = found.body["Code"]["Location"].as_str().unwrap();
    let target = link.strip_prefix("http://localhost:9100").unwrap();
    let follow = |target: &str| {
        Request::builder()
            .uri(target)
            .header("host", "localhost:9100")
            .body(Bytes::new())
            .unwrap()
    };
    let package = world.answer(follow(target)).await;
    assert_eq!(package.status, 200);
    assert_eq!(
        base64::engine::general_purpose::STANDARD.encode(package.raw.body()),
        zip("one")
    );

    let moved = target.replacen("/code/", "/code/0", 1);
    world
        .answer(follow(&moved))
        .await
        .refused(403, "InvalidSignatureException", "");
    let bare = target.split('?').next().unwrap();
    world
        .answer(follow(bare))
        .await
        .refused(403, "MissingAuthenticationTokenException", "");
    let own = world
        .send(&signer("AKIATEST", "secret"), "GET", bare, b"")
        .await;
    own.refused(403, "UnrecognizedClientException", "");
    world.clock.advance(std::time::Duration::from_secs(601));
    world.answer(follow(target)).await.refused(
        403,
        "InvalidSignatureException",
        "Signature expired",
    );
}

#[tokio::test]
async fn functions_are_listed_by_pages() {
    let world = World::new();
    for number in 0..5 {
        world
            .call("POST", FUNCTIONS, create(&format!("f{number}")))
            .await;
        world.wait(&format!("f{number}"), "State", "Active").await;
    }
    for _ in 0..2 {
        let update = json!({"Description": "new"});
        world
            .call("PUT", "/2015-03-31/functions/f1/configuration", update)
            .await;
        world.wait("f1", "LastUpdateStatus", "Successful").await;
        let published = world
            .call("POST", "/2015-03-31/functions/f1/versions", Value::Null)
            .await;
        assert_eq!(published.status, 201);
    }
    let names = |answer: &Value| -> Vec<String> {
        let list = answer["Functions"].as_array().unwrap();
        list.iter()
            .map(|f| {
                f["FunctionArn"]
                    .as_str()
                    .unwrap()
                    .rsplit("function:")
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    for size in 1..=9 {
        for (extra, expected) in [
            ("", vec!["f0", "f1", "f2", "f3", "f4"]),
            (
                "&FunctionVersion=ALL",
                vec![
                    "f0:$LATEST",
                    "f1:$LATEST",
                    "f1:1",
                    "f2:$LATEST",
                    "f3:$LATEST",
                    "f4:$LATEST",
                ],
            ),
        ] {
            let (mut found, mut marker) = (Vec::new(), String::new());
            loop {
                let page = world
                    .get(&format!("{FUNCTIONS}?MaxItems={size}{extra}{marker}"))
                    .await;
                assert_eq!(page.status, 200, "{}", page.body);
                let listed = names(&page.body);
                assert!(listed.len() <= size && !listed.is_empty());
                found.extend(listed);
                match page.body["NextMarker"].as_str() {
                    Some(next) => marker = format!("&Marker={next}"),
                    None => break,
                }
            }
            assert_eq!(found, expected, "pages of {size}{extra}");
        }
    }
    let first = world.get(FUNCTIONS).await.body["Functions"][0].clone();
    assert!(first.get("State").is_none() && first.get("LastUpdateStatus").is_none());
    world.get(&format!("{FUNCTIONS}?MaxItems=0")).await.refused(
        400,
        "ValidationException",
        "'maxItems'",
    );
    let some = world
        .get(&format!("{FUNCTIONS}?FunctionVersion=SOME"))
        .await;
    some.refused(
        400,
        "ValidationException",
        "Member must satisfy enum value set: [ALL]",
    );
}

#[tokio::test]
async fn a_deleted_function_is_gone_with_all_its_versions_and_aliases() {
    let world = World::with_function().await;
    world
        .call("POST", "/2015-03-31/functions/f/versions", Value::Null)
        .await;
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    world
        .call("POST", "/2015-03-31/functions/f/aliases", alias)
        .await;
    let deleted = world
        .call("DELETE", "/2015-03-31/functions/f", Value::Null)
        .await;
    assert_eq!((deleted.status, deleted.raw.body().len()), (204, 0));
    world
        .get("/2015-03-31/functions/f")
        .await
        .refused(404, "ResourceNotFoundException", ARN);
    let again = world
        .call("DELETE", "/2015-03-31/functions/f", Value::Null)
        .await;
    again.refused(
        404,
        "ResourceNotFoundException",
        &format!("Function not found: {ARN}"),
    );
    let left = storage::Table::list(world.table.as_ref(), "", None, 10)
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(world.call("POST", FUNCTIONS, create("f")).await.status, 201);
}

#[tokio::test]
async fn a_function_made_anew_shares_no_environment_with_the_one_before() {
    let world = World::with_function().await;
    let scope = super::function("f").scope;
    let name = super::function("f").name;
    let before = world
        .control
        .functions
        .function(&scope, &name)
        .await
        .unwrap()
        .unwrap()
        .0;
    world
        .call("DELETE", "/2015-03-31/functions/f", Value::Null)
        .await;
    world.call("POST", FUNCTIONS, create("f")).await;
    let after = world
        .control
        .functions
        .function(&scope, &name)
        .await
        .unwrap()
        .unwrap()
        .0;
    assert_ne!(before.latest.generation, after.latest.generation);
}

#[tokio::test]
async fn links_to_code_have_the_scheme_that_clients_use() {
    let config = Config {
        urls: Urls {
            scheme: "https".to_owned(),
            ..Urls::default()
        },
        ..Config::default()
    };
    let (world, _settler) = World::unsettled(config);
    world.call("POST", FUNCTIONS, create("f")).await;
    let found = world.get("/2015-03-31/functions/f").await;
    let link = found.body["Code"]["Location"].as_str().unwrap();
    assert!(link.starts_with("https://localhost:9100/"), "{link}");
}
