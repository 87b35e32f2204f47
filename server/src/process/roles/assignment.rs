//! Which environments exist and which are lent: the role, over its journal.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::credentials::RoleCredentials;
use api::placement::Placement;
use api::worker::Workers;
use prometheus_client::registry::Registry;

use super::Common;
use crate::config::Config;
use crate::process::patience::within;

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
    registry: &mut Registry,
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
