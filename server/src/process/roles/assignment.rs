//! Which environments exist and which are lent: the role, over its journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::credentials::RoleCredentials;
use api::placement::Placement;
use api::worker::Workers;
use membership::ASSIGNMENT;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Common;
use crate::config::Config;
use crate::process::network::Network;
use crate::process::patience::within;

/// If a process that leads a partition is silent for this long, another one leads it.
const TERM: Duration = Duration::from_secs(3);

/// What it calls.
pub(super) struct With {
    pub(super) placement: Arc<dyn Placement>,
    pub(super) credentials: Arc<dyn RoleCredentials>,
    pub(super) workers: Arc<dyn Workers>,
}

/// Reads the journals and starts.
pub(super) async fn create(
    common: &Common<'_>,
    with: With,
    network: Option<&Network>,
    registry: &mut Registry,
    background: &mut JoinSet<()>,
) -> anyhow::Result<Arc<assignment::Service>> {
    let dependencies = assignment::Dependencies {
        clock: Arc::clone(&common.clock),
        random: Arc::clone(&common.random),
        journal: Arc::clone(&common.stores.shared().journal),
        placement: with.placement,
        credentials: with.credentials,
        workers: with.workers,
    };
    let metrics = assignment::Metrics::new(registry);
    if let Some(network) = network {
        let partitions = 0..common.config.assignment.partitions.max(1);
        let wanted: BTreeSet<String> = partitions.map(assignment::partition_name).collect();
        let (wanting, wants) = watch::channel(wanted);
        let leases = leasing::Config {
            group: ASSIGNMENT.to_owned(),
            holder: network.process().to_string(),
            term: TERM,
        };
        let table = Arc::clone(&common.stores.shared().leases);
        let (member, _held) = leasing::Member::new(leases, table, wants);
        background.spawn(async move {
            member.run(CancellationToken::new()).await;
            drop(wanting);
        });
    }
    let config = assignment_config(common.config);
    let assignment = assignment::Service::start(config, dependencies, metrics);
    let assignment = within("the journals of environments", assignment).await?;
    Ok(Arc::new(
        assignment.context("assignment cannot be started")?,
    ))
}

fn assignment_config(config: &Config) -> assignment::Config {
    assignment::Config {
        partitions: config.assignment.partitions,
        idle_timeout: Duration::from_secs(config.assignment.idle_seconds),
        provisioned_per_second: config.limits.provisioned_per_second,
        ..assignment::Config::default()
    }
}
