//! The control plane, with its background tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::assignment::Assignment;
use api::placement::Placement;
use api::preparation::Preparation;
use control::{Config, Control, Dependencies, Rates, RuntimesHere, Shares, register_metrics};
use image::Packages;
use leasing::Singletons;
use membership::Drains;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::Role;

use super::Common;
use super::identity::Keyring;
use crate::config::{self, UnknownRoles};
use crate::packages;
use crate::process::network::Network;
use crate::process::seen::seen;

/// If a control plane is silent for this long, another one takes over its background tasks.
const LEASE_TERM: Duration = Duration::from_secs(30);

/// What it works with.
pub(super) struct With<'s> {
    pub(super) keyring: &'s Keyring,
    pub(super) code: Arc<Packages>,
    pub(super) preparation: Arc<dyn Preparation>,
    /// The package that every function finds at `/opt`.
    pub(super) opt: Option<String>,
    pub(super) assignment: Arc<dyn Assignment>,
    pub(super) placement: Arc<dyn Placement>,
    pub(super) runtimes: watch::Receiver<RuntimesHere>,
    pub(super) network: Option<&'s Network>,
    pub(super) address: SocketAddr,
    /// Merges logs and removes old ones.
    pub(super) logs: logs::Keeper,
}

pub(super) fn create(
    common: &Common<'_>,
    with: With<'_>,
    registry: &mut Registry,
    background: &mut JoinSet<()>,
) -> anyhow::Result<Arc<Control>> {
    let shares = shares(with.network, background);
    let config = control_config(common, &with, shares)?;
    let leases = &common.stores.shared().leases;
    let drains = with.network.map(|_| Drains::new(Arc::clone(leases)));
    register_metrics(registry, &with.code);
    let (control, settler) = Control::new(Dependencies {
        table: Arc::clone(&common.stores.shared().callers_table),
        code: with.code,
        preparation: with.preparation,
        placement: with.placement,
        drains,
        packages: packages::source(&common.config.aws, &common.clock)?,
        authenticator: Arc::clone(&with.keyring.authenticator),
        roles: with.keyring.keys.clone(),
        keyring: Arc::clone(&with.keyring.master),
        clock: Arc::clone(&common.clock),
        random: Arc::clone(&common.random),
        config,
    });
    background.spawn(settler.run());
    let control = Arc::new(control);
    let (sweeping, provisioning) = (Arc::clone(&control), Arc::clone(&control));
    let (assignment, logs) = (with.assignment, with.logs);
    let singletons = Singletons::default()
        .with("unused-packages", move || sweeping.unused_packages().run())
        .with("provisioned-concurrency", move || {
            provisioning.provisioner(Arc::clone(&assignment)).run()
        })
        .with("logs", move || logs.clone().run());
    let leases = leasing::Config {
        group: "control".to_owned(),
        holder: common.random.uuid().to_string(),
        term: LEASE_TERM,
        fenced: false,
    };
    let table = Arc::clone(&common.stores.shared().leases);
    // It stops with this process, whose leases the next one removes.
    background.spawn(singletons.run(leases, table, CancellationToken::new()));
    Ok(control)
}

/// How many control planes share out what is granted.
fn shares(network: Option<&Network>, background: &mut JoinSet<()>) -> Shares {
    let Some(network) = network else {
        return Shares::default();
    };
    let count = seen(network.views(), background, |view| {
        view.ready(Role::Control).count()
    });
    Shares::new(count)
}

fn control_config(common: &Common<'_>, with: &With<'_>, shares: Shares) -> anyhow::Result<Config> {
    let config = common.config;
    Ok(Config {
        regions: common.regions(),
        account_concurrency: config.account.concurrency,
        shares,
        operator: config.account.id.clone(),
        runtimes: with.runtimes.clone(),
        urls: urls(config, with.address)?,
        rates: Rates {
            get_function: config.limits.get_function_per_second,
            get_policy: config.limits.get_policy_per_second,
            others: config.limits.control_plane_per_second,
        },
        architecture: worker::host_architecture().to_owned(),
        code_bytes_max: config.limits.code_storage_bytes,
        upload_bytes_max: match config.limits.upload_bytes {
            0 => common.stores.kept_bytes / 8,
            given => given,
        },
        vpc_id: config.functions.vpc_id.clone(),
        unused_packages_kept: Duration::from_secs(config.functions.unused_packages_seconds),
        operators_packages: with.opt.iter().cloned().collect(),
        unknown_roles_accepted: config.functions.unknown_roles == UnknownRoles::Accept,
        operator_key: config.operator_key(),
        access_points: config.file_systems.keys().cloned().collect(),
    })
}

/// How function URLs are written by a server at `address`.
fn urls(config: &config::Config, address: SocketAddr) -> anyhow::Result<control::Urls> {
    let scheme = config.url_scheme()?.to_owned();
    let domain = match config.urls.domain.as_str() {
        // Browsers, curl and most resolvers resolve every name below it to the loopback.
        "" => format!("localhost:{}", address.port()),
        domain => domain.to_owned(),
    };
    Ok(control::Urls { scheme, domain })
}
