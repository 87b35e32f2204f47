//! Who is accepted, and what all others receive.

use api::credentials::RoleCredentials as _;
use bytes::Bytes;
use http::Request;
use types::{FunctionArn, FunctionName};

use crate::examples::{Held, root};

use super::harness::{WORKER, World};

#[tokio::test]
async fn sts_tells_callers_who_they_are() {
    let world = World::new();
    let me = "GetCallerIdentity";
    let (status, text) = world.client.ask(&root(), "sts", me, &[]).await;
    assert_eq!(status, 200, "{text}");
    assert!(
        text.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"),
        "{text}"
    );
    assert!(text.contains("<UserId>000000000000</UserId>"));
    assert!(text.contains("<Account>000000000000</Account>"));

    let function = FunctionArn {
        scope: records::examples::scope(),
        name: FunctionName::new("f").unwrap(),
        qualifier: None,
    };
    let keys = world.keys.for_function(WORKER, &function).await.unwrap();
    let role = Held {
        id: keys.access_key_id,
        secret: keys.secret_access_key.expose().to_owned(),
        token: Some(keys.session_token.expose().to_owned()),
    };
    let (_, text) = world.client.ask(&role, "sts", me, &[]).await;
    assert!(text.contains("assumed-role/worker/f</Arn>"), "{text}");

    for (key, secret, action, status, code) in [
        (
            "AKIATEST",
            "secret",
            "GetFederationToken",
            501,
            "NotImplemented",
        ),
        ("AKIATEST", "secret", "Dance", 400, "InvalidAction"),
        ("AKIATEST", "secret", "", 400, "InvalidAction"),
        ("AKIATEST", "wrong", "", 403, "SignatureDoesNotMatch"),
        ("AKIANOBODY", "x", "", 403, "InvalidClientTokenId"),
    ] {
        let keys = Held {
            id: key.to_owned(),
            secret: secret.to_owned(),
            token: None,
        };
        let ann = [("Name", "ann")];
        let (found, text) = world.client.ask(&keys, "sts", action, &ann).await;
        assert_eq!(found, status, "{text}");
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
    }
    let unsigned = Request::builder()
        .method("POST")
        .uri("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::new())
        .unwrap();
    let answer = world.client.send(unsigned).await;
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(
        text.contains("<Code>MissingAuthenticationToken</Code>"),
        "{text}"
    );
}
