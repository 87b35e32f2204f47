//! Resource policies: created, shown, removed, and obeyed.

use serde_json::{Value, json};
use wire::sigv4::Signer;

use super::harness::{ARN, Answer, FUNCTIONS, World, create, signer};

const POLICY: &str = "/2015-03-31/functions/f/policy";

fn permission(sid: &str, principal: &str) -> Value {
    json!({ "StatementId": sid, "Action": "lambda:GetFunction", "Principal": principal })
}

async fn as_other(world: &World, method: &str, target: &str) -> Answer {
    let other = signer("AKIAOTHER", "secret");
    world.send(&other, method, target, b"").await
}

#[tokio::test]
async fn a_permission_is_added_shown_and_removed() {
    let world = World::with_function().await;
    let missing = world.get(POLICY).await;
    missing.refused(
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    );
    let removed = world
        .call("DELETE", &format!("{POLICY}/s"), Value::Null)
        .await;
    removed.refused(404, "ResourceNotFoundException", "No policy is associated");
    let added = world
        .call("POST", POLICY, permission("s", "111111111111"))
        .await;
    assert_eq!(added.status, 201, "{}", added.body);
    let statement = format!(
        r#"{{"Sid":"s","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111111111111:root"}},"Action":"lambda:GetFunction","Resource":"{ARN}"}}"#
    );
    assert_eq!(added.body["Statement"], statement);
    let shown = world.get(POLICY).await;
    let document =
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    assert_eq!(shown.body["Policy"], document);
    let again = world.call("POST", POLICY, permission("s", "*")).await;
    again.refused(
        409,
        "ResourceConflictException",
        "The statement id (s) provided already exists. Please provide a new statement id, or remove \
         the existing statement.",
    );
    let revision = shown.body["RevisionId"].as_str().unwrap().to_owned();
    let mut guarded = permission("t", "s3.amazonaws.com");
    guarded["RevisionId"] = json!("00000000-0000-0000-0000-000000000000");
    let stale = world.call("POST", POLICY, guarded.clone()).await;
    stale.refused(412, "PreconditionFailedException", "Call the GetPolicy API");
    guarded["RevisionId"] = json!(revision);
    assert_eq!(world.call("POST", POLICY, guarded).await.status, 201);
    let unknown = world
        .call("DELETE", &format!("{POLICY}/x"), Value::Null)
        .await;
    unknown.refused(
        404,
        "ResourceNotFoundException",
        "Statement x is not found in resource policy.",
    );
    let stale = format!("{POLICY}/s?RevisionId={revision}");
    let stale = world.call("DELETE", &stale, Value::Null).await;
    stale.refused(412, "PreconditionFailedException", "");
    for sid in ["s", "t"] {
        let removed = world
            .call("DELETE", &format!("{POLICY}/{sid}"), Value::Null)
            .await;
        assert_eq!(removed.status, 204);
    }
    assert_eq!(world.get(POLICY).await.status, 404);
}

#[tokio::test]
async fn a_policy_lets_another_account_in_and_no_further() {
    let world = World::with_function().await;
    let target = format!("{FUNCTIONS}/{}", wire::uri::encode(ARN));
    as_other(&world, "GET", &target).await.refused(
        403,
        "AccessDeniedException",
        "no resource-based",
    );
    world
        .call("POST", POLICY, permission("s", "111111111111"))
        .await;
    let allowed = as_other(&world, "GET", &target).await;
    assert_eq!(allowed.status, 200, "{}", allowed.body);
    as_other(&world, "DELETE", &target).await.refused(
        403,
        "AccessDeniedException",
        "DeleteFunction",
    );
    // A statement about the function says nothing about its versions and aliases.
    let version = format!("{target}?Qualifier=1");
    world
        .call("POST", &format!("{FUNCTIONS}/f/versions"), json!({}))
        .await;
    as_other(&world, "GET", &version)
        .await
        .refused(403, "AccessDeniedException", "function:f:1");
    let qualified = format!("{POLICY}?Qualifier=1");
    assert_eq!(
        world
            .call("POST", &qualified, permission("s", "111111111111"))
            .await
            .status,
        201
    );
    assert_eq!(as_other(&world, "GET", &version).await.status, 200);
    let sid = format!("{POLICY}/s");
    assert_eq!(world.call("DELETE", &sid, Value::Null).await.status, 204);
    as_other(&world, "GET", &target)
        .await
        .refused(403, "AccessDeniedException", "");
    assert_eq!(as_other(&world, "GET", &version).await.status, 200);
}

#[tokio::test]
async fn a_policy_that_a_crash_left_lets_nobody_into_a_new_function() {
    let world = World::with_function().await;
    world
        .call("POST", POLICY, permission("s", "111111111111"))
        .await;
    let key = "policy/000000000000/us-east-1/f/$LATEST";
    let left = storage::Table::get(world.table.as_ref(), key, storage::Consistency::Strong);
    let left = left.await.unwrap().unwrap().value;
    assert_eq!(
        world
            .call("DELETE", &format!("{FUNCTIONS}/f"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(world.call("POST", FUNCTIONS, create("f")).await.status, 201);
    world.wait("f", "State", "Active").await;
    let put = storage::Table::put(world.table.as_ref(), key, left, storage::Expect::Absent);
    put.await.unwrap();
    let target = format!("{FUNCTIONS}/{}", wire::uri::encode(ARN));
    as_other(&world, "GET", &target).await.refused(
        403,
        "AccessDeniedException",
        "no resource-based",
    );
    assert_eq!(world.get(POLICY).await.status, 404);
    assert_eq!(
        world
            .call("POST", POLICY, permission("s", "*"))
            .await
            .status,
        201,
        "it is replaced"
    );
}

#[tokio::test]
async fn what_cannot_be_a_permission_is_refused() {
    let world = World::with_function().await;
    let post = |target: &str, members: Value| {
        let mut body = permission("s", "*");
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        let target = target.to_owned();
        let world = &world;
        async move { world.call("POST", &target, body).await }
    };
    let invalid = "InvalidParameterValueException";
    let answer = post(POLICY, json!({ "Principal": "bob" })).await;
    answer.refused(400, invalid, "The provided principal was invalid.");
    let answer = post(POLICY, json!({ "FunctionUrlAuthType": "NONE" })).await;
    answer.refused(400, invalid, "FunctionUrlAuthType");
    let answer = post(&format!("{POLICY}?Qualifier=$LATEST"), json!({})).await;
    answer.refused(
        400,
        invalid,
        "We currently do not support adding policies for $LATEST.",
    );
    let answer = post(&format!("{POLICY}?Qualifier=live"), json!({})).await;
    answer.refused(404, "ResourceNotFoundException", "function:f:live");
    let answer = post("/2015-03-31/functions/g/policy", json!({})).await;
    answer.refused(404, "ResourceNotFoundException", "function:g");
    let answer = post(POLICY, json!({ "Action": "s3:GetObject" })).await;
    answer.refused(400, "ValidationException", "action");
    let arn = format!("arn:aws:s3:::{}", "b".repeat(250));
    let mut last = 201;
    for number in 0..200 {
        let members = json!({ "StatementId": number.to_string(), "SourceArn": arn });
        let answer = post(POLICY, members).await;
        last = answer.status;
        if last != 201 {
            answer.refused(
                400,
                "PolicyLengthExceededException",
                "is bigger than the limit (20480).",
            );
            break;
        }
    }
    assert_eq!(last, 400);
}

#[tokio::test]
async fn a_role_may_what_the_functions_policy_says() {
    let world = World::with_function().await;
    let keys = world.role_keys().await;
    let role = Signer {
        session_token: Some(keys.session_token.expose()),
        ..signer(&keys.access_key_id, keys.secret_access_key.expose())
    };
    let target = format!("{FUNCTIONS}/f");
    let denied = world.send(&role, "GET", &target, b"").await;
    denied.refused(
        403,
        "AccessDeniedException",
        "no identity-based policy allows",
    );
    let named = permission("s", super::harness::ROLE);
    assert_eq!(world.call("POST", POLICY, named).await.status, 201);
    assert_eq!(world.send(&role, "GET", &target, b"").await.status, 200);
}
