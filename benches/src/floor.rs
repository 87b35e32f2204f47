//! The floor: the same runtime and handler, no sandbox, behind a loop that speaks the Runtime API
//! and nothing else.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::Setup;
use crate::functions::Function;
use crate::load::Figures;

/// A runtime's process that has asked for its first event.
pub(crate) struct Bare {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// From the start of the process to its first request.
    pub(crate) started_in: Duration,
    _child: Child,
    _folder: tempfile::TempDir,
}

impl Bare {
    pub(crate) async fn start(setup: &Setup, function: &Function) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        function.lay_out(folder.path())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut command = command(setup, function, folder.path())?;
        command
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
            .env("_HANDLER", function.handler)
            .env("LAMBDA_TASK_ROOT", folder.path())
            .env("AWS_LAMBDA_FUNCTION_NAME", "floor")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "floor")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "floor")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            // It complains when its server goes away at the end.
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().context("the runtime cannot be started")?;
        let limit = Duration::from_secs(10);
        let accepted = tokio::time::timeout(limit, listener.accept()).await;
        let (stream, _) = accepted.context("the runtime does not connect")??;
        stream.set_nodelay(true)?;
        let mut bare = Self {
            stream,
            buffer: Vec::new(),
            started_in: Duration::ZERO,
            _child: child,
            _folder: folder,
        };
        bare.read("GET").await?;
        bare.started_in = began.elapsed();
        Ok(bare)
    }

    /// Gives it events one after another for a while.
    pub(crate) async fn measure(
        &mut self,
        event: &[u8],
        lasts: Duration,
    ) -> anyhow::Result<Figures> {
        let mut times = Vec::new();
        let began = Instant::now();
        while began.elapsed() < lasts {
            let given = Instant::now();
            self.invoke(event).await?;
            times.push(given.elapsed());
            // The answer to the post, and the next request: not of the caller's time.
            let ok = b"HTTP/1.1 202 Accepted\r\ncontent-length: 16\r\n\r\n{\"status\":\"OK\"}\n";
            self.stream.write_all(ok).await?;
            self.read("GET").await?;
        }
        Ok(Figures::new(times, began.elapsed()))
    }

    async fn invoke(&mut self, event: &[u8]) -> anyhow::Result<()> {
        let deadline = "9999999999999";
        let mut head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
             lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
             lambda-runtime-deadline-ms: {deadline}\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:f\r\n\
             lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n\
             content-length: {}\r\n\r\n",
            event.len()
        )
        .into_bytes();
        head.extend_from_slice(event);
        self.stream.write_all(&head).await?;
        self.read("POST").await
    }

    /// Reads one request, which must be of this method.
    async fn read(&mut self, method: &str) -> anyhow::Result<()> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..at]).to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(Ok(0), str::parse)?;
                if self.buffer.len() >= at + 4 + length {
                    let rest = self.buffer.split_off(at + 4 + length);
                    let said = std::mem::replace(&mut self.buffer, rest);
                    if !said.starts_with(method.as_bytes()) || head.contains("/error") {
                        bail!("the runtime said {}", String::from_utf8_lossy(&said));
                    }
                    return Ok(());
                }
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the runtime hung up");
            }
        }
    }
}

/// A command that inherits nothing of this process's environment.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// The runtime's command, as its `runtime.toml` says it, with the runtime's folder where it is.
fn command(setup: &Setup, function: &Function, task: &Path) -> anyhow::Result<Command> {
    let family: String = function
        .runtime
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    if family == "provided" {
        return Ok(bare(&task.join("bootstrap")));
    }
    let folder = setup.runtimes.join(&family);
    let text = std::fs::read_to_string(folder.join("runtime.toml"))?;
    let table: toml::Table = text.parse()?;
    let words = |name: &str| -> Vec<String> {
        let array = table
            .get(name)
            .and_then(toml::Value::as_array)
            .cloned()
            .unwrap_or_default();
        array
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    };
    let interpreters = words("interpreters");
    let interpreter = interpreters.iter().find(|path| Path::new(path).exists());
    let here = folder.display().to_string();
    let fill = |text: &str| {
        text.replace("{interpreter}", interpreter.map_or("", String::as_str))
            .replace("{memory_mb}", "1769")
            .replace("{heap_mb}", "1500")
            .replace("{semi_mb}", "88")
            .replace("/var/runtime", &here)
    };
    let words: Vec<String> = words("command").iter().map(|word| fill(word)).collect();
    let (program, arguments) = words.split_first().context("a runtime without a command")?;
    let mut command = bare(Path::new(program));
    command.args(arguments);
    for (key, value) in table
        .get("environment")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
    {
        command.env(key, fill(value.as_str().unwrap_or_default()));
    }
    Ok(command)
}
