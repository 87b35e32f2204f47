//! `lambent workers` and `lambent drain`: the machines that run functions, and how one is emptied.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use crate::cli;
use crate::client::Client;
use crate::commands::{block_on, succeeded};
use crate::events::{ask, json};
use crate::terminal::{self, one_line, say};

/// Where workers are listed.
const WORKERS: &str = "/lambent/workers";
/// How often it is looked whether a host has drained.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The characters of a worker's id that are shown: of its random part.
const ID_SHOWN: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Workers {
    workers: Vec<Worker>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Worker {
    worker: String,
    host: String,
    zone: String,
    version: String,
    state: String,
    committed_mb: u64,
    used_mb: u64,
    memory_mb: u64,
    busy: u64,
    idle: u64,
    silent_ms: u64,
}

/// `lambent workers`: one line each.
pub(crate) fn workers(options: &cli::Workers) -> anyhow::Result<ExitCode> {
    let body = ask(&options.client, Method::GET, WORKERS)?;
    if options.json {
        return json(&body);
    }
    say!(
        "{:<24} {:<8} {:<8} {:<10} {:<8} {:>24} {:>5} {:>5} {:>7}",
        "HOST",
        "ZONE",
        "WORKER",
        "VERSION",
        "STATE",
        "COMMITTED/USED/TOTAL MB",
        "BUSY",
        "IDLE",
        "HEARD"
    );
    for worker in parse(&body)? {
        let memory = format!(
            "{}/{}/{}",
            worker.committed_mb, worker.used_mb, worker.memory_mb
        );
        say!(
            "{:<24} {:<8} {:<8} {:<10} {:<8} {memory:>24} {:>5} {:>5} {:>5.1} s",
            one_line(&worker.host),
            one_line(&worker.zone),
            one_line(short(&worker.worker)),
            one_line(&worker.version),
            one_line(&worker.state),
            worker.busy,
            worker.idle,
            Duration::from_millis(worker.silent_ms).as_secs_f64()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// `lambent drain`: tells a host, and waits until it is empty.
pub(crate) fn drain(options: &cli::Drain) -> anyhow::Result<ExitCode> {
    let host = &options.host;
    let path = format!("/lambent/drains/{}", wire::uri::encode(host));
    if options.undo {
        ask(&options.client, Method::DELETE, &path)?;
        say!("{} drains no more", one_line(host));
        return Ok(ExitCode::SUCCESS);
    }
    ask(&options.client, Method::PUT, &path)?;
    if options.no_wait {
        say!("{} drains", one_line(host));
        return Ok(ExitCode::SUCCESS);
    }
    let client = Client::new(&options.client)?;
    block_on(async {
        let mut told = None;
        loop {
            let sent = client
                .send((Method::GET, WORKERS), &[], Bytes::new())
                .await?;
            let workers = parse(succeeded(sent)?.body())?;
            let left = left(&workers, host);
            if left == Some(0) {
                break;
            }
            if told != Some(left) {
                told = Some(left);
                show(host, left);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if std::io::stderr().is_terminal() {
            terminal::wipe(std::io::stderr());
        }
        say!("{} is drained", one_line(host));
        Ok(ExitCode::SUCCESS)
    })
}

/// How many environments a host has left; `None` while a worker there has not heard that it drains. One that is silent has
/// none: whatever ran there is lost.
fn left(workers: &[Worker], host: &str) -> Option<u64> {
    let here = workers.iter();
    let mut here = here.filter(|worker| worker.host == host && worker.state != "silent");
    here.try_fold(0, |left, worker| {
        (worker.state == "draining").then_some(left + worker.busy + worker.idle)
    })
}

fn show(host: &str, left: Option<u64>) {
    let text = match left {
        None => format!("{}: waiting for its worker", one_line(host)),
        Some(1) => format!("{}: 1 environment left", one_line(host)),
        Some(left) => format!("{}: {left} environments left", one_line(host)),
    };
    match std::io::stderr().is_terminal() {
        true => {
            terminal::wipe(std::io::stderr());
            terminal::progress(&text);
        }
        false => say!("{text}"),
    }
}

fn parse(body: &[u8]) -> anyhow::Result<Vec<Worker>> {
    let answer: Workers =
        serde_json::from_slice(body).context("the answer is not a list of workers")?;
    Ok(answer.workers)
}

/// `worker-1234abcd-…` is shown as `1234abcd`.
fn short(id: &str) -> &str {
    let random = id.strip_prefix("worker-").unwrap_or(id);
    random.get(..ID_SHOWN).unwrap_or(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(host: &str, state: &str, environments: u64) -> Worker {
        Worker {
            worker: "worker-1234abcd-0000".to_owned(),
            host: host.to_owned(),
            zone: String::new(),
            version: String::new(),
            state: state.to_owned(),
            committed_mb: 0,
            used_mb: 0,
            memory_mb: 0,
            busy: environments,
            idle: 1,
            silent_ms: 0,
        }
    }

    #[test]
    fn a_host_is_empty_when_all_its_workers_that_live_drain_and_have_nothing() {
        let other = worker("h2", "ready", 7);
        assert_eq!(left(&[other], "h1"), Some(0));
        let both = [worker("h1", "draining", 2), worker("h1", "silent", 7)];
        assert_eq!(left(&both, "h1"), Some(3));
        let both = [worker("h1", "draining", 2), worker("h1", "ready", 0)];
        assert_eq!(left(&both, "h1"), None);
    }

    #[test]
    fn ids_are_shown_by_their_random_part() {
        assert_eq!(short("worker-1234abcd-0000"), "1234abcd");
        assert_eq!(short("ä"), "ä");
    }
}
