//! The server under measurement.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal};
use types::{Clock as _, SystemClock};
use wire::sigv4::Signer;

use crate::Setup;
use crate::functions::Function;
use crate::http::{Answer, Connection};

/// Memory of measured functions: one whole processor, so that the quota measures nothing.
const MEMORY_MB: u32 = 1_769;

/// A running server with a data folder of its own.
pub(crate) struct Server {
    /// `None` if somebody else has started it.
    child: Option<Child>,
    pub(crate) address: String,
    /// Where events are taken on their own threads.
    pub(crate) events: String,
    key: (String, String),
    data: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(setup: &Setup) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        // Free a moment ago, and most likely still.
        let events = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut child = Command::new(&setup.server)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .env("LAMBENT_RUNTIMES_DIRECTORY", &setup.runtimes)
            // Lambda's rate limit of ten invokes a second for each concurrency is not measured here.
            .env("LAMBENT_ACCOUNT_CONCURRENCY", "100000")
            // Nor is how many environments this machine has memory for, if each used all it may.
            .env("LAMBENT_WORKER_MEMORY_MB", "262144")
            // Nor is that of the control plane: functions are made as fast as they can be.
            .env("LAMBENT_LIMITS_CONTROL_PLANE_PER_SECOND", "100000")
            .env("LAMBENT_EVENTS_LISTEN", &events)
            .env("LAMBENT_ADMIN_LISTEN", "127.0.0.1:0")
            .env("LAMBENT_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let out = child.stdout.take().context("the server has an output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("lambent ready at http://") else {
            bail!("the server did not start: {line:?}");
        };
        Ok(Self {
            child: Some(child),
            address: address.to_owned(),
            events,
            key: credentials(data.path())?,
            data,
        })
    }

    /// One that runs, whose root key is in a folder.
    pub(crate) fn running(address: &str, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            child: None,
            address: address.to_owned(),
            events: address.to_owned(),
            key: credentials(folder)?,
            data: tempfile::tempdir()?,
        })
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// 0 if it is another's.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// A complete signed request. It is valid for five minutes and can be sent any number of times.
    pub(crate) fn request(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.signed("lambda", (method, path, None), body)
    }

    /// A request to CloudWatch Logs.
    pub(crate) fn logs(&self, operation: &str, body: &str) -> anyhow::Result<Vec<u8>> {
        let target = format!("Logs_20140328.{operation}");
        self.signed("logs", ("POST", "/", Some(target)), body.as_bytes())
    }

    fn signed(
        &self,
        service: &str,
        (method, path, target): (&str, &str, Option<String>),
        body: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let request = http::Request::builder().method(method).uri(path);
        let mut request = request.header("host", &self.address);
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        let signer = Signer {
            access_key_id: &self.key.0,
            secret: &self.key.1,
            session_token: None,
            region: "us-east-1",
            service,
        };
        signer.sign(&mut parts, body, SystemClock.now());
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        for (name, value) in &parts.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        Ok(bytes)
    }

    /// The request that invokes a function.
    pub(crate) fn invoke(&self, name: &str, event: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.request(
            "POST",
            &format!("/2015-03-31/functions/{name}/invocations"),
            event,
        )
    }

    /// The request that has a function invoked later.
    pub(crate) fn event(&self, name: &str, event: &[u8]) -> anyhow::Result<Vec<u8>> {
        let path = format!("/2014-11-13/functions/{name}/invoke-async");
        self.request("POST", &path, event)
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(&self.address).await
    }

    async fn ask(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        self.connect()
            .await?
            .ask(&self.request(method, path, body)?)
            .await
    }

    /// Creates a function and waits until it is active. It is not invoked.
    pub(crate) async fn create(&self, name: &str, function: &Function) -> anyhow::Result<()> {
        let body = serde_json::json!({
            "FunctionName": name,
            "Runtime": function.runtime,
            "Handler": function.handler,
            "Role": "arn:aws:iam::000000000000:role/bench",
            "MemorySize": MEMORY_MB,
            "Timeout": 30,
            "Code": { "ZipFile": STANDARD.encode(function.zip()?) },
        });
        let answer = self
            .ask("POST", "/2015-03-31/functions", body.to_string().as_bytes())
            .await?;
        if answer.status != 201 {
            bail!(
                "{name} is not created: {}",
                String::from_utf8_lossy(&answer.body)
            );
        }
        for _ in 0..1_000 {
            let path = format!("/2015-03-31/functions/{name}/configuration");
            let answer = self.ask("GET", &path, b"").await?;
            let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
            if body["State"] == "Active" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("{name} does not become active")
    }

    /// Waits until all events are invoked.
    pub(crate) async fn drained(&self) -> anyhow::Result<()> {
        for _ in 0..6_000 {
            let answer = self.ask("GET", "/lambent/event-queues", b"").await?;
            let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
            let queues = body["Queues"].as_array().context("no list of queues")?;
            let left = |name: &str| {
                queues
                    .iter()
                    .filter_map(|queue| queue[name].as_u64())
                    .sum::<u64>()
            };
            if left("Waiting") + left("Hidden") == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("events are not invoked within a minute")
    }

    /// Processor time the server has used, milliseconds. Sandboxes count for themselves.
    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let fields: Vec<&str> = stat
            .rsplit_once(") ")
            .context("a stat line")?
            .1
            .split(' ')
            .collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        // USER_HZ is 100 on Linux.
        Ok(ticks * 10.0)
    }
}

/// The root key in a folder: id and secret.
fn credentials(folder: &Path) -> anyhow::Result<(String, String)> {
    let credentials = std::fs::read_to_string(folder.join("credentials"))?;
    let value = |name: &str| {
        let pairs = credentials
            .lines()
            .filter_map(|line| line.split_once(" = "));
        let found = pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, v)| v.to_owned())
            .next();
        found.with_context(|| format!("the credentials lack {name}"))
    };
    Ok((value("aws_access_key_id")?, value("aws_secret_access_key")?))
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked kindly, so that it cleans up; if that fails it is killed.
        let Some(child) = &mut self.child else {
            return;
        };
        let server = Pid::from_child(child);
        if rustix::process::kill_process(server, Signal::TERM).is_ok() {
            let _ = child.wait();
        } else {
            let _ = child.kill();
        }
    }
}
