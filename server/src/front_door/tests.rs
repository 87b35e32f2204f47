//! Arbitrary request heads, read as the server reads them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::Timestamp;
use wire::authority::authority;
use wire::function_url::Target;
use wire::sigv4::{Signed, Signer, Verifier};

use super::conversation::Conversation;
use super::intake::Intake;
use super::line::Line;
use super::{head, serve};

const NOW: Timestamp = Timestamp::from_millis(1_440_938_160_000);
const SECRET: &str = "secret";
const SIGNER: Signer<'static> = Signer {
    access_key_id: "AKID",
    secret: SECRET,
    session_token: None,
    region: "us-east-1",
    service: "lambda",
};

/// One head: for whom it is signed, and what it says.
#[derive(Clone, Debug)]
struct Raw {
    /// Host, path and query that the signature is for.
    signed: (&'static str, &'static str),
    method: &'static str,
    /// What the request line has before the path.
    line: &'static str,
    target: &'static str,
    version: &'static str,
    hosts: Vec<&'static str>,
    noise: Vec<&'static str>,
    /// How each line ends, in turns.
    ends: Vec<&'static str>,
    /// How many bytes come at a time.
    cut: usize,
}

const HOSTS: &[&str] = &[
    "a.lambda-url.us-east-1.x",
    "b.lambda-url.us-east-1.x",
    "x:80",
];
const TARGETS: &[&str] = &[
    "/",
    "/p",
    "/p?q=1",
    "/lambda-url/a/p",
    "/lambda-url/b/p",
    "/lambda-url/b/../a/p",
    "//p",
    "/./p",
    "/p?q=1&q=2",
    "/%70",
    "*",
    "",
];
/// Those that are signed: each is the one form of its path in which it is taken.
const PLAIN: &[&str] = &[
    "/",
    "/p",
    "/p?q=1&q=2",
    "/lambda-url/a/p",
    "/lambda-url/b/p",
    "/%70",
];
const NOISE: &[&str] = &[
    "content-length: 0",
    "content-length: 4",
    "transfer-encoding: chunked",
    "Transfer-Encoding: identity, chunked",
    "host : b.lambda-url.us-east-1.x",
    " host: b.lambda-url.us-east-1.x",
    "x-forwarded-host: b.lambda-url.us-east-1.x",
    "x-http-method-override: DELETE",
    "x-amz-target: x",
    "x-amz-date: 20150830T123600Z",
    "authorization: AWS4-HMAC-SHA256 Credential=b",
    "connection: host",
    "expect: 100-continue",
    "upgrade: h2c",
    "a",
    ": b",
    "",
];

fn a_head() -> impl Strategy<Value = Raw> {
    // Mostly as it was signed, so that some are taken.
    let hosts = prop_oneof![
        6 => Just(vec!["a.lambda-url.us-east-1.x"]),
        1 => prop::collection::vec(prop_oneof![select(HOSTS), select(&["", "u@x", "A.lambda-url.us-east-1.x", "x, y"][..])], 0..3),
    ];
    let line = prop_oneof![
        6 => Just(""),
        1 => select(&["http://a.lambda-url.us-east-1.x", "http://b.lambda-url.us-east-1.x", "http://u@a.lambda-url.us-east-1.x", "http://", "b.lambda-url.us-east-1.x"][..]),
    ];
    let ends = prop_oneof![8 => Just(vec!["\r\n"]), 1 => prop::collection::vec(select(&["\r\n", "\n", "\r"][..]), 1..4)];
    let what = (
        prop_oneof![6 => Just("/p?q=1"), 1 => select(PLAIN)],
        prop_oneof![6 => Just("/p?q=1"), 1 => select(TARGETS)],
    );
    let noise = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(select(NOISE), 0..3)];
    let method =
        prop_oneof![6 => Just("GET"), 1 => select(&["POST", "CONNECT", "OPTIONS", "get", ""][..])];
    let version =
        prop_oneof![6 => Just("HTTP/1.1"), 1 => select(&["HTTP/1.0", "HTTP/2.0", "HTTP/1.1 "][..])];
    (
        what,
        method,
        line,
        version,
        hosts,
        noise,
        ends,
        1..400_usize,
    )
        .prop_map(
            |((signed, target), method, line, version, hosts, noise, ends, cut)| Raw {
                signed: ("a.lambda-url.us-east-1.x", signed),
                method,
                line,
                target,
                version,
                hosts,
                noise,
                ends,
                cut,
            },
        )
}

/// The bytes of a head. What is signed is right; what is around it is not, perhaps.
fn written(raw: &Raw) -> Vec<u8> {
    let (host, target) = raw.signed;
    let mut request = Request::new(());
    *request.uri_mut() = target.parse().unwrap_or_default();
    let value = http::HeaderValue::from_static(host);
    request.headers_mut().insert("host", value);
    let (mut parts, ()) = request.into_parts();
    SIGNER.sign(&mut parts, b"", NOW);
    let of = |name: &str| format!("{name}: {}", parts.headers[name].to_str().unwrap());
    let mut lines = vec![format!(
        "{} {}{} {}",
        raw.method, raw.line, raw.target, raw.version
    )];
    lines.extend(raw.hosts.iter().map(|host| format!("Host: {host}")));
    lines.extend([of("x-amz-date"), of("authorization")]);
    lines.extend(raw.noise.iter().map(|line| (*line).to_owned()));
    lines.push(String::new());
    let ends = raw.ends.iter().cycle();
    let text: String = lines
        .iter()
        .zip(ends)
        .flat_map(|(line, end)| [line.as_str(), end])
        .collect();
    text.into_bytes()
}

/// What the server makes of bytes: the requests that reach a role.
async fn read(bytes: &[u8], cut: usize) -> Vec<Parts> {
    let (mut client, stream) = tokio::io::duplex(64 * 1024);
    let conversation = Conversation::new([192, 0, 2, 1].into());
    let line = Line::new(stream, Arc::clone(&conversation), Intake::new(1 << 20));
    let taken: Arc<Mutex<Vec<Parts>>> = Arc::default();
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let (parts, _body) = request.into_parts();
        let _answering = conversation.answering();
        if head::check(&parts, conversation.is_bare()).is_ok() {
            taken.lock().unwrap().push(parts);
        }
        // One request is enough.
        async { Ok::<_, Infallible>(head::last(Response::new(Full::new(Bytes::new())))) }
    });
    let serving = serve::http().serve_connection(TokioIo::new(line), service);
    let sending = async {
        for piece in bytes.chunks(cut) {
            if client.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
    };
    let _ = tokio::join!(serving, sending);
    std::mem::take(&mut *taken.lock().unwrap())
}

#[test]
fn fuzz_head() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let verifier = Verifier::new();
    let let_in = std::cell::Cell::new(0_u64);
    fuzzing::run("head", a_head(), |raw| {
        let bytes = written(&raw);
        let taken = runtime.block_on(read(&bytes, raw.cut));
        prop_assert!(taken.len() <= 1);
        let Some(parts) = taken.first() else {
            return Ok(());
        };
        // No two lines say for whom it is, and all end as they should.
        let text = String::from_utf8(bytes).unwrap();
        prop_assert!(!text.replace("\r\n", "").contains('\n'), "{}", text);
        prop_assert!(raw.hosts.len() <= 1 && raw.method != "CONNECT");
        let host = authority(parts).unwrap();
        if let (false, Some(header)) = (raw.line.is_empty(), raw.hosts.first()) {
            let in_line = parts.uri.authority().map(|authority| authority.as_str());
            prop_assert!(in_line.is_none_or(|line| line.eq_ignore_ascii_case(header)));
        }
        let verified = Signed::parse(parts)
            .and_then(|signed| verifier.verify(&signed, SECRET, parts, b"", NOW));
        if verified.is_ok() {
            let_in.set(let_in.get() + 1);
            let (signed, target) = raw.signed;
            prop_assert_eq!(host, signed);
            prop_assert_eq!(Target::of(parts).unwrap().id, "a");
            let asked = parts
                .uri
                .path_and_query()
                .map_or("", |target| target.as_str());
            prop_assert_eq!(asked, target);
        }
        Ok(())
    });
    assert!(let_in.get() > 0, "no head was as it should be");
}

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_refused() {
    for (head, taken) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        ("GET / HTTP/1.0\r\n\r\n", 1),
        // The standard has one rule for it: the length does not count.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            1,
        ),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 0),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", 0),
        ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 0),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            0,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            0,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            0,
        ),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 0),
    ] {
        assert_eq!(read(head.as_bytes(), 1_000).await.len(), taken, "{head:?}");
    }
}

#[tokio::test]
async fn a_head_has_so_many_bytes_and_headers_and_no_more() {
    for (headers, bytes, taken) in [(90, 10, 1), (120, 10, 0), (60, 1_000, 1), (60, 2_000, 0)] {
        let value = "v".repeat(bytes);
        let lines: String = (0..headers)
            .map(|n| format!("x-{n}: {value}\r\n"))
            .collect();
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let found = read(head.as_bytes(), 10_000).await.len();
        assert_eq!(found, taken, "{headers} headers of {bytes} bytes");
    }
}
