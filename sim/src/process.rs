//! What runs in a sandbox: a task that implements the Runtime API's protocol by hand, over memory.

use std::io;
use std::sync::Arc;

use sandbox::Exit;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::sleep;

use crate::engine::Inside;
use crate::function::{Deed, Event, Result};

/// How many pieces a streamed result has.
const PIECES: u64 = 4;

/// What the Runtime API answered.
struct Reply {
    /// The `Lambda-Runtime-Aws-Request-Id` header.
    request: String,
    body: Vec<u8>,
}

/// A runtime with its function, until it ends. It also ends when its connection closes.
pub(crate) async fn run(inside: Arc<Inside>) -> Exit {
    sleep(inside.script.init).await;
    if inside.script.fails {
        return Exit::Status(1);
    }
    serve(&inside).await.unwrap_or(Exit::Status(2))
}

async fn serve(inside: &Inside) -> io::Result<Exit> {
    let mut stream = inside.connect();
    loop {
        let reply = ask(&mut stream, "GET", "next", "", b"").await?;
        let event: Event = serde_json::from_slice(&reply.body)?;
        let runs = inside.ledger.begin(&inside.id, event.number);
        sleep(event.takes()).await;
        let result = Result {
            number: event.number,
            runs,
        };
        let result = serde_json::to_vec(&result)?;
        let answer = format!("{}/response", reply.request);
        match event.deed {
            Deed::Answer | Deed::AnswerAndExit => {
                inside.ledger.end(&inside.id);
                ask(&mut stream, "POST", &answer, "", &result).await?;
                if event.deed == Deed::AnswerAndExit {
                    return Ok(Exit::Status(0));
                }
            }
            Deed::Stream | Deed::BreakStream => {
                let broken = event.deed == Deed::BreakStream;
                let pieces = if broken { PIECES / 2 } else { PIECES };
                begin_stream(&mut stream, &answer).await?;
                for number in 0..pieces {
                    sleep(event.takes() / 4).await;
                    let of = result.len() as u64;
                    let (from, to) = (of * number / PIECES, of * (number + 1) / PIECES);
                    piece(&mut stream, &result[from as usize..to as usize]).await?;
                }
                if broken {
                    return Ok(Exit::Status(3));
                }
                inside.ledger.end(&inside.id);
                stream.write_all(b"0\r\n\r\n").await?;
                read(&mut stream).await?;
            }
            Deed::Fail => {
                inside.ledger.end(&inside.id);
                let error = format!("{}/error", reply.request);
                let kind = "lambda-runtime-function-error-type: Function.Failed\r\n";
                ask(
                    &mut stream,
                    "POST",
                    &error,
                    kind,
                    b"{\"errorType\":\"Failed\"}",
                )
                .await?;
            }
            Deed::Exit => return Ok(Exit::Status(4)),
            Deed::Swallow => {
                inside.run_out_of_memory();
                std::future::pending::<()>().await;
            }
            Deed::Hang => std::future::pending().await,
            Deed::Vanish => {
                inside.vanish();
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn ask(
    stream: &mut DuplexStream,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<Reply> {
    let head = format!(
        "{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    read(stream).await
}

async fn begin_stream(stream: &mut DuplexStream, path: &str) -> io::Result<()> {
    let head = format!(
        "POST /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nhost: x\r\n\
         lambda-runtime-function-response-mode: streaming\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await
}

async fn piece(stream: &mut DuplexStream, bytes: &[u8]) -> io::Result<()> {
    let head = format!("{:x}\r\n", bytes.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await
}

/// Reads a head and as much of a body as it says.
async fn read(stream: &mut DuplexStream) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let header = |name: &str| {
                let mut lines = head.lines();
                lines
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::trim)
            };
            let length = header("content-length:").and_then(|text| text.parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Ok(Reply {
                    request: header("lambda-runtime-aws-request-id:")
                        .unwrap_or_default()
                        .to_owned(),
                    body: bytes.split_off(end + 4),
                });
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
