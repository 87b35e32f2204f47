//! The limits that a process sets itself before it starts: descriptors, sandboxes, what the front door takes.

use std::os::unix::fs::DirBuilderExt as _;

use anyhow::{Context as _, bail};

use super::descriptors::{Descriptors, Wanted};
use super::{inside, roles};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::front_door;
use crate::roots::Languages;

/// The least that requests may take together: the largest, which brings a package, has 67 MB.
const REQUESTS_MB_MIN: u64 = 128;

/// The sandboxes of a worker.
pub(super) fn sandboxes(
    config: &Config,
    data: &DataDir,
    languages: &Languages,
) -> anyhow::Result<sandbox::Config> {
    let images = data.path().join("images");
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&images);
    made.with_context(|| format!("{} cannot be made", images.display()))?;
    let network = match config.sandbox.network.as_str() {
        "none" => sandbox::Network::None,
        "nat" => sandbox::Network::Nat(sandbox::Nat {
            subnet: config.sandbox.nat.subnet,
            allow_host_ports: config.sandbox.nat.allow_host_ports.clone(),
            allow_private: config.sandbox.nat.allow_private,
        }),
        other => bail!("sandbox.network: {other} is neither none nor nat"),
    };
    Ok(sandbox::Config {
        tag: data.tag(),
        roots: languages.roots.clone(),
        images,
        first_uid: match config.sandbox.first_uid {
            0 => data.first_uid(),
            given => given,
        },
        pool: config.sandbox.pool,
        memory_bytes: roles::memory_mb(config)?.saturating_mul(1 << 20),
        network,
        door: config.functions.api.then_some(inside::PORT),
    })
}

/// How descriptors are shared out in a process whose sandboxes have that many roots.
pub(super) fn descriptors(config: &Config, roots: usize) -> anyhow::Result<Descriptors> {
    let shares = Descriptors::claim(Wanted {
        addresses: 1
            + u64::from(!config.events.listen.is_empty())
            + u64::from(config.functions.api),
        roots: roots.max(1) as u64,
        pool: config.sandbox.pool as u64,
    })?;
    if roots > 0 && shares.pool < config.sandbox.pool {
        tracing::warn!(
            pool = shares.pool,
            environments = shares.environments,
            "the limit of open files is low: fewer sandboxes are kept ready than configured"
        );
    }
    Ok(shares)
}

/// The limits of the front door.
pub(super) fn bounds(config: &Config) -> anyhow::Result<front_door::Bounds> {
    const MB: u64 = 1024 * 1024;
    let requests = &config.requests;
    if requests.connections == 0 || requests.connections_per_address == 0 {
        bail!("requests.connections, requests.connections_per_address: must be at least 1");
    }
    let memory_mb = match requests.memory_mb {
        // An eighth of the machine.
        0 => (roles::machine_memory_mb().unwrap_or(0) / 8).clamp(REQUESTS_MB_MIN, 1024),
        given if given < REQUESTS_MB_MIN => {
            bail!(
                "requests.memory_mb: {given} is not enough for a package: at least {REQUESTS_MB_MIN}"
            )
        }
        given => given,
    };
    Ok(front_door::Bounds {
        connections: requests.connections,
        connections_of_one: requests.connections_per_address,
        bytes: memory_mb.saturating_mul(MB),
    })
}
