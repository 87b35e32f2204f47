//! Both APIs over a real socket, with handwritten requests and hostile ones.

mod answers;
mod fuzz;
mod members;

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use types::{Random as _, RequestId, SystemRandom};

use super::*;
use crate::session::{Answer, AnswerBody, Identity, InitEnd, InvokeEvent, Invoked};

struct Server {
    session: Arc<Session>,
    address: std::net::SocketAddr,
    _task: JoinSet<()>,
}

async fn server() -> Server {
    let session = Session::new(Identity {
        function_name: "f".into(),
        function_version: "7".into(),
        handler: "h.g".into(),
        account_id: "000000000000".into(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    let connections = unfold(listener, async |listener| {
        let accepted = listener.accept().await;
        Some((accepted.map(|(stream, _)| stream), listener))
    });
    task.spawn(Arc::clone(&session).serve(connections, Arc::new(Semaphore::new(64))));
    Server {
        session,
        address,
        _task: task,
    }
}

impl Server {
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, request: &str) -> String {
        read(&mut self.send(request).await).await
    }
}

/// Reads a head and as much body as `content-length` says.
async fn read(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let seen = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = seen.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
                return seen;
            }
        }
        let mut buffer = [0; 4096];
        let count = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
        match count.await.unwrap().unwrap() {
            0 => return seen,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn event(payload: &'static str) -> InvokeEvent {
    InvokeEvent {
        request: RequestId::random(&SystemRandom),
        deadline_ms: 1_769_854_830_123,
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".into(),
        trace_id: "Root=1-a;Sampled=0".into(),
        client_context: Some("{\"custom\":{}}".into()),
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

async fn initialised(server: &Server) -> TcpStream {
    let ready = server.session.begin_init(vec![]);
    let stream = server
        .send(&get("/2018-06-01/runtime/invocation/next"))
        .await;
    assert_eq!(ready.end.await, Ok(InitEnd::Ready));
    stream
}

/// A runtime that has taken an event.
struct Running {
    id: RequestId,
    invoked: Invoked,
    /// What it read of the event.
    event: String,
    _runtime: TcpStream,
}

async fn running(server: &Server, payload: &'static str) -> Running {
    let mut runtime = initialised(server).await;
    let event = event(payload);
    let id = event.request;
    let invoked = server.session.begin_invoke(event).unwrap();
    Running {
        id,
        invoked,
        event: read(&mut runtime).await,
        _runtime: runtime,
    }
}

#[tokio::test]
async fn a_runtime_takes_an_event_with_all_its_headers_and_answers() {
    let server = server().await;
    let running = running(&server, "{\"a\":1}").await;
    let id = running.id;
    for line in [
        &format!("lambda-runtime-aws-request-id: {id}"),
        "lambda-runtime-deadline-ms: 1769854830123",
        "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:f:live",
        "lambda-runtime-trace-id: Root=1-a;Sampled=0",
        "lambda-runtime-client-context: {\"custom\":{}}",
        "{\"a\":1}",
    ] {
        assert!(running.event.contains(line), "{line} in {}", running.event);
    }
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    let reply = server.ask(&post(&path, "", "\"ok\"")).await;
    assert!(reply.starts_with("HTTP/1.1 202"), "{reply}");
    match running.invoked.answer.await.unwrap() {
        Answer::Result {
            body: AnswerBody::Full(body),
            ..
        } => assert_eq!(body, "\"ok\""),
        other => panic!("{other:?}"),
    }
    // A second answer, and an answer to nobody's request, are refused.
    assert!(
        server
            .ask(&post(&path, "", "1"))
            .await
            .starts_with("HTTP/1.1 403")
    );
    let other = format!(
        "/2018-06-01/runtime/invocation/{}/response",
        SystemRandom.uuid()
    );
    let refused = server.ask(&post(&other, "", "1")).await;
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("InvalidRequestID"));
}

#[tokio::test]
async fn a_refused_answer_is_read_to_its_end_and_the_connection_kept() {
    let server = server().await;
    let _runtime = initialised(&server).await;
    let path = format!(
        "/2018-06-01/runtime/invocation/{}/response",
        SystemRandom.uuid()
    );
    // The head in one packet and the body in another, as Python's http.client sends them.
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n");
    let mut stream = server.send(&head).await;
    tokio::task::yield_now().await;
    stream.write_all(b"\"abc\"").await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 400"));
    stream
        .write_all(get("/2018-06-01/ping").as_bytes())
        .await
        .unwrap();
    assert!(read(&mut stream).await.ends_with("pong"));
}

#[tokio::test]
async fn errors_carry_their_type_and_body() {
    let server = server().await;
    let running = running(&server, "{}").await;
    let path = format!("/2018-06-01/runtime/invocation/{}/error", running.id);
    let header = "Lambda-Runtime-Function-Error-Type: Runtime.MarshalError\r\n";
    server
        .ask(&post(&path, header, "{\"errorMessage\":\"m\"}"))
        .await;
    match running.invoked.answer.await.unwrap() {
        Answer::Error { error_type, body } => {
            assert_eq!(error_type, "Runtime.MarshalError");
            assert_eq!(body, "{\"errorMessage\":\"m\"}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_init_error_ends_init_and_is_refused_later() {
    let server = server().await;
    let end = server.session.begin_init(vec![]);
    let path = "/2018-06-01/runtime/init/error";
    let reply = server.ask(&post(path, "", "{\"errorType\":\"x\"}")).await;
    assert!(reply.starts_with("HTTP/1.1 202"), "{reply}");
    let body = Bytes::from_static(b"{\"errorType\":\"x\"}");
    assert_eq!(
        end.end.await,
        Ok(InitEnd::Error {
            error_type: "Runtime.Unknown".into(),
            body
        })
    );
    initialised(&server).await;
    assert!(
        server
            .ask(&post(path, "", "{}"))
            .await
            .starts_with("HTTP/1.1 403")
    );
}

#[tokio::test]
async fn an_external_extension_registers_and_hears_of_invoke_and_shutdown() {
    let server = server().await;
    let ready = server.session.begin_init(vec!["ext".into()]);
    let name = "Lambda-Extension-Name: ext\r\nLambda-Extension-Accept-Feature: accountId\r\n";
    let body = "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}";
    let reply = server
        .ask(&post("/2020-01-01/extension/register", name, body))
        .await;
    let told = "{\"functionName\":\"f\",\"functionVersion\":\"7\",\"handler\":\"h.g\",\"accountId\":\"000000000000\"}";
    assert!(reply.contains(told), "{reply}");
    let id = reply
        .lines()
        .find_map(|l| l.strip_prefix("lambda-extension-identifier: "))
        .unwrap();
    let next = format!(
        "GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: x\r\nLambda-Extension-Identifier: {id}\r\n\r\n"
    );
    let mut extension = server.send(&next).await;
    let _runtime = server
        .send(&get("/2018-06-01/runtime/invocation/next"))
        .await;
    assert_eq!(ready.end.await, Ok(InitEnd::Ready));
    let event = event("{}");
    let request = event.request;
    server.session.begin_invoke(event).unwrap();
    let told = read(&mut extension).await;
    assert!(told.contains("\"eventType\":\"INVOKE\""), "{told}");
    assert!(told.contains(&request.to_string()), "{told}");
    assert_eq!(
        server
            .session
            .begin_shutdown(crate::ShutdownReason::Timeout, 9),
        1
    );
    let told = server.ask(&next).await;
    let expected = "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"TIMEOUT\",\"deadlineMs\":9}";
    assert!(told.contains(expected), "{told}");
}

#[tokio::test]
async fn nonsense_is_answered_and_harms_nobody() {
    let server = server().await;
    let _runtime = initialised(&server).await;
    for request in [
        get("/"),
        get("/2018-06-01/runtime/invocation/x/response"),
        get("/2018-06-01/runtime/restore/next"),
        post("/2018-06-01/runtime/invocation/not-an-id/response", "", "1"),
        post("/2018-06-01/runtime/invocation/%00/error", "", "1"),
        post("/2020-01-01/extension/register", "", "{}"),
        post(
            "/2020-01-01/extension/register",
            "Lambda-Extension-Name: a\r\n",
            "[",
        ),
        post(
            "/2020-01-01/extension/register",
            "Lambda-Extension-Name: a\r\n",
            "{\"events\":[\"X\"]}",
        ),
        get("/2020-01-01/extension/event/next"),
        "GARBAGE\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(),
    ] {
        let reply = server.ask(&request).await;
        assert!(reply.starts_with("HTTP/1.1 4"), "{request:?}: {reply}");
    }
    assert!(server.ask(&get("/2018-06-01/ping")).await.ends_with("pong"));
}
