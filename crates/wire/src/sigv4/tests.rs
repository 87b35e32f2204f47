//! Signatures against published vectors, against ourselves, and against hostile requests.

mod fuzz;
mod hostile;
mod vectors;

use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;
use types::Timestamp;

use super::canonical::{Canonical, Paths, Place};
use super::*;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNER: Signer<'static> = Signer {
    access_key_id: ID,
    secret: SECRET,
    session_token: None,
    region: "us-east-1",
    service: "service",
};

fn then() -> Timestamp {
    date::parse("20150830T123600Z").unwrap()
}

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    request = request.header("host", "example.amazonaws.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn verify(parts: &Parts, body: &[u8], now: Timestamp) -> Result<(), Error> {
    let signed = Signed::parse(parts)?;
    assert_eq!(signed.access_key_id, ID);
    Verifier::new().verify(&signed, SECRET, parts, body, now)
}

/// The same for what is signed as AWS has it, with paths of any form.
fn verify_published(parts: &Parts, body: &[u8]) -> Result<(), Error> {
    let signed = Signed::find(parts)?;
    Verifier::new().verify(&signed, SECRET, parts, body, then())
}

#[test]
fn published_requests_verify_with_their_published_signatures() {
    for (name, method, target, headers, body, signed_headers, signature) in vectors::HEADER_FORM {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ID}/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={signed_headers}, Signature={signature}"
        );
        let mut all = headers.to_vec();
        all.push(("x-amz-date", "20150830T123600Z"));
        all.push(("authorization", &authorization));
        let parts = parts(method, target, &all);
        assert_eq!(verify_published(&parts, body.as_bytes()), Ok(()), "{name}");
        let last = authorization.len() - 1;
        let wrong = format!(
            "{}{}",
            &authorization[..last],
            if signature.ends_with('0') { '1' } else { '0' }
        );
        *all.last_mut().unwrap() = ("authorization", &wrong);
        let parts = self::parts(method, target, &all);
        let result = verify_published(&parts, body.as_bytes());
        assert!(
            matches!(result, Err(Error::Mismatch { .. })),
            "{name}: {result:?}"
        );
    }
}

#[test]
fn our_own_signature_is_the_published_one() {
    let mut parts = parts("GET", "/", &[]);
    SIGNER.sign(&mut parts, b"", then());
    let header = parts.headers[http::header::AUTHORIZATION].to_str().unwrap();
    assert!(header.ends_with("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
}

#[test]
fn pre_signed_requests_verify_until_they_end() {
    for (name, target) in vectors::QUERY_FORM {
        let parts = parts("GET", target, &[]);
        assert_eq!(verify(&parts, b"", then()), Ok(()), "{name}");
        let late = then().after(Duration::from_secs(3_601));
        assert!(
            matches!(verify(&parts, b"", late), Err(Error::Time { .. })),
            "{name}"
        );
        assert!(
            matches!(verify(&parts, b"x", then()), Err(Error::Mismatch { .. })),
            "{name}"
        );
    }
    assert_eq!(
        SIGNER.presign("example.amazonaws.com", "/", 3_600, then()),
        vectors::QUERY_FORM[0].1
    );
    let session = Signer {
        session_token: Some("to/ken+="),
        ..SIGNER
    };
    assert_eq!(
        session.presign("example.amazonaws.com", "/x", 60, then()),
        vectors::QUERY_FORM[2].1
    );
}

#[test]
fn five_minutes_of_skew_are_forgiven_and_not_more() {
    let mut signed = parts("GET", "/", &[]);
    SIGNER.sign(&mut signed, b"", then());
    for (seconds, good) in [(300, true), (301, false)] {
        let late = then().after(Duration::from_secs(seconds));
        assert_eq!(verify(&signed, b"", late).is_ok(), good, "{seconds} s late");
        let early = Timestamp::from_millis(then().as_millis() - seconds * 1_000);
        assert_eq!(
            verify(&signed, b"", early).is_ok(),
            good,
            "{seconds} s early"
        );
    }
    let error = verify(&signed, b"", then().after(Duration::from_secs(600))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (20150830T124600Z - 5 min.)"
    );
}

#[test]
fn a_mismatch_tells_what_should_have_been_signed_and_not_the_secret() {
    let mut signed = parts("GET", "/a", &[]);
    SIGNER.sign(&mut signed, b"", then());
    let text = verify(&signed, b"other", then()).unwrap_err().to_string();
    assert!(
        text.contains("The Canonical String for this request should have been\n'GET\n/a\n\nhost:")
    );
    assert!(
        text.contains("The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n")
    );
    assert!(!text.contains(SECRET));
}

#[test]
fn a_printed_signature_shows_no_token() {
    let mut signed = parts("GET", "/", &[]);
    let session = Signer {
        session_token: Some("hush"),
        ..SIGNER
    };
    session.sign(&mut signed, b"", then());
    let printed = format!("{:?}", Signed::parse(&signed).unwrap());
    assert!(
        printed.contains(ID) && !printed.contains("hush"),
        "{printed}"
    );
}

fn check_header(authorization: &str, expected: &str) {
    let parts = parts(
        "GET",
        "/",
        &[
            ("authorization", authorization),
            ("x-amz-date", "20150830T123600Z"),
        ],
    );
    let message = Signed::parse(&parts).map(|_| ()).unwrap_err().to_string();
    assert!(message.starts_with(expected), "{authorization}: {message}");
}

#[test]
fn incomplete_signatures_are_told_what_they_lack() {
    assert_eq!(Signed::parse(&parts("GET", "/", &[])), Err(Error::Missing));
    check_header(
        "Bearer abc",
        "Invalid key=value pair (missing equal-sign) in Authorization header (hashed",
    );
    check_header(
        "AWS4-HMAC-SHA256 Credential=a",
        "Authorization header requires 'Signature' parameter. ",
    );
    let whole = |credential: &str| {
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
    };
    check_header(
        &whole("a/b"),
        "Credential must have exactly 5 slash-delimited elements",
    );
    check_header(
        &whole("a/20150830/r/s/x"),
        "Credential should be scoped with a valid terminator",
    );
    check_header(
        &whole("a/20150829/r/s/aws4_request"),
        "Date in Credential scope does not match",
    );
    check_header(
        "AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request, SignedHeaders=x, Signature=0",
        "'Host' or ':authority' must be",
    );
    let signed = parts(
        "GET",
        "/",
        &[("authorization", &whole("a/20150830/r/s/aws4_request"))],
    );
    assert!(
        Signed::parse(&signed)
            .unwrap_err()
            .to_string()
            .contains("existence of either a 'X-Amz-Date'")
    );
}

#[test]
fn a_repeated_query_parameter_is_refused() {
    let target = format!("{}&X-Amz-Expires=60", vectors::QUERY_FORM[0].1);
    assert!(matches!(
        Signed::parse(&parts("GET", &target, &[])),
        Err(Error::Incomplete { .. })
    ));
}

#[test]
fn a_declared_unsigned_payload_is_not_looked_at() {
    let mut signed = parts("PUT", "/", &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]);
    SIGNER.sign(&mut signed, b"", then());
    assert_eq!(verify(&signed, b"anything", then()), Ok(()));
    signed.headers.remove("x-amz-content-sha256");
    assert!(verify(&signed, b"", then()).is_err());
}

fn a_path() -> impl Strategy<Value = String> {
    "(/[a-zA-Z0-9:._~%$@!-]{0,12}){1,4}".prop_filter("dot segments are equal by rule", |path| {
        path.parse::<http::Uri>().is_ok() && !path.contains("//") && !path.contains("/.")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_and_any_change_does_not(
        path in a_path(),
        query in "([a-z]{1,5}=[a-zA-Z0-9%20.-]{0,8}&?){0,3}",
        value in "[ a-zA-Z0-9\",=]{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
        place in any::<prop::sample::Index>(),
    ) {
        let target = format!("{path}?{query}");
        let mut signed = parts("POST", &target, &[("x-amz-meta", value.as_str())]);
        SIGNER.sign(&mut signed, &body, then());
        prop_assert_eq!(verify(&signed, &body, then()), Ok(()));

        let mut other = body.clone();
        if other.is_empty() { other.push(0) } else { let at = place.index(other.len()); other[at] ^= 1 }
        prop_assert!(verify(&signed, &other, then()).is_err());

        let mut moved = signed.clone();
        moved.uri = format!("{path}x?{query}").parse().unwrap();
        prop_assert!(verify(&moved, &body, then()).is_err());

        let mut asked = signed.clone();
        asked.uri = format!("{path}?{query}&zz=1").parse().unwrap();
        prop_assert!(verify(&asked, &body, then()).is_err());

        let mut renamed = signed.clone();
        renamed.headers.insert("x-amz-meta", HeaderValue::from_str(&format!("{value}.")).unwrap());
        prop_assert!(verify(&renamed, &body, then()).is_err());

        let mut put = signed.clone();
        put.method = http::Method::PUT;
        prop_assert!(verify(&put, &body, then()).is_err());
    }

    #[test]
    fn hostile_headers_and_queries_never_panic(
        header in "\\PC{0,80}", date in "\\PC{0,20}", query in "[ -~&&[^ #\"<>`{}|\\\\^]]{0,80}",
    ) {
        for text in [header.clone(), format!("AWS4-HMAC-SHA256 {header}"),
            format!("AWS4-HMAC-SHA256 Credential={header}, SignedHeaders={date}, Signature={header}")]
        {
            let mut request = parts("GET", "/", &[]);
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                request.headers.insert(http::header::AUTHORIZATION, value);
            }
            if let Ok(value) = HeaderValue::from_bytes(date.as_bytes()) {
                request.headers.insert(HeaderName::from_static("x-amz-date"), value);
            }
            let _ = Signed::parse(&request);
        }
        for start in ["/?", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Signature="] {
            if let Ok(uri) = format!("{start}{query}").parse::<http::Uri>() {
                let mut request = parts("GET", "/", &[]);
                request.uri = uri;
                if let Ok(signed) = Signed::parse(&request) {
                    let _ = Verifier::new().verify(&signed, SECRET, &request, b"", then());
                }
            }
        }
    }
}

#[test]
fn s3_signs_the_path_as_it_is_sent() {
    let parts = parts("GET", "/bucket/a%20b//c/../d", &[]);
    let line = |paths| {
        let canonical = Canonical {
            parts: &parts,
            signed_headers: "host",
            payload_hash: "",
            paths,
            place: Place::Header,
        };
        canonical.shown().lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(line(Paths::AsSent), "/bucket/a%20b//c/../d");
    assert_eq!(line(Paths::Normalised), "/bucket/a%2520b/d");
}

#[test]
fn s3_is_told_the_hash_of_the_body_and_other_services_are_not() {
    let mut signed = parts("PUT", "/b/k", &[]);
    let s3 = Signer {
        service: "s3",
        ..SIGNER
    };
    s3.sign(&mut signed, b"x", then());
    assert_eq!(
        signed.headers["x-amz-content-sha256"],
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    );
    let authorization = signed.headers["authorization"].to_str().unwrap();
    assert!(authorization.contains("x-amz-content-sha256"));
    let mut signed = parts("PUT", "/b/k", &[]);
    SIGNER.sign(&mut signed, b"x", then());
    assert!(!signed.headers.contains_key("x-amz-content-sha256"));
}
