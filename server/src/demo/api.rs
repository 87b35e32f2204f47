//! Calls through front doors, signed with the root access key.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use api::Secret;
use aws::{Endpoint, Keys, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};
use types::{Region, SystemClock};

use super::parts::package;
use crate::commands::succeeded;
use crate::config::Config;
use crate::data_dir;

/// The function of the demo: says which request it serves, and takes some time.
pub(super) const FUNCTION: &str = "hello";
const CODE: &str = "import time

def handler(event, context):
    print('served', event['number'])
    time.sleep(0.02)
    return {'number': event['number']}
";
const ACTIVE_WITHIN: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// See the module.
pub(super) struct Api {
    client: aws::Client,
    keys: Keys,
    region: Region,
}

impl Api {
    /// With the root access key of a folder.
    pub(super) fn new(secrets: &Path) -> anyhow::Result<Self> {
        let key = data_dir::read_root_key(secrets)?;
        Ok(Self {
            client: aws::Client::patient(Arc::new(SystemClock), PATIENCE),
            keys: Keys {
                access_key_id: key.id,
                secret: Secret::new(key.secret),
                session_token: None,
            },
            region: Config::default().account.region,
        })
    }

    async fn call(
        &self,
        door: &Endpoint,
        service: &str,
        (method, target): (Method, &str),
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Response<Bytes>, aws::Error> {
        let request = Request {
            endpoint: door,
            service,
            region: &self.region,
            keys: Some(&self.keys),
            method,
            target,
            headers,
            body,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        self.client.send(request).await
    }

    /// Creates the function, and waits until it can be invoked.
    pub(super) async fn deploy(&self, door: &Endpoint, folder: &Path) -> anyhow::Result<()> {
        let code = package(folder, "app.py", CODE)?;
        let wanted = json!({
            "FunctionName": FUNCTION,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": "arn:aws:iam::000000000000:role/demo",
            "Timeout": 10,
            "Code": {"ZipFile": STANDARD.encode(code)},
        });
        let create = (Method::POST, "/2015-03-31/functions");
        let body = Bytes::from(wanted.to_string());
        succeeded(self.call(door, "lambda", create, &[], body).await?)?;
        let target = format!("/2015-03-31/functions/{FUNCTION}/configuration");
        let deadline = Instant::now() + ACTIVE_WITHIN;
        loop {
            let get = (Method::GET, target.as_str());
            let answer = self.call(door, "lambda", get, &[], Bytes::new()).await?;
            let found: Value = serde_json::from_slice(succeeded(answer)?.body())?;
            match found["State"].as_str() {
                Some("Active") => return Ok(()),
                Some("Pending") if Instant::now() < deadline => {}
                _ => bail!("the function does not become active: {found}"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Invokes it, as an event or for its result. An answer is whatever was answered.
    pub(super) async fn invoke(
        &self,
        door: &Endpoint,
        number: u64,
        event: bool,
    ) -> Result<Response<Bytes>, aws::Error> {
        let target = format!("/2015-03-31/functions/{FUNCTION}/invocations");
        let kind = match event {
            true => "Event",
            false => "RequestResponse",
        };
        let headers = [("x-amz-invocation-type", kind)];
        let body = Bytes::from(json!({ "number": number }).to_string());
        let invoke = (Method::POST, target.as_str());
        self.call(door, "lambda", invoke, &headers, body).await
    }

    /// The numbers of all requests that were served, each as often as it was, from the function's log.
    pub(super) async fn served(&self, door: &Endpoint) -> anyhow::Result<Vec<u64>> {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "Logs_20140328.FilterLogEvents"),
        ];
        let mut ask = json!({
            "logGroupName": format!("/aws/lambda/{FUNCTION}"),
            "filterPattern": "served",
        });
        let mut numbers = Vec::new();
        loop {
            let body = Bytes::from(ask.to_string());
            let answer = self.call(door, "logs", (Method::POST, "/"), &headers, body);
            let page: Value = serde_json::from_slice(succeeded(answer.await?)?.body())?;
            let events = page["events"].as_array().context("no events")?;
            let lines = events.iter().filter_map(|event| event["message"].as_str());
            numbers.extend(lines.filter_map(number_of));
            match page["nextToken"].as_str() {
                Some(next) => ask["nextToken"] = next.into(),
                None => return Ok(numbers),
            }
        }
    }
}

/// Of a line that the function has printed.
fn number_of(line: &str) -> Option<u64> {
    line.trim().strip_prefix("served ")?.parse().ok()
}

/// Why an answer is no success.
pub(super) fn failure(answer: &Response<Bytes>, event: bool) -> Option<String> {
    let wanted = if event { 202 } else { 200 };
    let failed = answer.headers().contains_key("x-amz-function-error");
    if answer.status() == wanted && !failed {
        return None;
    }
    let body = String::from_utf8_lossy(answer.body());
    Some(format!("{}: {body}", answer.status()))
}

/// What an address answers that nobody signs for: the text, if it is well.
pub(super) async fn plain(client: &aws::Client, url: &str, target: &str) -> Option<String> {
    let endpoint = Endpoint::parse(url).ok()?;
    let region = Config::default().account.region;
    let answer = client.send(Request {
        endpoint: &endpoint,
        service: "",
        region: &region,
        keys: None,
        method: Method::GET,
        target,
        headers: &[],
        body: Bytes::new(),
        answer_bytes_max: ANSWER_BYTES_MAX,
    });
    let answer = answer.await.ok()?;
    let well = answer.status().is_success();
    well.then(|| String::from_utf8_lossy(answer.body()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_lines() {
        assert_eq!(number_of("served 17\n"), Some(17));
        assert_eq!(number_of("REPORT RequestId"), None);
        assert_eq!(number_of("served x"), None);
    }
}
