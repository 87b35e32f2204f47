//! Who is in a cluster: the commands by which an operator decides it, and what its processes do for it. And the commands
//! by which all that a cluster keeps is copied: `backup`, `restore`.
//!
//! ```text
//!   init ─▶ a folder for the first host ─▶ lambent run
//!                                            │ takes the authority over into the table, lets hosts join
//!   token ─▶ TOKEN ─▶ join ─▶ a folder for another host ─▶ lambent run
//! ```
//!
//! `token`, `revoke` and `certificates` read and write the cluster's table themselves, with the master key of their
//! host's folder: they work wherever a process with the role control does, and while none runs.

mod backup;
mod bucket;
mod folder;
mod handout;
mod init;
mod issuing;
mod joined;
mod meaning;
mod place;
mod restore;
mod rows;
mod saved;
mod secrets;
mod telling;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use api::enrolment::Holder;
use authority::is_name;

use crate::cli::{Cluster, ClusterAction, Host};

pub(crate) use issuing::{Others, Own, begin};

/// Does what a command says.
pub(crate) fn cluster(options: &Cluster) -> anyhow::Result<ExitCode> {
    match &options.action {
        ClusterAction::Init(options) => init::init(options),
        ClusterAction::Token(options) => rows::token(options),
        ClusterAction::Join(options) => joined::join(options),
        ClusterAction::Revoke(options) => rows::revoke(options),
        ClusterAction::Certificates(options) => rows::certificates(options),
        ClusterAction::Backup(options) => done(backup::backup(options)),
        ClusterAction::Restore(options) => done(restore::restore(options)),
        ClusterAction::Demo(options) => crate::demo::demo(options),
    }
}

fn done(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("no runtime could be started")?;
    runtime.block_on(work)?;
    Ok(ExitCode::SUCCESS)
}

/// What an operator says that a host is.
fn holder(host: &Host, roles: &[String]) -> anyhow::Result<Holder> {
    for (what, name) in [("--host", &host.host), ("--zone", &host.zone)] {
        if !is_name(name) {
            bail!("{what} {name:?}: lower case letters, digits, `-` and `.`, as in a DNS name");
        }
    }
    let roles = roles
        .iter()
        .map(|role| role.parse().context("--roles"))
        .collect::<anyhow::Result<_>>()?;
    Ok(Holder {
        host: host.host.clone(),
        zone: host.zone.clone(),
        roles,
    })
}
