//! `lambent cluster init`: a folder from which a cluster's first process starts.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use authority::{Authority, Files, Folder, SigningKey};
use types::{Clock as _, Role, SystemClock, SystemRandom};

use super::folder::{AUTHORITY_KEY, CONFIGURATION, SECRET};
use super::holder;
use crate::cli::Init;
use crate::config::Config;
use crate::data_dir;
use crate::terminal::{say, visible};

pub(super) fn init(options: &Init) -> anyhow::Result<ExitCode> {
    let mut holder = holder(&options.host, &options.roles)?;
    if holder.roles.is_empty() {
        let all = Role::ALL.into_iter();
        holder.roles = all.filter(|role| *role != Role::Worker).collect();
    }
    let path = std::path::absolute(&options.folder).context("the folder")?;
    let describe = || format!("{} cannot be made", path.display());
    let folder = Folder::make(&path).with_context(describe)?;
    let now = SystemClock.now();
    let authority = Authority::new(now, &SystemRandom)?;
    let key = SigningKey::new()?;
    let issued = authority.first(&holder, &key, now, &SystemRandom)?;
    let put = |name: &str, text: &str| folder.put(name, text.as_bytes()).with_context(describe);
    put(AUTHORITY_KEY, &authority.private_key())?;
    keyring::Keyring::open(&path.join(SECRET), &SystemRandom).with_context(describe)?;
    data_dir::root_key(&path, &Config::default().account.region, &SystemRandom)?;
    let roles: Vec<&str> = holder.roles.iter().map(|role| role.word()).collect();
    put(
        CONFIGURATION,
        &configuration(&path, &roles, options.address.as_deref()),
    )?;
    let files = Files {
        authorities: issued.authorities,
        certificate: issued.certificate,
        key: key.to_pem(),
    };
    folder.write(&files).with_context(describe)?;
    let shown = path.display().to_string();
    let shown = visible(&shown);
    say!("The cluster's authority, secrets and first host are in {shown}.");
    say!("Say in {shown}/{CONFIGURATION} where NATS and S3 are, then run:");
    say!("  lambent run --config {shown}/{CONFIGURATION}");
    say!(
        "It takes {AUTHORITY_KEY} over into the cluster's table. Keep a copy of {SECRET}: all that is sealed needs it."
    );
    Ok(ExitCode::SUCCESS)
}

/// A configuration to be completed.
fn configuration(folder: &Path, roles: &[&str], address: Option<&str>) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let roles: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
    let address = quoted(address.unwrap_or_default());
    format!(
        r#"# A process of a cluster: lambent run --config {CONFIGURATION}

# Where clients are answered, by processes with the role frontend.
listen = "0.0.0.0:9100"
data_dir = "/var/lib/lambent"

[cluster]
# This host's certificate and key, and the secrets.
directory = {folder}
# What a process is, unless `lambent run --roles` says it.
roles = [{roles}]
# Where it listens to the other processes, and where they reach it; empty: where it listens.
listen = "0.0.0.0:9102"
address = {address}
# Where hosts join that have a token of `lambent cluster token`; empty: nowhere.
join = "0.0.0.0:9103"
# Some processes with the role placement, which workers ask first who else there is.
seeds = [{address}]

[cluster.nats]
# Three servers in three zones, which write to the disk before they acknowledge: sync_interval: always.
servers = []
# user = ""
# password = ""
# A user of the system account, by whom the servers are asked whether they do.
# system_user = ""
# system_password = ""
# replicas = 3

[cluster.s3]
endpoint = ""
bucket = "lambent"
region = "us-east-1"
access_key_id = ""
secret_access_key = ""
"#,
        folder = quoted(&folder.display().to_string()),
        roles = roles.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::Host;

    fn options(folder: &Path) -> Init {
        Init {
            folder: folder.to_owned(),
            host: Host {
                host: "h1".to_owned(),
                zone: "a".to_owned(),
            },
            roles: Vec::new(),
            address: Some("10.0.0.1:9102".to_owned()),
        }
    }

    #[test]
    fn a_process_can_start_from_it() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("a \"b\"");
        init(&options(&folder)).unwrap();
        let config = Config::load(Some(&folder.join(CONFIGURATION)), std::iter::empty()).unwrap();
        assert_eq!(config.cluster.directory, folder);
        assert_eq!(config.cluster.address, "10.0.0.1:9102");
        let files = Folder::at(&folder).read().unwrap();
        let identity =
            far::Identity::from_pem(&files.authorities, &files.certificate, &files.key).unwrap();
        let words: Vec<&str> = identity
            .own()
            .roles
            .iter()
            .map(|role| role.word())
            .collect();
        assert_eq!(config.cluster.roles, words);
        let key = fs::read_to_string(folder.join(AUTHORITY_KEY)).unwrap();
        Authority::from_pem(&files.authorities, &key).unwrap();
        data_dir::read_root_key(&folder).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            use std::os::unix::fs::PermissionsExt as _;
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
        }
        // What is there is not overwritten.
        assert!(init(&options(&folder)).is_err());
    }

    #[test]
    fn names_and_roles_are_checked() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("c");
        for change in [
            |options: &mut Init| "H 1".clone_into(&mut options.host.host),
            |options: &mut Init| options.host.zone.clear(),
            |options: &mut Init| options.roles.push("king".to_owned()),
        ] {
            let mut options = options(&folder);
            change(&mut options);
            assert!(init(&options).is_err());
            assert!(!folder.exists());
        }
    }
}
