//! Results and the responses they describe.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn said(result: &'static str) -> Result<(u16, HeaderMap, String), Malformed> {
    let (head, body) = response(&Bytes::from(result))?.into_parts();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Ok((head.status.as_u16(), head.headers, body))
}

#[test]
fn a_result_without_a_status_is_the_body_itself() {
    for result in [
        "\"Hello, world!\"",
        "{\"message\":\"Hello\"}",
        "{\"statusCode\":null}",
        "[1,2]",
        "[201]",
        "null",
        "7",
    ] {
        let (status, headers, body) = said(result).unwrap();
        assert_eq!((status, body.as_str()), (200, result));
        assert_eq!(headers["content-type"], "application/json");
    }
}

#[test]
fn json_is_sent_without_the_spaces_that_the_function_wrote() {
    for (result, expected) in [
        ("[ \"hello\",\n 3, true ]", r#"["hello",3,true]"#),
        (
            r#"{ "a b": "c \" d", "e": "\\" , "f": " " }"#,
            r#"{"a b":"c \" d","e":"\\","f":" "}"#,
        ),
        (
            r#"{"statusCode": 200, "body": {"a": [1, 2]}}"#,
            r#"{"a":[1,2]}"#,
        ),
        (
            r#"{"statusCode": 200, "body": "{\"a\": 1}"}"#,
            r#"{"a": 1}"#,
        ),
    ] {
        assert_eq!(said(result).unwrap().2, expected);
    }
}

#[test]
fn a_result_with_a_status_says_all_of_the_response() {
    let (status, headers, body) = said(
        r#"{"statusCode":201,"headers":{"Content-Type":"text/plain","X-N":7,"x-yes":true,"x-none":null},
            "cookies":["a=1; Max-Age=2","b=2"],"body":"hä"}"#,
    )
    .unwrap();
    assert_eq!((status, body.as_str()), (201, "hä"));
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(headers["x-n"], "7");
    assert_eq!(headers["x-yes"], "true");
    assert!(!headers.contains_key("x-none"));
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Max-Age=2", "b=2"]);
}

#[test]
fn what_is_left_out_has_a_default() {
    let (status, headers, body) = said(r#"{"statusCode":"204"}"#).unwrap();
    assert_eq!((status, body.as_str()), (204, ""));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(
        said(r#"{"statusCode":200,"body":{"a":1}}"#).unwrap().2,
        r#"{"a":1}"#
    );
    let encoded = r#"{"statusCode":200,"body":"aMOk","isBase64Encoded":true}"#;
    assert_eq!(said(encoded).unwrap().2, "hä");
}

#[test]
fn headers_of_the_connection_go_by_another_name() {
    let (_, headers, _) = said(
        r#"{"statusCode":200,"headers":{"Content-Length":"5","Transfer-Encoding":"chunked","Connection":"close"}}"#,
    )
    .unwrap();
    assert_eq!(headers["x-amzn-remapped-content-length"], "5");
    assert_eq!(headers["x-amzn-remapped-connection"], "close");
    assert!(!headers.contains_key("content-length"));
    assert!(!headers.contains_key("transfer-encoding"));
}

#[test]
fn what_is_no_response_is_malformed() {
    for result in [
        "",
        "not json",
        r#"{"statusCode":99}"#,
        r#"{"statusCode":100}"#,
        r#"{"statusCode":600}"#,
        r#"{"statusCode":"x"}"#,
        r#"{"statusCode":200.5}"#,
        r#"{"statusCode":{}}"#,
        r#"{"statusCode":[200]}"#,
        r#"{"statusCode":true}"#,
        r#"{"statusCode":200,"headers":{"a":[1]}}"#,
        r#"{"statusCode":200,"headers":[]}"#,
        r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
        r#"{"statusCode":200,"headers":{"a":"c\r\nd: e"}}"#,
        r#"{"statusCode":200,"headers":{"a":{}}}"#,
        r#"{"statusCode":200,"cookies":"a=b"}"#,
        r#"{"statusCode":200,"cookies":["a\nb"]}"#,
        r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#,
    ] {
        assert_eq!(said(result).err(), Some(Malformed), "{result}");
    }
}

/// A result with this many headers and cookies, each with a value of `bytes` bytes.
fn many(headers: usize, cookies: usize, bytes: usize) -> String {
    let value = "v".repeat(bytes);
    let headers: Map<String, Value> = (0..headers)
        .map(|n| (format!("x-{n}"), Value::String(value.clone())))
        .collect();
    let cookies: Vec<&str> = (0..cookies).map(|_| value.as_str()).collect();
    serde_json::json!({"statusCode": 200, "headers": headers, "cookies": cookies}).to_string()
}

#[test]
fn a_response_has_only_so_many_headers_and_bytes_of_them() {
    for (headers, cookies, bytes, expected) in [
        (400, 600, 1, true),
        (401, 600, 1, false),
        (40_000, 0, 1, false),
        (0, 40_000, 1, false),
        (100, 0, 10_000, true),
        (100, 0, 11_000, false),
        (0, 100, 11_000, false),
    ] {
        let result = many(headers, cookies, bytes);
        let case = format!("{headers} headers, {cookies} cookies of {bytes}");
        assert_eq!(prelude(result.as_bytes()).is_ok(), expected, "{case}");
        assert_eq!(response(&Bytes::from(result)).is_ok(), expected, "{case}");
    }
}

#[test]
fn a_prelude_is_an_object() {
    assert_eq!(prelude(b" {}").unwrap().status(), 200);
    for json in ["", "[201]", "201", "null", "{", "{}{}"] {
        assert_eq!(prelude(json.as_bytes()).err(), Some(Malformed), "{json}");
    }
}

proptest! {
    #[test]
    fn no_result_panics(bytes in prop::collection::vec(any::<u8>(), 0..100), text in ".{0,40}") {
        let _ = response(&Bytes::from(bytes.clone()));
        let _ = prelude(&bytes);
        let structured = serde_json::json!({
            "statusCode": 200, "headers": { &text: &text }, "cookies": [&text], "body": &text,
        });
        let _ = response(&Bytes::from(structured.to_string()));
    }
}

/// A text that a function may put anywhere: short, or of bytes that mean something to HTTP.
fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z-]{1,12}",
        "(content-length|transfer-encoding|connection|set-cookie|date|upgrade|te|Content-Type)",
        "(chunked|close|0|5|HTTP/1.1 200 OK)",
        "\\PC{0,20}",
        "[\\x00-\\x20\\x7f:;,\u{80}-\u{ff}]{0,8}",
    ]
}

/// A value of any kind, as a header has it or not.
fn a_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => a_text().prop_map(Value::String),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(serde_json::json!([1])),
    ]
}

/// A result or a prelude, mostly of the right form.
fn an_answer() -> impl Strategy<Value = String> {
    let status = prop_oneof![
        4 => (100..700_u16).prop_map(Value::from),
        1 => "[0-9]{1,5}".prop_map(Value::String),
        1 => a_value(),
    ];
    let headers = prop_oneof![
        8 => prop::collection::vec((a_text(), a_value()), 0..6),
        // More than one may have, of different sizes.
        1 => (900..1_100_usize, 0..1_200_usize).prop_map(|(count, bytes)| {
            let value = Value::String("v".repeat(bytes));
            (0..count).map(|n| (format!("x-{n}"), value.clone())).collect()
        }),
    ];
    let cookies = prop::collection::vec(a_text(), 0..4);
    let structured = (status, headers, cookies, a_value(), any::<Option<bool>>());
    let structured = structured.prop_map(|(status, headers, cookies, body, base64)| {
        serde_json::json!({
            "statusCode": status,
            "headers": headers.into_iter().collect::<Map<_, _>>(),
            "cookies": cookies,
            "body": body,
            "isBase64Encoded": base64,
        })
        .to_string()
    });
    prop_oneof![4 => structured, 1 => "\\PC{0,60}", 1 => "[{}\\[\\]\":,a-zA-Z0-9]{0,60}"]
}

/// What HTTP, and any proxy between function and client, treats as one response.
fn is_sound(head: &Response<()>) -> bool {
    let describes_the_connection = |name: &HeaderName| {
        [
            "content-length",
            "transfer-encoding",
            "connection",
            "upgrade",
            "keep-alive",
            "te",
        ]
        .contains(&name.as_str())
    };
    let mut bytes = 0;
    for (name, value) in head.headers() {
        bytes += name.as_str().len() + value.len();
        let broken = value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte));
        if broken || describes_the_connection(name) {
            return false;
        }
    }
    (200..600).contains(&head.status().as_u16())
        && head.headers().contains_key(header::CONTENT_TYPE)
        && head.headers().len() <= HEADERS_MAX + 1
        && bytes <= HEADER_BYTES_MAX + 100
}

#[test]
fn fuzz_url_answer() {
    fuzzing::run("url_answer", (an_answer(), 1..40_usize), |(answer, cut)| {
        if let Ok(response) = response(&Bytes::from(answer.clone())) {
            prop_assert!(is_sound(&response.map(drop)));
        }
        // The same as the head of a stream, cut anywhere.
        let mut beginning = crate::urls::prelude::Beginning::default();
        let stream = [answer.as_bytes(), &[0; 8], b"body"].concat();
        let mut left = stream.chunks(stream.len() / cut + 1);
        while let Some(piece) = left.next() {
            match beginning.take(piece) {
                Ok(None) => {}
                Err(Malformed) => break,
                Ok(Some((head, first))) => {
                    prop_assert!(is_sound(&head));
                    let body: Vec<u8> = first.iter().chain(left.flatten()).copied().collect();
                    prop_assert!(body.ends_with(b"body"));
                    break;
                }
            }
        }
        Ok(())
    });
}
