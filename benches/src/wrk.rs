//! What another client sees: `wrk` invokes echoes, alone and while functions compute.

use std::cell::Cell;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::Setup;
use crate::functions::Function;
use crate::load::closed_loop_while;
use crate::server::Server;

const EVENT: &[u8] = br#"{"key1":"value1","key2":"value2","key3":"value3"}"#;
const CONNECTIONS: [u32; 3] = [4, 16, 64];
const WARM_UP: Duration = Duration::from_secs(2);
const LASTS: Duration = Duration::from_secs(8);
/// Invokes of the function that computes, at once: one for each of two processors.
const COMPUTING: usize = 2;

/// What `wrk` measured; times in milliseconds.
struct Seen {
    rate: f64,
    p50: f64,
    p99: f64,
    p99_9: f64,
}

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<()> {
    println!("\n## Warm invokes by wrk\n");
    println!(
        "| echo | connections | alongside | invokes/s | p50 ms | p99 ms | p99.9 ms | p99 / p50 | p99 / alone |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for function in Function::echoes(setup)? {
        let server = Server::start(setup)?;
        server.create("echo", &function).await?;
        server
            .create("compute", &Function::python("app.compute"))
            .await?;
        let compute = server.invoke("compute", EVENT)?;
        for connections in CONNECTIONS {
            let request = server.invoke("echo", EVENT)?;
            let run = async |lasts| wrk(&server.address, &request, connections, lasts).await;
            run(WARM_UP).await?;
            let alone = run(LASTS).await?;
            row(function.language, connections, "nothing", &alone, &alone);
            let more = Cell::new(true);
            let beside = async {
                let seen = run(LASTS).await;
                more.set(false);
                seen
            };
            let computing = closed_loop_while(&server.address, &compute, COMPUTING, || more.get());
            let (beside, _) = tokio::try_join!(beside, computing)?;
            row(
                function.language,
                connections,
                "2 that compute",
                &beside,
                &alone,
            );
        }
    }
    Ok(())
}

fn row(language: &str, connections: u32, alongside: &str, seen: &Seen, alone: &Seen) {
    println!(
        "| {language} | {connections} | {alongside} | {:.0} | {:.3} | {:.3} | {:.3} | {:.2} | {:.2} |",
        seen.rate,
        seen.p50,
        seen.p99,
        seen.p99_9,
        seen.p99 / seen.p50,
        seen.p99 / alone.p99,
    );
}

/// Has `wrk` send a signed request over `connections` connections for a while.
async fn wrk(
    address: &str,
    request: &[u8],
    connections: u32,
    lasts: Duration,
) -> anyhow::Result<Seen> {
    let mut script = tempfile::NamedTempFile::new()?;
    script.write_all(lua(request)?.as_bytes())?;
    let seconds = lasts.as_secs();
    let output = Command::new("wrk")
        .arg("-t1")
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .arg("-s")
        .arg(script.path())
        .arg(format!("http://{address}"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("wrk cannot be started; Debian has it as a package")?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// The script that has `wrk` send these bytes and print what was seen.
fn lua(request: &[u8]) -> anyhow::Result<String> {
    let text = std::str::from_utf8(request)?;
    let (head, body) = text.split_once("\r\n\r\n").context("a head")?;
    let mut lines = head.lines();
    let start = lines.next().context("a first line")?;
    let mut parts = start.split(' ');
    let (method, path) = parts.next().zip(parts.next()).context("method and path")?;
    let mut script = format!("wrk.method={method:?}\nwrk.path={path:?}\nwrk.body={body:?}\n");
    for line in lines {
        let (name, value) = line.split_once(": ").context("a header")?;
        // These it writes itself.
        if !["content-length", "host"].contains(&name) {
            script += &format!("wrk.headers[{name:?}]={value:?}\n");
        }
    }
    script += r#"done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("SEEN %d %d %d %.0f %.0f %.0f\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"#;
    Ok(script)
}

fn parse(output: &str) -> anyhow::Result<Seen> {
    let line = output.lines().find_map(|line| line.strip_prefix("SEEN "));
    let numbers: Option<Vec<f64>> = line.and_then(|line| {
        let numbers = line.split(' ').map(|number| number.parse().ok());
        numbers.collect()
    });
    let Some([requests, micros, errors, p50, p99, p99_9]) = numbers.as_deref() else {
        bail!("wrk did not say what it saw: {output}");
    };
    if *errors > 0.0 {
        bail!("{errors} requests failed");
    }
    Ok(Seen {
        rate: requests / (micros / 1e6),
        p50: p50 / 1_000.0,
        p99: p99 / 1_000.0,
        p99_9: p99_9 / 1_000.0,
    })
}
