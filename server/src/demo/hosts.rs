//! Lambent's own processes: three in each zone, with certificates of a new authority and one configuration.
//!
//! ```text
//!   front    clients' requests, asynchronous invokes, counting, assignment
//!   centre   control plane and placement
//!   work     runs functions
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use api::enrolment::Holder;
use authority::{Authority, Files, Folder, SigningKey};
use types::{Clock as _, Role, SystemClock, SystemRandom};

use super::folder::{DATA, HOSTS};
use super::processes::Program;
use super::stores;
use super::zones::Zone;
use crate::config::Config;
use crate::data_dir;

/// MB of memory that a zone's functions have together.
const WORKER_MEMORY_MB: u32 = 2_048;
/// The files that every host but a worker has.
const SECRETS: [&str; 2] = ["secret", "credentials"];

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Front,
    Centre,
    Work,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Centre, Self::Front, Self::Work];

    fn word(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Centre => "centre",
            Self::Work => "work",
        }
    }

    fn roles(self) -> Vec<Role> {
        match self {
            Self::Front => vec![
                Role::Frontend,
                Role::EventInvoke,
                Role::Assignment,
                Role::Counting,
                Role::Identity,
            ],
            Self::Centre => vec![Role::Control, Role::Placement, Role::Identity],
            Self::Work => vec![Role::Worker],
        }
    }

    /// The first of its ports: clients', the operator's, and other processes'.
    fn port(self) -> u16 {
        match self {
            Self::Front => 9_100,
            Self::Centre => 9_110,
            Self::Work => 9_120,
        }
    }
}

/// A process, which is a host of its own.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) zone: Zone,
    pub(super) kind: Kind,
}

impl Host {
    /// All of the cluster.
    pub(super) fn all(zones: &[Zone]) -> Vec<Self> {
        let each = zones.iter().flat_map(|zone| {
            let zone = *zone;
            Kind::ALL.map(|kind| Self { zone, kind })
        });
        each.collect()
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.kind.word(), self.zone.name())
    }

    fn at(&self, offset: u16) -> String {
        format!("{}:{}", self.zone.address(), self.kind.port() + offset)
    }

    /// Where it answers clients, if it does.
    pub(super) fn door(&self) -> String {
        format!("http://{}", self.at(0))
    }

    /// Where it answers the operator.
    pub(super) fn admin(&self) -> String {
        format!("http://{}", self.at(1))
    }

    fn folder(&self, demo: &Path) -> PathBuf {
        demo.join(HOSTS).join(self.name())
    }

    fn certificates(&self, demo: &Path) -> PathBuf {
        self.folder(demo).join("cluster")
    }

    /// How it is started.
    pub(super) fn program(&self, demo: &Path) -> anyhow::Result<Program> {
        let roles: Vec<&str> = self.kind.roles().iter().map(|role| role.word()).collect();
        let own = std::env::current_exe()?;
        let mut words = self.zone.enter();
        words.push(own.display().to_string());
        let folder = self.folder(demo);
        let options = [
            ("--roles", roles.join(",")),
            ("--zone", self.zone.name()),
            ("--listen", self.at(0)),
            ("--data-dir", folder.join(DATA).display().to_string()),
            ("--config", configuration(demo).display().to_string()),
        ];
        words.push("run".to_owned());
        for (option, value) in options {
            words.extend([option.to_owned(), value]);
        }
        let certificates = self.certificates(demo).display().to_string();
        let variables = [
            ("LAMBENT_CLUSTER_DIRECTORY", certificates),
            ("LAMBENT_CLUSTER_LISTEN", self.at(2)),
            ("LAMBENT_ADMIN_LISTEN", self.at(1)),
        ];
        Ok(Program {
            name: self.name(),
            words,
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            log: folder.join("log"),
        })
    }
}

fn configuration(demo: &Path) -> PathBuf {
    demo.join("lambent.toml")
}

/// Where the root access key is.
pub(super) fn secrets(demo: &Path) -> PathBuf {
    demo.join("secrets")
}

/// Makes authority, certificates, secrets and configuration.
pub(super) fn settle(demo: &Path, zones: &[Zone]) -> anyhow::Result<()> {
    let secrets = secrets(demo);
    fs::create_dir(&secrets)?;
    keyring::Keyring::open(&secrets.join("secret"), &SystemRandom)?;
    data_dir::root_key(&secrets, &Config::default().account.region, &SystemRandom)?;
    let now = SystemClock.now();
    let authority = Authority::new(now, &SystemRandom)?;
    let hosts = Host::all(zones);
    for host in &hosts {
        fs::create_dir_all(host.folder(demo))?;
        let folder = Folder::make(&host.certificates(demo))?;
        let holder = Holder {
            host: host.name(),
            zone: host.zone.name(),
            roles: host.kind.roles().into_iter().collect(),
        };
        let key = SigningKey::new()?;
        let issued = authority.first(&holder, &key, now, &SystemRandom)?;
        if host.kind != Kind::Work {
            for name in SECRETS {
                folder.put(name, &fs::read(secrets.join(name))?)?;
            }
        }
        folder.write(&Files {
            authorities: issued.authorities,
            certificate: issued.certificate,
            key: key.to_pem(),
        })?;
    }
    stores::write(&configuration(demo), &settings(&hosts, zones))
}

fn settings(hosts: &[Host], zones: &[Zone]) -> String {
    let seeds = hosts.iter().filter(|host| host.kind == Kind::Centre);
    let seeds = seeds.map(|host| format!("\"{}\"", host.at(2)));
    format!(
        r#"[urls]
domain = "localhost:9100"

[worker]
memory_mb = {WORKER_MEMORY_MB}

[cluster]
seeds = [{}]

{}"#,
        seeds.collect::<Vec<_>>().join(", "),
        stores::settings(zones)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_finds_its_settings() {
        let demo = tempfile::tempdir().unwrap();
        let zones = Zone::first(3);
        settle(demo.path(), &zones).unwrap();
        let config = Config::load(Some(&configuration(demo.path())), std::iter::empty()).unwrap();
        assert_eq!(config.cluster.seeds.len(), 3);
        assert_eq!(config.cluster.nats.servers[1], "nats://198.18.0.2:4222");
        for host in Host::all(&zones) {
            let folder = host.certificates(demo.path());
            assert!(Folder::at(&folder).read().is_ok());
            let has_secret = folder.join("secret").exists();
            assert_eq!(has_secret, host.kind != Kind::Work, "{}", host.name());
            let program = host.program(demo.path()).unwrap();
            assert!(
                program.words.contains(&host.zone.name()),
                "{:?}",
                program.words
            );
        }
    }
}
