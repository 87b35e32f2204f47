//! Requests that say two things at once, and requests that ask for more work than they are.

use super::*;

const SCOPE: &str = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";

/// An `Authorization` header with that list of signed headers.
fn authorization(signed_headers: &str) -> String {
    let zeros = "0".repeat(64);
    format!(
        "AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={signed_headers}, Signature={zeros}"
    )
}

fn refused(parts: &Parts) -> String {
    match Signed::parse(parts) {
        Ok(signed) => panic!("{signed:?} is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn signed_headers_are_sorted_in_lower_case_and_each_there_once() {
    let many: Vec<String> = (0..101).map(|n| format!("a{n:03}")).collect();
    for (list, words) in [
        ("host;x-amz-date;x-amz-date", "each name there once"),
        ("x-amz-date;host", "must be sorted"),
        ("host;X-Amz-Date", "in lower case"),
        ("Host;x-amz-date", "in lower case"),
        ("host;;x-amz-date", "must be sorted"),
        (";host;x-amz-date", "must be sorted"),
        ("host;x-amz-date;", "must be sorted"),
        ("", "must be sorted"),
        (&many.join(";"), "at most 100 names"),
        ("absent;host;x-amz-date", "'absent' is not in the request"),
        (
            "x-amz-date",
            "'Host' or ':authority' must be a 'SignedHeader'",
        ),
        ("host", "'x-amz-date' must be a 'SignedHeader'"),
    ] {
        let text = authorization(list);
        let headers = [
            ("authorization", &*text),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let message = refused(&parts("GET", "/", &headers));
        assert!(message.contains(words), "{list}: {message}");
    }
}

#[test]
fn a_presigned_request_has_the_same_rules() {
    let list = |list: &str| vectors::QUERY_FORM[0].1.replace("SignedHeaders=host", list);
    for target in [
        list("SignedHeaders=host%3Bhost"),
        list("SignedHeaders=Host"),
        list("SignedHeaders=absent%3Bhost"),
        list("SignedHeaders=x-amz-date"),
    ] {
        refused(&parts("GET", &target, &[]));
    }
    let target = vectors::QUERY_FORM[0].1;
    // Anyone who has a link can add these, and each would change what it does.
    for header in [
        ("x-amz-invocation-type", "Event"),
        ("x-amz-client-context", "e30="),
        ("x-amz-log-type", "Tail"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", "20150830T123600Z"),
        ("x-amz-target", "Logs_20140328.DeleteLogGroup"),
    ] {
        let message = refused(&parts("GET", target, &[header]));
        assert!(
            message.contains(&format!("'{}' must be", header.0)),
            "{message}"
        );
    }
    let token = refused(&parts("GET", target, &[("x-amz-security-token", "t")]));
    assert!(token.contains("in its query alone"), "{token}");
    for header in [("x-amz-user-agent", "a"), ("x-other", "b")] {
        assert_eq!(
            verify(&parts("GET", target, &[header]), b"", then()),
            Ok(())
        );
    }
}

#[test]
fn a_request_has_one_signature_and_one_of_each_header_that_counts() {
    let good = authorization("host;x-amz-date");
    let date = ("x-amz-date", "20150830T123600Z");
    let twice = [("authorization", &*good), ("authorization", &*good), date];
    assert!(refused(&parts("GET", "/", &twice)).contains("more than one Authorization"));
    let both = parts(
        "GET",
        vectors::QUERY_FORM[0].1,
        &[("authorization", &good), date],
    );
    assert!(refused(&both).contains("Only one auth mechanism allowed"));
    for name in ["Credential", "SignedHeaders", "Signature"] {
        let text = format!("{good}, {name}=x");
        let message = refused(&parts("GET", "/", &[("authorization", &text), date]));
        assert!(
            message.contains(&format!("more than one '{name}'")),
            "{message}"
        );
    }
    let dates = [("authorization", &*good), date, date];
    assert!(refused(&parts("GET", "/", &dates)).contains("'x-amz-date' is there twice"));
}

#[test]
fn a_signature_is_for_one_path_and_not_for_all_that_come_to_the_same() {
    for path in [
        "/b/../a", "/./a", "//a", "/a//", "/a/.", "/a/..", "//", "/x/..//a",
    ] {
        let mut signed = parts("GET", path, &[]);
        SIGNER.sign(&mut signed, b"", then());
        let message = refused(&signed);
        assert!(
            message.contains("empty or dot segments"),
            "{path}: {message}"
        );
    }
    for path in ["/", "/a", "/a/", "/a/b.c/..d", "/%2e%2e/a", "/a%2F%2Fb"] {
        let mut signed = parts("GET", path, &[]);
        SIGNER.sign(&mut signed, b"", then());
        assert_eq!(verify(&signed, b"", then()), Ok(()), "{path}");
    }
}

#[test]
fn a_signature_is_for_the_host_by_which_the_request_is_routed() {
    let mut signed = parts("GET", "/", &[]);
    SIGNER.sign(&mut signed, b"", then());
    assert_eq!(verify(&signed, b"", then()), Ok(()));
    let mut moved = signed.clone();
    moved.uri = "http://other.amazonaws.com/".parse().unwrap();
    assert!(refused(&moved).contains("different hosts"));
    let mut same = signed.clone();
    same.uri = "http://example.amazonaws.com/".parse().unwrap();
    assert_eq!(verify(&same, b"", then()), Ok(()));
    let mut two = signed.clone();
    let other = HeaderValue::from_static("other.amazonaws.com");
    two.headers.append(http::header::HOST, other);
    assert!(refused(&two).contains("more than one Host"));
}

#[test]
fn a_plus_in_a_query_is_a_space_for_the_signature_too() {
    let mut signed = parts("GET", "/?a=b%2Bc", &[]);
    SIGNER.sign(&mut signed, b"", then());
    signed.uri = "/?a=b+c".parse().unwrap();
    assert!(verify(&signed, b"", then()).is_err());
    let mut signed = parts("GET", "/?a=b%20c", &[]);
    SIGNER.sign(&mut signed, b"", then());
    signed.uri = "/?a=b+c".parse().unwrap();
    assert_eq!(verify(&signed, b"", then()), Ok(()));
}

#[test]
fn the_signature_parameter_is_left_out_of_the_query_of_presigned_requests_alone() {
    let mut signed = parts("GET", "/?a=1", &[]);
    SIGNER.sign(&mut signed, b"", then());
    signed.uri = "/?a=1&X-Amz-Signature=0".parse().unwrap();
    assert!(verify(&signed, b"", then()).is_err());
}

#[test]
fn a_refusal_shows_a_part_of_what_should_have_been_signed() {
    let long = "x".repeat(20_000);
    let query = format!("/?{}", "%2b&".repeat(5_000));
    let text = authorization("host;x-amz-date;x-long");
    let headers = [
        ("authorization", &*text),
        ("x-amz-date", "20150830T123600Z"),
        ("x-long", &*long),
    ];
    for target in ["/", &query] {
        let error = verify(&parts("GET", target, &headers), b"", then()).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }), "{error}");
        assert!(error.to_string().len() < SHOWN_BYTES_MAX + 1_500);
    }
    // Nor more of any other text.
    for authorization in [
        format!("AWS4-HMAC-SHA256 Credential={long}, SignedHeaders=host, Signature=0"),
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}{long}, SignedHeaders=host, Signature=0"),
        format!("{long} Credential={SCOPE}, SignedHeaders=host, Signature=0"),
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;{long}, Signature=0"),
    ] {
        let headers = [
            ("authorization", &*authorization),
            ("x-amz-date", "20150830T123600Z"),
        ];
        assert!(refused(&parts("GET", "/", &headers)).len() < 2_000);
    }
}

#[test]
fn a_declared_hash_lets_the_signer_be_known_before_the_body() {
    let hash = canonical::payload_hash(&parts("GET", "/", &[]), b"body").into_owned();
    let head = |declared: &str| {
        let mut signed = parts("POST", "/", &[("x-amz-content-sha256", declared)]);
        SIGNER.sign(&mut signed, b"body", then());
        signed
    };
    let verified = |parts: &Parts, secret: &str| {
        let signed = Signed::parse(parts).unwrap();
        Verifier::new().verify_head(&signed, secret, parts, then())
    };
    assert_eq!(verified(&head(&hash), SECRET), Ok(Declared::Signer));
    assert_eq!(
        verified(&head("UNSIGNED-PAYLOAD"), SECRET),
        Ok(Declared::Signer)
    );
    assert!(matches!(
        verified(&head(&hash), "other"),
        Err(Error::Mismatch { .. })
    ));
    // The body is checked nevertheless.
    assert!(verify(&head(&hash), b"other", then()).is_err());
    // Clients that do not say it cannot be known yet.
    let mut silent = parts("POST", "/", &[]);
    SIGNER.sign(&mut silent, b"body", then());
    assert_eq!(verified(&silent, "other"), Ok(Declared::Nothing));
    let streaming = head("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    assert_eq!(verified(&streaming, "other"), Ok(Declared::Nothing));
}

#[test]
fn what_nobody_has_signed_by_is_not_remembered_and_has_no_long_names() {
    let mut good = parts("GET", "/", &[]);
    SIGNER.sign(&mut good, b"", then());
    let signed = Signed::parse(&good).unwrap();
    let verifier = Verifier::new();
    assert!(
        verifier
            .verify(&signed, "other", &good, b"", then())
            .is_err()
    );
    assert_eq!(verifier.keys.len(), 0);
    assert_eq!(verifier.verify(&signed, SECRET, &good, b"", then()), Ok(()));
    assert_eq!(verifier.keys.len(), 1);
    let long = "x".repeat(129);
    for credential in [
        format!("{long}/20150830/us-east-1/service/aws4_request"),
        format!("AKIDEXAMPLE/20150830/{long}/service/aws4_request"),
        format!("AKIDEXAMPLE/20150830/us-east-1/{long}/aws4_request"),
    ] {
        let text = authorization("host;x-amz-date").replace(SCOPE, &credential);
        let headers = [
            ("authorization", &*text),
            ("x-amz-date", "20150830T123600Z"),
        ];
        assert!(refused(&parts("GET", "/", &headers)).len() < 200);
    }
}
