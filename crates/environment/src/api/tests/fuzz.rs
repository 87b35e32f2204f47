//! Generated hostile requests against the real parser and the real state: nothing panics, nothing that
//! nobody answered has an answer, and both APIs serve afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::time::timeout;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Bytes on a connection of their own.
    Raw(Vec<u8>),
    /// A request, more or less.
    Ask {
        method: &'static str,
        path: String,
        headers: Vec<(String, String)>,
        body: Body,
    },
    /// The worker starts processes, with an external extension or without.
    Init(bool),
    /// The worker has an event.
    Invoke,
    /// The worker ends the processes.
    Stop,
    /// The worker tells extensions to end.
    Shutdown,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Whole(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
    /// Of another length than is said.
    Lie(u64, Vec<u8>),
}

/// Stands for the request of the present invoke.
const CURRENT: &str = "CURRENT";

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(CURRENT.to_owned()),
        1 => Just("00000000-0000-0000-0000-000000000000".to_owned()),
        1 => "[ -~]{0,40}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        Just("/2018-06-01/runtime/invocation/next".to_owned()),
        id().prop_map(|id| format!("/2018-06-01/runtime/invocation/{id}/response")),
        id().prop_map(|id| format!("/2018-06-01/runtime/invocation/{id}/error")),
        Just("/2018-06-01/runtime/init/error".to_owned()),
        Just("/2020-01-01/extension/register".to_owned()),
        Just("/2020-01-01/extension/event/next".to_owned()),
        Just("/2020-01-01/extension/exit/error".to_owned()),
        Just("/2022-07-01/telemetry".to_owned()),
        Just("/2020-08-15/logs".to_owned()),
    ];
    prop_oneof![6 => known, 1 => "/[!-~]{0,60}", 1 => "[ -~]{0,60}"]
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        Just("lambda-extension-name".to_owned()),
        Just("lambda-extension-identifier".to_owned()),
        Just("lambda-extension-accept-feature".to_owned()),
        Just("lambda-runtime-function-error-type".to_owned()),
        Just("lambda-runtime-function-response-mode".to_owned()),
        Just("transfer-encoding".to_owned()),
        Just("content-length".to_owned()),
        Just("expect".to_owned()),
        Just("upgrade".to_owned()),
        "[!-~]{0,30}",
    ];
    let value = prop_oneof![
        id(),
        Just("streaming".to_owned()),
        Just("chunked".to_owned()),
        Just("100-continue".to_owned()),
        Just("x".to_owned()),
        "[0-9]{1,20}",
        "[ -~]{0,200}",
    ];
    proptest::collection::vec((name, value), 0..6)
}

fn body() -> impl Strategy<Value = Body> {
    let bytes = || {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            Just(br#"{"events":["INVOKE","SHUTDOWN"]}"#.to_vec()),
            Just(
                br#"{"schemaVersion":"2022-12-13","types":["platform","function"],"destination":{"protocol":"HTTP","URI":"http://sandbox:8080"}}"#
                    .to_vec()
            ),
            Just("[".repeat(2_000).into_bytes()),
        ]
    };
    prop_oneof![
        Just(Body::None),
        bytes().prop_map(Body::Whole),
        proptest::collection::vec(bytes(), 0..4).prop_map(Body::Chunks),
        (any::<u64>(), bytes()).prop_map(|(length, bytes)| Body::Lie(length, bytes)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let method = prop_oneof![
        Just("GET"),
        Just("POST"),
        Just("PUT"),
        Just("CONNECT"),
        Just("X")
    ];
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..400).prop_map(Step::Raw),
        8 => (method, path(), headers(), body()).prop_map(|(method, path, headers, body)| Step::Ask {
            method, path, headers, body
        }),
        2 => any::<bool>().prop_map(Step::Init),
        2 => Just(Step::Invoke),
        1 => Just(Step::Stop),
        1 => Just(Step::Shutdown),
    ]
}

/// The bytes of a request.
fn written(method: &str, path: &str, headers: &[(String, String)], body: &Body) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    match body {
        Body::None => bytes.extend(b"\r\n"),
        Body::Whole(whole) => {
            bytes.extend(format!("content-length: {}\r\n\r\n", whole.len()).bytes());
            bytes.extend(whole);
        }
        Body::Lie(length, whole) => {
            bytes.extend(format!("content-length: {length}\r\n\r\n").bytes());
            bytes.extend(whole);
        }
        Body::Chunks(chunks) => {
            bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in chunks {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        }
    }
    bytes
}

/// What takes longer does not end: a machine that has much else to do may take minutes over a case.
const HANGS: Duration = Duration::from_secs(300);
/// A client without an answer for this long is waiting for an event.
const LONG_POLL: Duration = Duration::from_millis(5);

/// Says it all, and hangs up once the other end has or shows that it waits for an event.
async fn say(server: &Server, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // It may hang up before it has heard all.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = timeout(LONG_POLL, stream.read_to_end(&mut answer)).await;
}

async fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let server = server().await;
    let mut invoked: Option<(Invoked, bool)> = None;
    let mut request = RequestId::random(&SystemRandom);
    for step in steps {
        match step {
            Step::Raw(bytes) => say(&server, &bytes).await,
            Step::Ask {
                method,
                path,
                headers,
                body,
            } => {
                let id = request.to_string();
                let named = path.contains(CURRENT);
                let path = path.replace(CURRENT, &id);
                let headers: Vec<_> = headers
                    .into_iter()
                    .map(|(name, value)| (name, value.replace(CURRENT, &id)))
                    .collect();
                say(&server, &written(method, &path, &headers, &body)).await;
                if let Some((invoked, answered)) = &mut invoked {
                    *answered |= named;
                    let came = invoked.answer.try_recv().is_ok();
                    prop_assert!(!came || *answered, "an answer that nobody gave");
                }
            }
            Step::Init(external) => {
                let externals = external.then(|| "x".to_owned()).into_iter().collect();
                server.session.begin_init(externals);
            }
            Step::Invoke => {
                let next = RequestId::random(&SystemRandom);
                if let Ok(begun) = server.session.begin_invoke(InvokeEvent {
                    request: next,
                    ..event("{}")
                }) {
                    (invoked, request) = (Some((begun, false)), next);
                }
            }
            Step::Stop => server.session.stop(),
            Step::Shutdown => {
                server
                    .session
                    .begin_shutdown(crate::ShutdownReason::Spindown, 1);
            }
        }
    }
    let pong = server
        .ask("GET /2018-06-01/ping HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    prop_assert!(pong.ends_with("pong"), "{pong}");
    Ok(())
}

#[test]
fn fuzz_runtime_api() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A connection's panic ends its task, and is not noticed elsewhere.
        if panic
            .location()
            .is_some_and(|place| !place.file().contains("proptest"))
        {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        told(panic);
    }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    fuzzing::run(
        "runtime_api",
        proptest::collection::vec(step(), 1..12),
        |steps| {
            let before = PANICS.load(Ordering::SeqCst);
            let played = runtime.block_on(async { timeout(HANGS, play(steps)).await });
            prop_assert_eq!(PANICS.load(Ordering::SeqCst), before, "a panic");
            played.map_err(|_| TestCaseError::fail("something hangs"))?
        },
    );
}
