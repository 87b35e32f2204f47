//! The commands for use at a terminal.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Response};
use serde::Deserialize;

use crate::access::{Access, Source};
use crate::cli;
use crate::client::Client;
use crate::terminal::{self, complain, say};

/// Functions of one page of a list.
const PAGE: u32 = 50;

/// `lambent invoke`: the result on standard output; exit code 1 if the function failed. Of an event
/// the request's id.
pub(crate) fn invoke(options: &cli::Invoke) -> anyhow::Result<ExitCode> {
    let payload = payload(&options.payload)?;
    let client = Client::new(&options.client)?;
    let name = wire::uri::encode(&options.function);
    let path = format!("/2015-03-31/functions/{name}/invocations");
    if options.event {
        let headers = [("x-amz-invocation-type", "Event")];
        let response = block_on(client.send((Method::POST, &path), &headers, payload))?;
        let response = succeeded(response)?;
        let id = response.headers().get("x-amzn-requestid");
        let id = id.and_then(|value| value.to_str().ok());
        say!("{}", id.context("the answer names no request")?);
        return Ok(ExitCode::SUCCESS);
    }
    let log_type = if options.tail { "Tail" } else { "None" };
    let headers = [("x-amz-log-type", log_type)];
    let sent = client.send((Method::POST, &path), &headers, payload);
    let response = succeeded(block_on(with_progress(&options.function, sent))?)?;
    if let Some(tail) = response.headers().get("x-amz-log-result") {
        let tail = STANDARD
            .decode(tail)
            .context("the log in the answer is not base64")?;
        complain!("{}", String::from_utf8_lossy(&tail).trim_end_matches('\n'));
    }
    terminal::result(response.body());
    let failed = response.headers().contains_key("x-amz-function-error");
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Functions {
    functions: Vec<Function>,
    next_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Function {
    function_name: String,
    runtime: Option<String>,
    memory_size: u32,
    timeout: u32,
    last_modified: String,
}

/// `lambent functions`: one line each.
pub(crate) fn functions(options: &cli::Client) -> anyhow::Result<ExitCode> {
    let client = Client::new(options)?;
    say!(
        "{:<40} {:<16} {:>7} {:>7}  MODIFIED",
        "FUNCTION",
        "RUNTIME",
        "MEMORY",
        "TIMEOUT"
    );
    block_on(async {
        let mut marker: Option<String> = None;
        loop {
            let mut path = format!("/2015-03-31/functions?MaxItems={PAGE}");
            if let Some(marker) = marker {
                path = format!("{path}&Marker={}", wire::uri::encode(&marker));
            }
            let response = client.send((Method::GET, &path), &[], Bytes::new()).await?;
            let page: Functions = serde_json::from_slice(succeeded(response)?.body())
                .context("the answer is not a list of functions")?;
            for function in page.functions {
                say!(
                    "{:<40} {:<16} {:>4} MB {:>5} s  {}",
                    function.function_name,
                    function.runtime.unwrap_or_default(),
                    function.memory_size,
                    function.timeout,
                    function.last_modified
                );
            }
            marker = match page.next_marker {
                Some(next) if !next.is_empty() && !terminal::is_lost() => Some(next),
                _ => return Ok(ExitCode::SUCCESS),
            };
        }
    })
}

/// `lambent env`: `eval "$(lambent env)"` points AWS clients here. A key of the environment is there already.
pub(crate) fn env(options: &cli::Client) -> anyhow::Result<ExitCode> {
    let access = Access::of(options)?;
    let export = |name: &str, value: &str| {
        let value = value.replace('\'', "'\\''");
        say!("export {name}='{value}'");
    };
    export("AWS_ENDPOINT_URL", &access.url);
    match &access.source {
        Source::Variables => {}
        Source::Profile(name) => export("AWS_PROFILE", name),
        Source::Folder(file) => {
            let path = file.canonicalize();
            let path = path.with_context(|| format!("{} cannot be found", file.display()))?;
            export("AWS_SHARED_CREDENTIALS_FILE", &path.display().to_string());
        }
    }
    export("AWS_REGION", access.region.as_str());
    Ok(ExitCode::SUCCESS)
}

/// Tells a person at a terminal, after a second, that there is something to wait for.
async fn with_progress<T>(function: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    for seconds in 1.. {
        tokio::select! {
            biased;
            done = work.as_mut() => {
                // The line is wiped before the result is printed.
                if seconds > 1 {
                    terminal::wipe(std::io::stderr());
                }
                return done;
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                terminal::progress(&format!("{function} runs: {seconds} s"));
            }
        }
    }
    work.await
}

fn payload(text: &str) -> anyhow::Result<Bytes> {
    if text == "-" {
        let mut all = Vec::new();
        std::io::stdin()
            .read_to_end(&mut all)
            .context("standard input cannot be read")?;
        return Ok(all.into());
    }
    if let Some(path) = text.strip_prefix('@') {
        let all = std::fs::read(path).with_context(|| format!("{path} cannot be read"))?;
        return Ok(all.into());
    }
    Ok(text.to_owned().into_bytes().into())
}

/// The answer, unless it is an error of the service: then its name and words.
pub(crate) fn succeeded(response: Response<Bytes>) -> anyhow::Result<Response<Bytes>> {
    if response.status().is_success() {
        return Ok(response);
    }
    let name = response
        .headers()
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok());
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let message = body.get("message").or_else(|| body.get("Message"));
    let message = message
        .and_then(|message| message.as_str())
        .unwrap_or_default();
    let kind = body.get("__type").and_then(|kind| kind.as_str());
    let status = response.status();
    let name = name.or(kind).unwrap_or(status.as_str());
    bail!("{name}: {message}")
}

pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .context("no runtime could be started")?
        .block_on(work)
}
