//! A signature made for one request, on another.

use http::Uri;
use http::header::HOST;

use super::*;
use crate::authority::authority;
use crate::function_url::Target;
use crate::uri::query_pairs;

/// One change to a signed request, as somebody on its way can make it.
#[derive(Clone, Debug)]
enum Change {
    Method(&'static str),
    Line(&'static str),
    Host(&'static str),
    SecondHost(&'static str),
    Path(usize, &'static str),
    Encode(usize),
    Query(usize, &'static str),
    Reverse,
    Header(&'static str, &'static str),
    Split,
    Authorization(&'static str),
}

const HOSTS: &[&str] = &[
    "a.lambda-url.us-east-1.x",
    "b.lambda-url.us-east-1.x",
    "A.lambda-url.us-east-1.x",
    "x",
    "",
];
const PATHS: &[&str] = &[
    "/",
    "//",
    "/.",
    "/..",
    "/b",
    "/../lambda-url/b",
    "%2e%2e",
    "%2F",
    ".",
    "+",
    "%",
];
const QUERIES: &[&str] = &[
    "&",
    "a=1",
    "&a=2",
    "+",
    "%2B",
    "%20",
    "&&",
    "=",
    "&X-Amz-Signature=0",
    "&x-amz-date=0",
    "%41",
    "A",
];
const HEADERS: &[(&str, &str)] = &[
    ("x-amz-invocation-type", "Event"),
    ("x-amz-invocation-type", " Event  "),
    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ("x-amz-target", "x"),
    ("x-amz-security-token", "t"),
    ("x-amz-date", "20150830T123600Z"),
    ("date", "Sun, 30 Aug 2015 12:36:00 GMT"),
    ("x-forwarded-host", "b"),
];
const AUTHORIZATIONS: &[&str] = &[
    ";x-amz-target",
    ";host",
    ", SignedHeaders=host",
    ", Credential=a/b",
    "",
];

fn a_change() -> impl Strategy<Value = Change> {
    use prop::sample::select;
    prop_oneof![
        select(&["GET", "POST", "get"][..]).prop_map(Change::Method),
        select(HOSTS).prop_map(Change::Line),
        select(HOSTS).prop_map(Change::Host),
        select(HOSTS).prop_map(Change::SecondHost),
        (0..20_usize, select(PATHS)).prop_map(|(at, text)| Change::Path(at, text)),
        (0..20_usize).prop_map(Change::Encode),
        (0..20_usize, select(QUERIES)).prop_map(|(at, text)| Change::Query(at, text)),
        Just(Change::Reverse),
        select(HEADERS).prop_map(|(name, value)| Change::Header(name, value)),
        Just(Change::Split),
        select(AUTHORIZATIONS).prop_map(Change::Authorization),
    ]
}

/// `text` with `inserted` at a place.
fn with(text: &str, at: usize, inserted: &str) -> String {
    let at = at.min(text.len());
    format!("{}{inserted}{}", &text[..at], &text[at..])
}

/// The request after a change; as it was where HTTP knows no such request.
fn changed(mut parts: Parts, change: &Change) -> Parts {
    let (path, query) = (
        parts.uri.path().to_owned(),
        parts.uri.query().unwrap_or_default().to_owned(),
    );
    let mut aim = |path: &str, query: &str| {
        if let Ok(uri) = format!("{path}?{query}").parse::<Uri>() {
            parts.uri = uri;
        }
    };
    match change {
        Change::Method(method) => parts.method = method.parse().unwrap(),
        Change::Line(host) => {
            if let Ok(uri) = format!("http://{host}{}", parts.uri).parse::<Uri>() {
                parts.uri = uri;
            }
        }
        Change::Host(host) => {
            parts.headers.insert(HOST, HeaderValue::from_static(host));
        }
        Change::SecondHost(host) => {
            parts.headers.append(HOST, HeaderValue::from_static(host));
        }
        Change::Path(at, text) => aim(&with(&path, *at, text), &query),
        Change::Encode(at) => {
            let at = *at % path.len();
            aim(
                &format!(
                    "{}%{:02X}{}",
                    &path[..at],
                    path.as_bytes()[at],
                    &path[at + 1..]
                ),
                &query,
            );
        }
        Change::Query(at, text) => aim(&path, &with(&query, *at, text)),
        Change::Reverse => {
            let pairs: Vec<&str> = query.split('&').rev().collect();
            aim(&path, &pairs.join("&"));
        }
        Change::Header(name, value) => {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        Change::Split => {
            if let Some(value) = parts.headers.remove("x-amz-meta") {
                for piece in value.to_str().unwrap().split(',') {
                    parts.headers.append("x-amz-meta", piece.parse().unwrap());
                }
            }
        }
        Change::Authorization(text) => {
            if let Some(value) = parts.headers.get_mut(http::header::AUTHORIZATION) {
                let whole = value.to_str().unwrap();
                *value = whole
                    .replacen(", Signature", &format!("{text}, Signature"), 1)
                    .parse()
                    .unwrap();
            }
        }
    }
    parts
}

type Pairs = Vec<(String, String)>;
/// Method, host, path, function URL, query, headers.
type Meaning = (String, String, String, Option<String>, Pairs, Pairs);

/// What becomes of a request: whom it reaches, and what it asks for.
fn meaning(parts: &Parts) -> Meaning {
    let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        (name.into_owned(), value.into_owned())
    };
    let mut query: Vec<_> = query_pairs(parts.uri.query().unwrap_or_default())
        .map(owned)
        .collect();
    query.sort();
    let mut headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-"))
        .map(|(name, value)| {
            let words: Vec<&str> = value.to_str().unwrap().split_whitespace().collect();
            (name.to_string(), words.join(" "))
        })
        .collect();
    headers.sort();
    (
        parts.method.to_string(),
        authority(parts).unwrap().to_ascii_lowercase(),
        parts.uri.path().to_owned(),
        Target::of(parts).map(|target| target.id),
        query,
        headers,
    )
}

#[test]
fn fuzz_sigv4() {
    let path = "(/[a-z]{1,2}|/lambda-url/[ab]){0,3}/?";
    let query = "([ab]=[12%+]{0,2}&?){0,3}";
    let requests = (
        prop::sample::select(HOSTS),
        path,
        query,
        "[a-z, ]{0,6}",
        any::<bool>(),
        prop::collection::vec(a_change(), 1..4),
    );
    let verifier = Verifier::new();
    fuzzing::run(
        "sigv4",
        requests,
        |(host, path, query, meta, presign, changes)| {
            let path = if path.is_empty() { "/" } else { &path };
            let mut request = Request::builder()
                .uri(format!("{path}?{query}"))
                .header(HOST, host);
            if presign {
                request = request.uri(SIGNER.presign(host, path, 60, then()));
            } else {
                request = request.header("x-amz-meta", &meta);
            }
            let (mut signed, ()) = request.body(()).unwrap().into_parts();
            if !presign {
                SIGNER.sign(&mut signed, b"body", then());
            }
            let body: &[u8] = if presign { b"" } else { b"body" };
            let verify = |parts: &Parts| {
                let found = Signed::parse(parts)?;
                verifier.verify(&found, SECRET, parts, body, then())
            };
            prop_assert_eq!(verify(&signed).is_ok(), !host.is_empty());
            let other = changes.iter().fold(signed.clone(), changed);
            // Whatever it is, it is refused or taken, and never more than once as long in words.
            match verify(&other) {
                Err(error) => prop_assert!(error.to_string().len() < SHOWN_BYTES_MAX + 2_000),
                Ok(()) => prop_assert_eq!(meaning(&other), meaning(&signed)),
            }
            Ok(())
        },
    );
}
