//! Nothing that an account makes grows without a bound.

use serde_json::{Value, json};
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
