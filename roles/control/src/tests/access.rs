//! Who is let in, and what the others are told.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use types::Clock;
use wire::sigv4::Signer;

use super::harness::{ARN, FUNCTIONS, World, create, signer};

#[tokio::test]
async fn a_request_without_a_signature_is_told_so_in_lambdas_error_shape() {
    let world = World::new();
    for (method, path) in [
        ("GET", FUNCTIONS),
        ("GET", "/"),
        ("HEAD", "/"),
        ("POST", "/"),
        ("GET", "/favicon.ico"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let answer = world.answer(request.body(Bytes::new()).unwrap()).await;
        answer.refused(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
    }
    // Logs' clients send an action in a header, and read errors of another shape.
    let request = Request::builder()
        .method("POST")
        .uri("/")
        .header("x-amz-target", "Logs_20140328.DescribeLogGroups");
    let answer = world.answer(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body["__type"], "MissingAuthenticationTokenException");
}

#[tokio::test]
async fn unknown_keys_wrong_secrets_and_old_requests_are_told_apart() {
    let world = World::new();
    let unknown = world
        .send(&signer("AKIANOBODY", "secret"), "GET", FUNCTIONS, b"")
        .await;
    let invalid = "The security token included in the request is invalid.";
    unknown.refused(403, "UnrecognizedClientException", invalid);
    let wrong = world
        .send(&signer("AKIATEST", "wrong"), "GET", FUNCTIONS, b"")
        .await;
    wrong.refused(
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not",
    );
    assert!(!wrong.message().contains("secret'"));
    let other = Signer {
        service: "s3",
        ..signer("AKIATEST", "secret")
    };
    let other = world.send(&other, "GET", FUNCTIONS, b"").await;
    other.refused(
        403,
        "InvalidSignatureException",
        "scoped to correct service: 'lambda'",
    );

    let request = Request::builder()
        .uri(FUNCTIONS)
        .header("host", "h")
        .body(())
        .unwrap();
    let (mut parts, ()) = request.into_parts();
    signer("AKIATEST", "secret").sign(&mut parts, b"", types::Clock::now(world.clock.as_ref()));
    world.clock.advance(Duration::from_secs(301));
    let old = world.answer(Request::from_parts(parts, Bytes::new())).await;
    old.refused(
        403,
        "InvalidSignatureException",
        "Signature expired: 20260131T102030Z is now",
    );
}

#[tokio::test]
async fn a_changed_body_is_refused() {
    let world = World::new();
    let request = Request::builder()
        .method("POST")
        .uri(FUNCTIONS)
        .header("host", "h");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    signer("AKIATEST", "secret").sign(&mut parts, b"{}", types::Clock::now(world.clock.as_ref()));
    let answer = world
        .answer(Request::from_parts(parts, Bytes::from("{ }")))
        .await;
    answer.refused(403, "InvalidSignatureException", "");
}

#[tokio::test]
async fn a_function_of_another_account_is_denied_and_one_of_another_region_unreachable() {
    let world = World::with_function().await;
    let target = format!("{FUNCTIONS}/{}", wire::uri::encode(ARN));
    let other = world
        .send(&signer("AKIAOTHER", "secret"), "GET", &target, b"")
        .await;
    other.refused(
        403,
        "AccessDeniedException",
        "User: arn:aws:iam::111111111111:root is not authorized to perform: lambda:GetFunction on \
         resource: arn:aws:lambda:us-east-1:000000000000:function:f because no resource-based \
         policy allows the lambda:GetFunction action",
    );
    let own = world
        .send(
            &signer("AKIAOTHER", "secret"),
            "GET",
            "/2015-03-31/functions/f",
            b"",
        )
        .await;
    own.refused(404, "ResourceNotFoundException", "111111111111:function:f");
    let west = Signer {
        region: "us-west-2",
        ..signer("AKIATEST", "secret")
    };
    let answer = world.send(&west, "GET", &target, b"").await;
    answer.refused(
        404,
        "ResourceNotFoundException",
        "Functions from 'us-east-1' are not reachable",
    );
    let answer = world.send(&west, "GET", FUNCTIONS, b"").await;
    assert_eq!(answer.body["Functions"], Value::Array(Vec::new()));
    // One that is not served would have limits of its own.
    let invented = Signer {
        region: "us-west-3",
        ..signer("AKIATEST", "secret")
    };
    for (method, path) in [
        ("GET", FUNCTIONS),
        ("GET", "/lambent/stacks"),
        ("POST", FUNCTIONS),
    ] {
        let answer = world.send(&invented, method, path, b"").await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.body);
        assert_eq!(answer.error, "InvalidSignatureException");
    }
}

#[tokio::test]
async fn a_functions_role_may_do_what_the_operator_lists() {
    let world = World::with_function().await;
    let keys = world.role_keys().await;
    let role = Signer {
        session_token: Some(keys.session_token.expose()),
        ..signer(&keys.access_key_id, keys.secret_access_key.expose())
    };
    let denied = world
        .send(&role, "GET", "/2015-03-31/functions/f", b"")
        .await;
    denied.refused(
        403,
        "AccessDeniedException",
        "User: arn:aws:sts::000000000000:assumed-role/worker/f is not authorized to perform: \
         lambda:GetFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:f because \
         no identity-based policy allows the lambda:GetFunction action",
    );
    let (listing, _settler) = World::where_roles_may(&["lambda:List*"]);
    let allowed = listing.send(&role, "GET", FUNCTIONS, b"").await;
    assert_eq!(allowed.status, 200, "{}", allowed.body);
    let body = create("g").to_string();
    let denied = listing
        .send(&role, "POST", FUNCTIONS, body.as_bytes())
        .await;
    denied.refused(403, "AccessDeniedException", "lambda:CreateFunction");
    world.clock.advance(Duration::from_secs(13 * 60 * 60));
    let late = world.send(&role, "GET", FUNCTIONS, b"").await;
    late.refused(403, "ExpiredTokenException", "is expired");
}

#[tokio::test]
async fn sts_tells_callers_who_they_are() {
    let world = World::new();
    let body = b"Action=GetCallerIdentity&Version=2011-06-15";
    let root = Signer {
        service: "sts",
        ..signer("AKIATEST", "secret")
    };
    let answer = world.send(&root, "POST", "/", body).await;
    let text = String::from_utf8(answer.raw.body().to_vec()).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    assert!(
        text.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"),
        "{text}"
    );
    assert!(text.contains("<UserId>000000000000</UserId>"));
    assert!(text.contains("<Account>000000000000</Account>"));

    let keys = world.role_keys().await;
    let role = Signer {
        service: "sts",
        session_token: Some(keys.session_token.expose()),
        ..signer(&keys.access_key_id, keys.secret_access_key.expose())
    };
    let answer = world.send(&role, "POST", "/", body).await;
    let text = String::from_utf8(answer.raw.body().to_vec()).unwrap();
    assert!(text.contains("assumed-role/worker/f</Arn>"), "{text}");

    for (key, secret, body, status, code) in [
        (
            "AKIATEST",
            "secret",
            "Action=GetFederationToken&Name=ann",
            501,
            "NotImplemented",
        ),
        ("AKIATEST", "secret", "Action=Dance", 400, "InvalidAction"),
        ("AKIATEST", "secret", "", 400, "InvalidAction"),
        ("AKIATEST", "wrong", "", 403, "SignatureDoesNotMatch"),
        ("AKIANOBODY", "x", "", 403, "InvalidClientTokenId"),
    ] {
        let signer = Signer {
            service: "sts",
            ..signer(key, secret)
        };
        let answer = world.send(&signer, "POST", "/", body.as_bytes()).await;
        let text = String::from_utf8(answer.raw.body().to_vec()).unwrap();
        assert_eq!(answer.status, status, "{text}");
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
    }
    let unsigned = Request::builder()
        .method("POST")
        .uri("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::new())
        .unwrap();
    let answer = world.answer(unsigned).await;
    let text = String::from_utf8(answer.raw.body().to_vec()).unwrap();
    assert!(
        text.contains("<Code>MissingAuthenticationToken</Code>"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_as_that_whether_or_not_all_of_it_came() {
    let world = World::new();
    let body = vec![b' '; crate::REQUEST_BYTES_MAX + 1];
    let request = Request::builder()
        .method("POST")
        .uri(FUNCTIONS)
        .body(Bytes::from(body))
        .unwrap();
    world.answer(request).await.refused(
        413,
        "RequestEntityTooLargeException",
        "Request must be smaller than 70167211 bytes for the CreateFunction operation",
    );
}

#[tokio::test]
async fn services_that_are_not_here_are_told_so_in_their_own_format() {
    let world = World::new();
    let cases = [
        (
            "s3",
            "/bucket/key",
            "",
            "<Error><Code>NotImplemented</Code>",
        ),
        (
            "cloudformation",
            "/",
            "content-type: application/x-www-form-urlencoded",
            "<Code>NotImplemented</Code>",
        ),
        (
            "dynamodb",
            "/",
            "x-amz-target: DynamoDB_20120810.ListTables",
            r#""__type":"NotImplementedException""#,
        ),
        (
            "apigateway",
            "/restapis",
            "",
            r#""message":"Lambent is not apigateway: "#,
        ),
    ];
    for (service, path, header, expected) in cases {
        let mut request = Request::builder().method("POST").uri(path);
        request = request.header("host", "localhost:9100");
        if let Some((name, value)) = header.split_once(": ") {
            request = request.header(name, value);
        }
        let (mut parts, body) = request.body(Bytes::new()).unwrap().into_parts();
        let signer = Signer {
            service,
            ..signer("AKIATEST", "secret")
        };
        signer.sign(&mut parts, &body, world.clock.now());
        let answer = world.answer(Request::from_parts(parts, body)).await;
        let text = String::from_utf8(answer.raw.body().to_vec()).unwrap();
        assert_eq!(answer.status, 501, "{text}");
        assert!(text.contains(expected), "{text}");
    }
    // What goes to Lambda's own paths is held against Lambda's name.
    let signer = Signer {
        service: "sqs",
        ..signer("AKIATEST", "secret")
    };
    let answer = world.send(&signer, "GET", FUNCTIONS, b"").await;
    answer.refused(
        403,
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'lambda'. ",
    );
}

#[tokio::test]
async fn a_stacks_record_is_as_long_as_a_row_at_most() {
    let world = World::new();
    let signer = signer("AKIATEST", "secret");
    let record = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let most = storage::table::VALUE_BYTES_MAX;
    for (name, bytes, status) in [("a", most, 200), ("b", most + 1, 413)] {
        let path = format!("/lambent/stacks/{name}");
        let body = record(bytes);
        let answer = world.send(&signer, "PUT", &path, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{bytes}: {}", answer.error);
    }
}
