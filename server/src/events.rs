//! `lambent queues` and `lambent events`: the state of asynchronous invokes.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use crate::cli;
use crate::client::Client;
use crate::commands::{block_on, succeeded};
use crate::terminal::{self, complain, one_line, say};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Queues {
    queues: Vec<Queue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Queue {
    queue: String,
    waiting: u64,
    hidden: u64,
    oldest_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Events {
    pending: Vec<Event>,
    failed: Vec<Event>,
    incomplete: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    request_id: String,
    accepted: String,
    invokes: u32,
    last: Option<String>,
    delivering: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Redriven {
    redriven: u64,
}

/// `lambent queues`: one line each.
pub(crate) fn queues(options: &cli::Queues) -> anyhow::Result<ExitCode> {
    let body = ask(&options.client, Method::GET, "/lambent/event-queues")?;
    if options.json {
        return json(&body);
    }
    let answer: Queues =
        serde_json::from_slice(&body).context("the answer is not a list of queues")?;
    let mut text = line("QUEUE", &["WAITING", "HIDDEN", "OLDEST"]);
    for queue in answer.queues {
        let oldest = Duration::from_millis(queue.oldest_ms);
        let oldest = match queue.waiting {
            0 => "-".to_owned(),
            _ => format!("{:.1} s", oldest.as_secs_f64()),
        };
        let numbers = [queue.waiting.to_string(), queue.hidden.to_string(), oldest];
        text += &line(
            &one_line(&queue.queue),
            &numbers.each_ref().map(String::as_str),
        );
    }
    print(text.as_bytes())
}

/// `lambent events`: one line each; with `--redrive`, how many were sent again.
pub(crate) fn events(options: &cli::Events) -> anyhow::Result<ExitCode> {
    let path = format!("/lambent/events/{}", wire::uri::encode(&options.function));
    if options.redrive {
        let body = ask(&options.client, Method::POST, &format!("{path}/redrive"))?;
        if options.json {
            return json(&body);
        }
        let answer: Redriven = serde_json::from_slice(&body).context("the answer has no number")?;
        return print(format!("{} sent again\n", answer.redriven).as_bytes());
    }
    let body = ask(&options.client, Method::GET, &path)?;
    if options.json {
        return json(&body);
    }
    let answer: Events =
        serde_json::from_slice(&body).context("the answer is not a list of events")?;
    let mut text = format!(
        "{:<10} {:<24} {:>7}  {:<36}  LAST\n",
        "STATE", "ACCEPTED", "INVOKES", "REQUEST"
    );
    let rows = |state: &'static str, events: Vec<Event>| {
        events.into_iter().map(move |event| (state, event))
    };
    for (state, event) in rows("pending", answer.pending).chain(rows("failed", answer.failed)) {
        let state = match (state, event.delivering) {
            ("pending", true) => "delivering",
            (state, _) => state,
        };
        text += &format!(
            "{state:<10} {:<24} {:>7}  {:<36}  {}\n",
            one_line(&event.accepted),
            event.invokes,
            one_line(&event.request_id),
            one_line(event.last.unwrap_or_default().trim_end()),
        );
    }
    print(text.as_bytes())?;
    if answer.incomplete {
        complain!("there may be more: only the first events of each queue were read");
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer's body.
pub(crate) fn ask(options: &cli::Client, method: Method, path: &str) -> anyhow::Result<Bytes> {
    let client = Client::new(options)?;
    let sent = block_on(client.send((method, path), &[], Bytes::new()))?;
    Ok(succeeded(sent)?.into_body())
}

fn line(name: &str, [waiting, hidden, oldest]: &[&str; 3]) -> String {
    format!("{name:<60} {waiting:>9} {hidden:>9} {oldest:>11}\n")
}

fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    // Server's text, whose lines are rows: what is in them is on its line already.
    let text = String::from_utf8_lossy(text);
    say!("{}", text.strip_suffix('\n').unwrap_or(&text));
    Ok(ExitCode::SUCCESS)
}

/// The answer as it came.
pub(crate) fn json(body: &[u8]) -> anyhow::Result<ExitCode> {
    let mut line = body.to_vec();
    if !line.ends_with(b"\n") {
        line.push(b'\n');
    }
    terminal::result(&line);
    Ok(ExitCode::SUCCESS)
}
