//! `lambent cluster`: who is in a cluster; and what it keeps, as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Backup, Restore};

#[derive(Args, Debug)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    pub(crate) action: ClusterAction,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ClusterAction {
    /// Make a cluster: its authority, its secrets, and its first host's certificate, in a new folder.
    Init(Init),
    /// Print a token with which one host can join, once. Needs the stores: run it on a host with the role control.
    Token(Token),
    /// Join a cluster with a token: get this host's certificate, and what its roles need, into a new folder.
    Join(Join),
    /// Revoke a host's certificates, or one certificate: refused within seconds, also on connections that exist.
    Revoke(Revoke),
    /// List the certificates that are valid.
    Certificates(Stores),
    /// Back the cluster up, while it runs, into a data folder that `lambent up` can start.
    Backup(Backup),
    /// Restore a backup, or the data folder of a stopped server, into an empty cluster.
    Restore(Restore),
    /// Run a whole cluster on this machine, each zone in a network of its own, and show what it does under load.
    Demo(Demo),
}

/// What a host is.
#[derive(Args, Debug)]
pub(crate) struct Host {
    /// The host's name: lower case, as in DNS.
    #[arg(long, value_name = "HOST")]
    pub(crate) host: String,
    /// Its availability zone.
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: String,
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The folder, which is made.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) host: Host,
    /// What the host's processes may be: control, identity, frontend, counting, assignment, placement, worker,
    /// event-invoke [default: all but worker].
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
    /// Where other hosts reach this one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) address: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) host: Host,
    /// What the host's processes may be.
    #[arg(long, value_name = "ROLES", value_delimiter = ',', required = true)]
    pub(crate) roles: Vec<String>,
    /// Where a process with the role control lets hosts join [default: the address of cluster.address, the port of
    /// cluster.join].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) address: Option<String>,
    /// How long the token is valid.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) minutes: u32,
    #[command(flatten)]
    pub(crate) stores: Stores,
}

#[derive(Args, Debug)]
pub(crate) struct Join {
    /// The token; `-` reads it from standard input, where other users of this machine do not see it.
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
    /// The folder, which is made.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// A host, or the serial number of one certificate.
    #[arg(value_name = "HOST|SERIAL")]
    pub(crate) whom: String,
    #[command(flatten)]
    pub(crate) stores: Stores,
}

/// Where the cluster's stores are.
#[derive(Args, Debug)]
pub(crate) struct Stores {
    /// The configuration of the cluster's processes, TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How many availability zones: 3, or 1 for a small machine.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = zones)]
    pub(crate) zones: u8,
    /// Invokes a second, all zones together.
    #[arg(long, value_name = "NUMBER", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
    /// The round trip between two zones, added to what it is by itself. Needs the kernel's netem.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub(crate) delay_ms: u32,
    /// Show nothing; restart every process under load, and check that nothing is lost: exit status 1 if it is.
    #[arg(long)]
    pub(crate) check: bool,
    /// With --check: also restart the NATS servers, one at a time.
    #[arg(long, requires = "check")]
    pub(crate) nats: bool,
    /// The folder of the demo that this process is the inner half of.
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) inside: Option<PathBuf>,
}

/// Two NATS servers are no better than one: both must live.
fn zones(text: &str) -> Result<u8, &'static str> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1 or 3"),
    }
}
