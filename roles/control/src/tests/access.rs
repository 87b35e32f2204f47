//! Who is accepted, and what all others receive.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;
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
    // An unserved one would have limits of its own.
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

#[tokio::test]
async fn what_goes_to_lambdas_own_paths_is_held_against_its_name() {
    let world = World::new();
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
