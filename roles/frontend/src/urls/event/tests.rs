//! Requests and the events they become.

use authn::identity::PrincipalKind;
use http::Request;
use proptest::prelude::*;
use records::urls::{Auth, InvokeMode};
use serde_json::{Value, json};
use types::{AccountId, FunctionArn, FunctionName, Region, Scope};

use super::*;

fn url() -> Url {
    let account = AccountId::new("000000000000").unwrap();
    let region = Region::new("us-east-1").unwrap();
    let time = Timestamp::from_millis(0);
    Url {
        id: "abc".to_owned(),
        function: FunctionArn {
            scope: Scope { account, region },
            name: FunctionName::new("f").unwrap(),
            qualifier: None,
        },
        bound_to: String::new(),
        auth: Auth::None,
        cors: None,
        invoke_mode: InvokeMode::Buffered,
        created: time,
        modified: time,
    }
}

fn check(
    request: http::request::Builder,
    body: &[u8],
    caller: Option<(&Principal, &str)>,
) -> Value {
    let parts = request.body(()).unwrap().into_parts().0;
    let event = event(&Facts {
        url: &url(),
        parts: &parts,
        path: parts.uri.path(),
        body,
        caller,
        source: [192, 0, 2, 7].into(),
        scheme: "http",
        request: RequestId::from_uuid(Default::default()),
        trace: "Root=1-x",
        now: Timestamp::from_millis(1_769_854_830_123),
    });
    serde_json::from_slice(&event.unwrap()).unwrap()
}

#[test]
fn an_event_that_is_too_large_is_not_kept() {
    let text = vec![1; 2 * 1024 * 1024];
    let request = Request::post("/")
        .header("host", "a")
        .header("content-type", "text/plain");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let facts = Facts {
        url: &url(),
        parts: &parts,
        path: "/",
        body: &text,
        caller: None,
        source: [192, 0, 2, 7].into(),
        scheme: "http",
        request: RequestId::from_uuid(Default::default()),
        trace: "Root=1-x",
        now: Timestamp::from_millis(1_769_854_830_123),
    };
    // Each control character takes six bytes.
    let refused = event(&facts).unwrap_err();
    assert!((6 * text.len()..6 * text.len() + 2_000).contains(&refused.bytes));
}

#[test]
fn a_bare_request_has_the_members_it_has_at_aws_and_no_others() {
    let request = Request::get("/").header("host", "abc.lambda-url.us-east-1.localhost:9100");
    let expected = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {
            "host": "abc.lambda-url.us-east-1.localhost:9100",
            "x-amzn-trace-id": "Root=1-x",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "9100",
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.us-east-1.localhost",
            "domainPrefix": "abc",
            "http": {
                "method": "GET",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": null,
            },
            "requestId": "00000000-0000-0000-0000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "31/Jan/2026:10:20:30 +0000",
            "timeEpoch": 1_769_854_830_123u64,
        },
        "isBase64Encoded": false,
    });
    assert_eq!(check(request, b"", None), expected);
}

#[test]
fn names_that_come_twice_are_joined_and_cookies_have_their_own_place() {
    let request = Request::get("/a%20b/?a=1&a=2&b=x%20y+z&c")
        .header("X-One", "1")
        .header("x-one", "2")
        .header("cookie", "a=1; b=2")
        .header("cookie", "c=3")
        .header("connection", "close")
        .header("x-forwarded-for", "198.51.100.1")
        .header("authorization", "Bearer x");
    let event = check(request, b"", None);
    assert_eq!(event["rawPath"], "/a%20b/");
    assert_eq!(event["rawQueryString"], "a=1&a=2&b=x%20y+z&c");
    assert_eq!(
        event["queryStringParameters"],
        json!({"a": "1,2", "b": "x y z", "c": ""})
    );
    assert_eq!(event["cookies"], json!(["a=1", "b=2", "c=3"]));
    assert_eq!(event["headers"]["x-one"], "1,2");
    assert_eq!(event["headers"]["x-forwarded-for"], "192.0.2.7");
    assert_eq!(event["headers"]["authorization"], "Bearer x");
    assert_eq!(event["headers"]["cookie"], "a=1; b=2; c=3");
    assert_eq!(event["headers"].get("connection"), None);
}

#[test]
fn a_signed_request_names_its_caller_and_keeps_its_signature_to_itself() {
    let principal = Principal {
        account: AccountId::new("111122223333").unwrap(),
        arn: "arn:x".to_owned(),
        user_id: "AIDA".to_owned(),
        kind: PrincipalKind::Root,
    };
    let request = Request::get("/").header("authorization", "AWS4-HMAC-SHA256 x");
    let event = check(request, b"", Some((&principal, "AKIA")));
    assert_eq!(event["requestContext"]["accountId"], "000000000000");
    assert_eq!(
        event["requestContext"]["authorizer"]["iam"],
        json!({
            "accessKey": "AKIA",
            "accountId": "111122223333",
            "callerId": "AIDA",
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": "arn:x",
            "userId": "AIDA",
        })
    );
    assert_eq!(event["headers"].get("authorization"), None);
}

#[test]
fn only_what_is_declared_as_text_and_is_text_comes_as_text() {
    for (content_type, body, expected) in [
        ("application/json", &b"{}"[..], Some("{}")),
        ("text/plain; charset=utf-8", "ä".as_bytes(), Some("ä")),
        ("application/problem+json", b"{}", Some("{}")),
        ("application/xml", b"<a/>", Some("<a/>")),
        ("application/x-www-form-urlencoded", b"a=b", None),
        ("application/octet-stream", b"a", None),
        ("image/png", b"a", None),
        ("text/plain", b"\xff", None),
    ] {
        let request = Request::post("/").header("content-type", content_type);
        let event = check(request, body, None);
        match expected {
            Some(text) => assert_eq!(event["body"], text, "{content_type}"),
            None => assert_eq!(event["body"], STANDARD.encode(body), "{content_type}"),
        }
        assert_eq!(
            event["isBase64Encoded"],
            expected.is_none(),
            "{content_type}"
        );
    }
    let packed = Request::post("/")
        .header("content-type", "text/plain")
        .header("content-encoding", "gzip");
    assert_eq!(check(packed, b"a", None)["isBase64Encoded"], true);
    assert_eq!(
        check(Request::post("/"), b"a", None)["isBase64Encoded"],
        true
    );
}

#[test]
fn hosts_have_ports_or_not() {
    for (host, name, number) in [
        ("a.b", "a.b", None),
        ("a.b:80", "a.b", Some("80")),
        ("[::1]:80", "[::1]", Some("80")),
        ("[::1]", "[::1]", None),
        ("a:", "a:", None),
    ] {
        assert_eq!((without_port(host), port(host)), (name, number));
    }
}

proptest! {
    #[test]
    fn no_request_panics(
        query in "[ -~&&[^#<>\"{}|^`\\\\ ]]{0,60}",
        header in prop::collection::vec(32u8..=255, 0..40),
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let header: Vec<u8> = header.into_iter().filter(|byte| *byte != 127).collect();
        let request = Request::get(format!("/?{query}"))
            .header("cookie", &header[..])
            .header("host", &header[..])
            .header("content-type", &header[..]);
        check(request, &body, None);
    }
}
