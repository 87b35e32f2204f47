//! What a host that joins is given: the settings that the cluster has in common, and the secrets that its roles need.
//!
//! A worker runs what is hostile: it gets no access to NATS, no master key, and no one's access keys.

use std::path::Path;

use anyhow::Context as _;
use api::Secret;
use api::enrolment::Holder;
use authority::Welcome;
use data_encoding::BASE64;
use toml::{Table, Value};
use types::Role;

use super::folder::{CREDENTIALS, SECRET};
use crate::config::Config;
use crate::process::WITH_KEYS;

/// What each host has of its own.
const OWN: [&[&str]; 7] = [
    &["data_dir"],
    &["worker", "zone"],
    &["cluster", "directory"],
    &["cluster", "roles"],
    &["cluster", "listen"],
    &["cluster", "address"],
    &["cluster", "join"],
];
/// What a worker alone is told.
const OF_WORKERS: [&str; 13] = [
    "account",
    "admin",
    "assignment",
    "limits",
    "functions",
    "file_systems",
    "runtimes",
    "streaming",
    "sandbox",
    "worker",
    "logs",
    "disk",
    "cluster",
];

/// What a holder is given by a process with this configuration.
pub(super) fn welcome(config: &Config, holder: &Holder) -> anyhow::Result<Welcome> {
    let folder = &config.cluster.directory;
    let with_keys = WITH_KEYS.iter().any(|role| holder.roles.contains(role));
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let mut welcome = Welcome {
        configuration: Secret::new(configuration(config, holder)?),
        secret: None,
        credentials: None,
    };
    if with_keys {
        welcome.secret = Some(Secret::new(BASE64.encode(&read(SECRET)?)));
        let text = String::from_utf8(read(CREDENTIALS)?);
        welcome.credentials = Some(Secret::new(text.context("the credentials are no text")?));
    }
    Ok(welcome)
}

/// The settings that differ from the defaults, without those that are this host's own.
fn configuration(config: &Config, holder: &Holder) -> anyhow::Result<String> {
    let mut table = Table::try_from(config).context("the settings are not TOML")?;
    let defaults = Table::try_from(Config::default()).context("the defaults are not TOML")?;
    for path in OWN {
        remove(&mut table, path);
    }
    if holder.roles.iter().all(|role| *role == Role::Worker) {
        table.retain(|section, _| OF_WORKERS.contains(&section));
        remove(&mut table, &["cluster", "nats"]);
    }
    differences(&mut table, &defaults);
    let roles = holder.roles.iter().map(|role| Value::from(role.word()));
    let cluster = table
        .entry("cluster")
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(cluster) = cluster {
        cluster.insert("roles".to_owned(), Value::Array(roles.collect()));
    }
    toml::to_string(&table).context("the settings cannot be written")
}

fn remove(table: &mut Table, path: &[&str]) {
    match path {
        [] => {}
        [last] => {
            table.remove(*last);
        }
        [first, rest @ ..] => {
            if let Some(Value::Table(inner)) = table.get_mut(*first) {
                remove(inner, rest);
            }
        }
    }
}

/// Leaves what differs from the defaults.
fn differences(table: &mut Table, defaults: &Table) {
    table.retain(|key, value| match (value, defaults.get(key)) {
        (Value::Table(inner), Some(Value::Table(defaults))) => {
            differences(inner, defaults);
            !inner.is_empty()
        }
        (value, Some(default)) => value != default,
        (_, None) => true,
    });
}

/// The configuration of a host that has joined, whose folder is this.
pub(super) fn completed(configuration: &str, folder: &Path) -> anyhow::Result<String> {
    let table: Table = configuration
        .parse()
        .context("the cluster's settings are not TOML")?;
    let mut completed = table;
    if let Some(Value::Table(cluster)) = completed.get_mut("cluster") {
        let folder = folder.display().to_string();
        cluster.insert("directory".to_owned(), Value::from(folder));
    }
    let text = toml::to_string(&completed).context("the settings cannot be written")?;
    Ok(format!(
        "# A host of a cluster: lambent run. What the cluster's hosts have in common comes from the one by which this\n\
         # one joined. Its own: data_dir; [cluster] listen, and address, where the others reach it.\n\n{text}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration with a secret in each place that can have one.
    fn config() -> Config {
        let text = r#"
            data_dir = "/srv/this"
            [[access_keys]]
            id = "AKIAX"
            secret = "secret-1"
            account = "000000000001"
            [account]
            id = "123456789012"
            [cluster]
            directory = "/etc/this"
            address = "10.0.0.1:9102"
            roles = ["control"]
            seeds = ["10.0.0.1:9102"]
            [cluster.nats]
            servers = ["nats://10.0.0.9:4222"]
            password = "secret-2"
            [cluster.s3]
            endpoint = "http://10.0.0.8:9000"
            secret_access_key = "s3"
        "#;
        toml::from_str(text).unwrap()
    }

    fn holder(roles: &[Role]) -> Holder {
        Holder {
            host: "h2".to_owned(),
            zone: "a".to_owned(),
            roles: roles.iter().copied().collect(),
        }
    }

    fn told(roles: &[Role]) -> (String, Config) {
        let text = configuration(&config(), &holder(roles)).unwrap();
        let text = completed(&text, Path::new("/etc/that")).unwrap();
        let config = toml::from_str(&text).unwrap();
        (text, config)
    }

    #[test]
    fn hosts_have_the_same_settings_but_their_own() {
        let (text, told) = told(&[Role::Frontend]);
        assert_eq!(told.account.id, config().account.id);
        assert_eq!(told.cluster.nats.servers, ["nats://10.0.0.9:4222"]);
        assert_eq!(told.cluster.seeds, ["10.0.0.1:9102"]);
        assert_eq!(told.cluster.roles, ["frontend"]);
        assert_eq!(told.cluster.directory, Path::new("/etc/that"));
        assert_eq!(told.cluster.address, "");
        assert!(text.contains("secret-1") && text.contains("secret-2"));
        assert!(!text.contains("/srv/this") && !text.contains("/etc/this"));
    }

    #[test]
    fn a_worker_alone_is_told_no_secret_of_others() {
        let (text, told) = told(&[Role::Worker]);
        assert!(!text.contains("secret-"), "{text}");
        assert!(!text.contains("nats"), "{text}");
        assert_eq!(told.cluster.s3.secret_access_key, "s3");
        assert_eq!(told.account.id, config().account.id);
        assert!(told.access_keys.is_empty());
    }

    #[test]
    fn roles_with_keys_get_them_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SECRET), [7; 32]).unwrap();
        std::fs::write(folder.path().join(CREDENTIALS), "[default]").unwrap();
        let mut config = config();
        config.cluster.directory = folder.path().to_owned();
        for (roles, expected) in [
            (&[Role::Worker][..], false),
            (
                &[
                    Role::Counting,
                    Role::Assignment,
                    Role::Placement,
                    Role::EventInvoke,
                ],
                false,
            ),
            (&[Role::Worker, Role::Frontend], true),
        ] {
            let welcome = welcome(&config, &holder(roles)).unwrap();
            assert_eq!(welcome.secret.is_some(), expected);
            assert_eq!(welcome.credentials.is_some(), expected);
        }
    }
}
