//! Whether a cluster is as it must be for what is acknowledged there to be durable. How servers write to the disk is
//! told to users of their system account alone.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Client;
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::api::Pauses;
use crate::cluster::{self, Settings, Sync};
use crate::error::Error;
use storage::journal::APPEND_BYTES_MAX;

/// The first version that has all of what is used here.
const VERSION_MIN: (u64, u64) = (2, 15);
/// What a message takes at most: an append, and what travels with it.
const MAX_PAYLOAD: usize = APPEND_BYTES_MAX + 64 * 1024;
/// For how long servers that have just started are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how long their answers are collected.
const COLLECTED: Duration = Duration::from_secs(1);

/// What a server of the system account's tells of itself.
#[derive(Deserialize, Debug)]
struct Answer {
    server: Server,
    data: Option<Data>,
}

#[derive(Deserialize, Debug)]
struct Server {
    name: String,
    ver: String,
}

#[derive(Deserialize, Debug)]
struct Data {
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    meta_cluster: Option<Meta>,
}

#[derive(Deserialize, Debug)]
struct Config {
    #[serde(default)]
    sync_always: bool,
}

#[derive(Deserialize, Debug)]
struct Meta {
    cluster_size: usize,
}

/// Checks what every user can see, and what only the system account can, if we may ask it.
pub(crate) async fn check(client: &Client, settings: &Settings) -> Result<(), Error> {
    let info = client.server_info();
    check_version(&info.server_name, &info.version)?;
    if info.max_payload < MAX_PAYLOAD {
        return Err(Error::Unfit {
            finding: format!(
                "{} takes messages of {} bytes",
                info.server_name, info.max_payload
            ),
            remedy: "Set `max_payload: 8MB` in every server's configuration",
        });
    }
    let Sync::Asked(login) = &settings.sync else {
        return Ok(());
    };
    let system = cluster::connect(settings, Some(login)).await?;
    let mut pauses = Pauses::new(PATIENCE.min(settings.patience));
    loop {
        let answers = ask(&system).await?;
        let short = match judge(&answers, settings.replicas) {
            Err(short @ Error::Unfit { .. }) if answers.len() < settings.replicas => short,
            judgement => return judgement,
        };
        if !pauses.pause().await {
            return Err(short);
        }
    }
}

async fn ask(system: &Client) -> Result<Vec<Answer>, Error> {
    let silent = |error: String| Error::Silent(crate::error::Failure::Odd(error).into());
    let inbox = system.new_inbox();
    let subscribed = system.subscribe(inbox.clone()).await;
    let mut told = subscribed.map_err(|error| silent(error.to_string()))?;
    let asked = system.publish_with_reply("$SYS.REQ.SERVER.PING.JSZ", inbox, "{}".into());
    asked.await.map_err(|error| silent(error.to_string()))?;
    let end = Instant::now() + COLLECTED;
    let mut answers = BTreeMap::new();
    while let Ok(Some(message)) = timeout_at(end, told.next()).await {
        // One without JetStream, or that nobody is there.
        if let Ok(answer) = serde_json::from_slice::<Answer>(&message.payload) {
            let size = answer
                .data
                .as_ref()
                .and_then(|data| data.meta_cluster.as_ref());
            let size = size.map_or(1, |meta| meta.cluster_size);
            answers.insert(answer.server.name.clone(), answer);
            if answers.len() >= size {
                break;
            }
        }
    }
    Ok(answers.into_values().collect())
}

fn judge(answers: &[Answer], replicas: usize) -> Result<(), Error> {
    let mut size = 0;
    for answer in answers {
        let name = &answer.server.name;
        check_version(name, &answer.server.ver)?;
        let data = answer.data.as_ref();
        let config = data.and_then(|data| data.config.as_ref());
        if let Some(config) = config
            && !config.sync_always
        {
            return Err(Error::Unfit {
                finding: format!("{name} acknowledges writes before they are on its disk"),
                remedy: "Set `sync_interval: always` in the `jetstream` block of every server's configuration: \
                         otherwise acknowledged writes, even whole streams, are lost with the power",
            });
        }
        let cluster = data.and_then(|data| data.meta_cluster.as_ref());
        size = size.max(cluster.map_or(1, |cluster| cluster.cluster_size));
    }
    if size == 0 {
        return Err(Error::Unfit {
            finding: "its system account tells nothing of JetStream".to_owned(),
            remedy: "Give the user and password of a user of the system account, and enable JetStream",
        });
    }
    match size >= replicas {
        true => Ok(()),
        false => Err(too_few(Some(size), replicas)),
    }
}

/// There are fewer copies than are wanted.
pub(crate) fn too_few(has: Option<usize>, wanted: usize) -> Error {
    let has = has.map_or("fewer".to_owned(), |has| has.to_string());
    Error::Unfit {
        finding: format!("{wanted} copies of everything are asked for, and there are {has}"),
        remedy: "Start as many servers with JetStream in one cluster, and give existing streams as many replicas \
                 (`nats stream edit --replicas`), or ask for fewer",
    }
}

fn check_version(server: &str, version: &str) -> Result<(), Error> {
    let mut numbers = version.split(['.', '-']).map(str::parse::<u64>);
    let found = (numbers.next(), numbers.next());
    match found {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= VERSION_MIN => Ok(()),
        _ => Err(Error::Unfit {
            finding: format!("{server} is of version {version}"),
            remedy: "Install NATS 2.15 or newer on every server",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: &str, sync: bool, size: usize) -> Answer {
        let text = format!(
            r#"{{"server": {{"name": "n", "ver": "{version}"}},
                "data": {{"config": {{"sync_always": {sync}}}, "meta_cluster": {{"cluster_size": {size}}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn refusal(answers: &[Answer]) -> String {
        judge(answers, 3).unwrap_err().to_string()
    }

    #[test]
    fn an_unfit_cluster_is_refused_with_what_to_change() {
        let fit = || answer("2.15.1", true, 3);
        assert!(judge(&[fit(), fit()], 3).is_ok(), "one may be away");
        assert!(judge(&[answer("3.0.0-RC.1", true, 3)], 3).is_ok());
        let old = [fit(), answer("2.14.9", true, 3)];
        assert!(refusal(&old).contains("2.15 or newer"));
        let late = [fit(), answer("2.15.0", false, 3)];
        assert!(refusal(&late).contains("sync_interval: always"));
        assert!(refusal(&[answer("2.15.0", true, 2)]).contains("3 copies"));
        assert!(refusal(&[]).contains("system account"));
    }
}
