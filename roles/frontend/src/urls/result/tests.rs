//! Results and the responses they say.

use proptest::prelude::*;

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
