//! CloudWatch Logs, over the store that workers write to.

use std::sync::Arc;

use logs::{Config, Dependencies, Service, register_metrics};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;

use super::Common;
use super::identity::Keyring;

pub(super) fn create(
    common: &Common<'_>,
    keyring: &Keyring,
    registry: &mut Registry,
    background: &mut JoinSet<()>,
) -> Service {
    let config = common.config;
    register_metrics(registry, &common.stores.logs);
    let (service, keeper) = Service::new(
        Config {
            regions: common.regions(),
            retention_days: Some(config.logs.retention_days).filter(|days| *days > 0),
        },
        Dependencies {
            table: Arc::clone(&common.stores.shared().callers_table),
            store: common.stores.logs.clone(),
            authenticator: Arc::clone(&keyring.authenticator),
            clock: Arc::clone(&common.clock),
        },
    );
    background.spawn(keeper.run());
    service
}
