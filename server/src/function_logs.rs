//! `lambent logs`: what a function has logged, read through CloudWatch Logs' API, wherever the server is.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use types::Timestamp;

use crate::cli;
use crate::client::Client;
use crate::commands::{block_on, succeeded};
use crate::terminal::{self, say};

/// How often `--follow` looks for more.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// Events come in the order of their streams: one may be written so much later than another with a later time.
const LATE_MS: u64 = 2_000;
const FILTER: &str = "Logs_20140328.FilterLogEvents";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_id: String,
    timestamp: u64,
    message: String,
}

/// What has been shown, as far back as something late may still come.
#[derive(Default)]
struct Shown {
    latest: u64,
    recent: BTreeSet<(u64, String)>,
}

/// `lambent logs`: all that is kept of a function's log, in order of time.
pub(crate) fn logs(options: &cli::Logs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&options.client)?;
    block_on(async {
        let group = group_of(&client, &options.function).await?;
        let mut shown = Shown::default();
        loop {
            let found = show(&client, &group, &mut shown).await?;
            if !options.follow {
                if !found && shown.latest == 0 {
                    bail!("{group} has no log");
                }
                return Ok(ExitCode::SUCCESS);
            }
            if terminal::is_lost() {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    })
}

/// Shows what has come since. Whether there is such a group.
async fn show(client: &Client, group: &str, shown: &mut Shown) -> anyhow::Result<bool> {
    let since = shown.latest.saturating_sub(LATE_MS);
    let mut token: Option<String> = None;
    loop {
        let mut ask = json!({"logGroupName": group, "startTime": since});
        if let Some(token) = token {
            ask["nextToken"] = Value::String(token);
        }
        let sent = filter(client, &ask).await?;
        if is_not_found(&sent) {
            return Ok(false);
        }
        let page: Page = serde_json::from_slice(succeeded(sent)?.body())
            .context("the answer is not a page of log events")?;
        for event in page.events {
            if shown.is_new(&event) {
                let time = Timestamp::from_millis(event.timestamp).to_iso_text();
                say!("{}", entry(&time, &event.message));
            }
        }
        token = match page.next_token {
            Some(next) if !terminal::is_lost() => Some(next),
            _ => return Ok(true),
        };
    }
}

async fn filter(client: &Client, ask: &Value) -> anyhow::Result<Response<Bytes>> {
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", FILTER),
    ];
    let body = Bytes::from(ask.to_string());
    let request = (Method::POST, "/");
    client.send_as("logs", request, &headers, body).await
}

fn is_not_found(answer: &Response<Bytes>) -> bool {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    !answer.status().is_success()
        && body
            .get("__type")
            .is_some_and(|kind| kind == "ResourceNotFoundException")
}

/// The group that a function logs to: the one that it names. Of a function that is gone, or that the caller may
/// not look at, its own.
async fn group_of(client: &Client, function: &str) -> anyhow::Result<String> {
    let path = format!(
        "/2015-03-31/functions/{}/configuration",
        wire::uri::encode(function)
    );
    let answer = client.send((Method::GET, &path), &[], Bytes::new()).await?;
    if answer.status().is_success() {
        let configuration: Value = serde_json::from_slice(answer.body())
            .context("the answer is not a function configuration")?;
        let group = configuration.pointer("/LoggingConfig/LogGroup");
        if let Some(group) = group.and_then(Value::as_str) {
            return Ok(group.to_owned());
        }
    }
    let name = match function.split_once(":function:") {
        Some((_, name)) => name,
        None => function,
    };
    let name = name.split(':').next().unwrap_or(name);
    Ok(format!("/aws/lambda/{name}"))
}

impl Shown {
    fn is_new(&mut self, event: &Event) -> bool {
        self.latest = self.latest.max(event.timestamp);
        let oldest = self.latest.saturating_sub(LATE_MS);
        // What is older is not asked for again.
        self.recent = self.recent.split_off(&(oldest, String::new()));
        self.recent
            .insert((event.timestamp, event.event_id.clone()))
    }
}

/// A log event as it is printed. What follows its first line stands beneath it, so that none looks like an
/// event of its own.
fn entry(time: &str, message: &str) -> String {
    let beneath = format!("\n{:width$}", "", width = time.len() + 1);
    let text = message.trim_end_matches('\n').replace('\n', &beneath);
    format!("{time} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_logs_is_not_obeyed_and_looks_like_no_other_event() {
        let message = "a\u{1b}]0;b\u{7}\n2026-01-01T00:00:00.000Z forged\r\n";
        let text = entry("2026-11-30T07:00:00.000Z", message);
        let printed = terminal::visible(&text);
        let mut lines = printed.lines();
        assert_eq!(
            lines.next(),
            Some("2026-11-30T07:00:00.000Z a\\u{1b}]0;b\\u{7}")
        );
        let second = lines.next().unwrap();
        assert!(
            second.starts_with("      ") && second.ends_with("forged\\r"),
            "{second}"
        );
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn an_event_is_shown_once_also_when_it_comes_late() {
        let event = |timestamp, id: &str| Event {
            event_id: id.to_owned(),
            timestamp,
            message: String::new(),
        };
        let mut shown = Shown::default();
        assert!(shown.is_new(&event(10_000, "a")));
        assert!(shown.is_new(&event(10_000, "b")));
        assert!(!shown.is_new(&event(10_000, "a")));
        assert!(shown.is_new(&event(9_000, "late")));
        assert!(!shown.is_new(&event(9_000, "late")));
        assert!(shown.is_new(&event(60_000, "c")));
        assert_eq!(shown.recent.len(), 1);
    }
}
