//! Nothing that an account makes grows without a bound.

use http::Request;
use serde_json::{Value, json};
use storage::{Consistency, Expect, Table as _};
use types::Clock as _;
use wire::sigv4::Signer;

use super::harness::{FUNCTIONS, World, create, signer};
use super::people::{ask, iam, root};

#[tokio::test]
async fn an_account_has_as_many_groups_as_awss_quota_lets_it() {
    let world = World::new();
    for number in 0..300 {
        iam(
            &world,
            "CreateGroup",
            &[("GroupName", &format!("g{number}"))],
        )
        .await;
    }
    let one_more = [("GroupName", "more")];
    let (status, xml) = ask(&world, &root(), "iam", "CreateGroup", &one_more).await;
    assert_eq!(status, 409, "{xml}");
    assert!(xml.contains("<Code>LimitExceeded</Code>"), "{xml}");
    assert!(
        xml.contains("Cannot exceed quota for GroupsPerAccount: 300"),
        "{xml}"
    );
    iam(&world, "DeleteGroup", &[("GroupName", "g7")]).await;
    iam(&world, "CreateGroup", &one_more).await;
    let (status, _) = ask(
        &world,
        &root(),
        "iam",
        "CreateGroup",
        &[("GroupName", "g7")],
    )
    .await;
    assert_eq!(status, 409);
}

/// Asks for a log group; gives the status and the error's name.
async fn log_group(world: &World, action: &str, name: &str) -> (u16, String) {
    let root = Signer {
        service: "logs",
        ..signer("AKIATEST", "secret")
    };
    let request = Request::post("/")
        .header("host", "localhost:9100")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("Logs_20140328.{action}"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let body = json!({"logGroupName": name}).to_string();
    root.sign(&mut parts, body.as_bytes(), world.clock.now());
    let answer = world.answer(Request::from_parts(parts, body.into())).await;
    let error = answer.body["__type"].as_str().unwrap_or_default();
    (answer.status, error.to_owned())
}

#[tokio::test]
async fn log_groups_have_a_quota_and_making_one_does_not_read_the_others() {
    let world = World::new();
    let made = (200, String::new());
    assert_eq!(log_group(&world, "CreateLogGroup", "first").await, made);
    let key = |name: &str| format!("log-group/000000000000/us-east-1/{name}");
    let row = world.table.get(&key("first"), Consistency::Strong).await;
    let row = row.unwrap().unwrap().value;
    // As many as there may be, which only who reads them all learns of.
    for number in 1..10_000 {
        let key = key(&format!("g{number}"));
        let put = world.table.put(&key, row.clone(), Expect::Absent).await;
        put.unwrap();
    }
    assert_eq!(log_group(&world, "CreateLogGroup", "second").await, made);
    // The next process counts them, once.
    let (world, _settler) = super::recovery::restarted(&world);
    let refused = (400, "LimitExceededException".to_owned());
    assert_eq!(log_group(&world, "CreateLogGroup", "third").await, refused);
    assert_eq!(log_group(&world, "DeleteLogGroup", "g7").await, made);
    assert_eq!(log_group(&world, "DeleteLogGroup", "g8").await, made);
    assert_eq!(log_group(&world, "CreateLogGroup", "third").await, made);
}

#[tokio::test]
async fn a_request_with_a_name_twice_makes_nothing() {
    let world = World::new();
    let body = create("f").to_string();
    let twice = body.replacen('{', r#"{"FunctionName":"g","#, 1);
    let deep = body.replacen(r#""Code":{"#, r#""Code":{"ZipFile":"","#, 1);
    for text in [twice, deep] {
        assert_ne!(text, body);
        let root: Signer<'_> = signer("AKIATEST", "secret");
        let answer = world.send(&root, "POST", FUNCTIONS, text.as_bytes()).await;
        answer.refused(400, "SerializationException", "a name is there twice");
    }
    let listed = world.call("GET", FUNCTIONS, Value::Null).await;
    assert_eq!(listed.body["Functions"], json!([]));
}
