//! The roles with soft state: where there is room, and how many may run.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinSet;

use super::Common;
use crate::config::Config;

/// Which worker has room.
pub(super) fn placement(
    common: &Common<'_>,
    registry: &mut Registry,
    background: &mut JoinSet<()>,
) -> Arc<dyn api::placement::Placement> {
    let placement = Arc::new(placement::Service::new(
        placement_config(common.config),
        Arc::clone(&common.clock),
        Arc::clone(&common.random),
        placement::Metrics::new(registry),
    ));
    background.spawn(forever(
        Arc::clone(&placement),
        |p| async move { p.run().await },
    ));
    placement
}

/// How many may run at a time.
pub(super) fn counting(
    common: &Common<'_>,
    registry: &mut Registry,
    background: &mut JoinSet<()>,
) -> Arc<dyn api::counting::Counting> {
    let counting = Arc::new(counting::Service::new(
        counting::Config::default(),
        Arc::clone(&common.clock),
        counting::Metrics::new(registry),
    ));
    background.spawn(forever(
        Arc::clone(&counting),
        |c| async move { c.run().await },
    ));
    counting
}

/// Owns what it runs.
async fn forever<S, F: Future<Output = ()>>(service: Arc<S>, run: impl FnOnce(Arc<S>) -> F) {
    run(service).await;
}

fn placement_config(config: &Config) -> placement::Config {
    placement::Config {
        overcommit: config.placement.overcommit,
        lease_min: Duration::from_secs(config.placement.lease_seconds_min),
        lease_max: Duration::from_secs(config.placement.lease_seconds_max),
        ..placement::Config::default()
    }
}
