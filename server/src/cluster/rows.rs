//! The commands that read and write the cluster's table: `token`, `revoke`, `certificates`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use authority::Registrar;
use keyring::Keyring;
use types::{SystemClock, SystemRandom};

use super::folder::SECRET;
use super::holder;
use crate::cli::{Revoke, Stores, Token};
use crate::config::{self, Config};
use crate::process::leases;
use crate::terminal::{say, visible};

/// The stores answer within this, or the command fails.
const WITHIN: Duration = Duration::from_secs(60);

pub(super) fn token(options: &Token) -> anyhow::Result<ExitCode> {
    let holder = holder(&options.host, &options.roles)?;
    if holder.roles.is_empty() {
        bail!("--roles: a host has one role at least");
    }
    let lasting = Duration::from_secs(u64::from(options.minutes) * 60);
    let token = asked(&options.stores, async |registrar, config| {
        let address = match &options.address {
            Some(address) => address.clone(),
            None => join_address(config)?,
        };
        Ok(registrar.token(address, holder, lasting).await?)
    })?;
    // Alone, so that it can be piped into `lambent cluster join - DIR` on the other host.
    say!("{}", token.to_text());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn revoke(options: &Revoke) -> anyhow::Result<ExitCode> {
    let whom = options.whom.as_str();
    let revoked = asked(&options.stores, async |registrar, _| {
        let issued = registrar.certificates().await?;
        if issued.iter().any(|certificate| certificate.serial == whom) {
            registrar.revoke_serial(whom).await?;
            return Ok(vec![whom.to_owned()]);
        }
        Ok(registrar.revoke_host(whom).await?)
    })?;
    if revoked.is_empty() {
        bail!("no certificate of a host {whom:?}, and none with this serial number, is valid");
    }
    for serial in revoked {
        say!("{serial}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn certificates(options: &Stores) -> anyhow::Result<ExitCode> {
    let issued = asked(options, async |registrar, _| {
        Ok(registrar.certificates().await?)
    })?;
    say!(
        "{:32}  {:20}  {:10}  {:20}  ROLES",
        "SERIAL",
        "HOST",
        "ZONE",
        "VALID UNTIL"
    );
    for certificate in issued {
        let roles: Vec<&str> = certificate.roles.iter().map(|role| role.word()).collect();
        let until = match certificate.revoked {
            true => "revoked".to_owned(),
            false => certificate.expires.to_iso_seconds_text(),
        };
        let (serial, host) = (visible(&certificate.serial), visible(&certificate.host));
        let (zone, roles) = (visible(&certificate.zone), roles.join(","));
        say!("{serial:32}  {host:20}  {zone:10}  {until:20}  {roles}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the registrar over the cluster's table.
fn asked<T>(
    options: &Stores,
    ask: impl AsyncFnOnce(&Registrar, &config::Cluster) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let config = Config::load(options.config.as_deref(), std::env::vars())?;
    let path = config.cluster.directory.join(SECRET);
    if !path.exists() {
        bail!(
            "{} is missing: run this where a process with the role control runs, with its --config",
            path.display()
        );
    }
    let keyring = Keyring::open(&path, &SystemRandom);
    let keyring = keyring.with_context(|| format!("{} cannot be used", path.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asking = async {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let table = leases(&config.cluster.nats, clock.clone(), random.clone()).await?;
        let registrar = Registrar::new(table, &Arc::new(keyring), clock, random);
        ask(&registrar, &config.cluster).await
    };
    let answered = runtime.block_on(async { tokio::time::timeout(WITHIN, asking).await });
    answered.unwrap_or_else(|_| bail!("the cluster's stores do not answer: see cluster.nats"))
}

/// Where hosts join, by the settings of a process that lets them.
fn join_address(config: &config::Cluster) -> anyhow::Result<String> {
    let join: SocketAddr = match config.join.as_str() {
        "" => bail!("--address: cluster.join does not say where hosts can join"),
        join => join.parse().context("cluster.join")?,
    };
    if !join.ip().is_unspecified() {
        return Ok(join.to_string());
    }
    match config.address.rsplit_once(':') {
        Some((host, _)) if !host.is_empty() => Ok(format!("{host}:{}", join.port())),
        _ => bail!(
            "--address: cluster.join is every address of this host, and cluster.address does not say at which one the \
             others reach it"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_join_where_they_reach_a_control_process() {
        let config = |join: &str, address: &str| config::Cluster {
            join: join.to_owned(),
            address: address.to_owned(),
            ..config::Cluster::default()
        };
        let found = |join, address| join_address(&config(join, address)).ok();
        assert_eq!(found("0.0.0.0:9103", "h1:9102").as_deref(), Some("h1:9103"));
        assert_eq!(
            found("[::]:9103", "[fd00::1]:9102").as_deref(),
            Some("[fd00::1]:9103")
        );
        assert_eq!(found("10.0.0.1:9103", "").as_deref(), Some("10.0.0.1:9103"));
        for (join, address) in [("", "h1:9102"), ("0.0.0.0:9103", ""), ("x", "h1:9102")] {
            assert_eq!(found(join, address), None);
        }
    }
}
