//! What functions print: taken by workers, shown by CloudWatch Logs. One process keeps it in files; a cluster in blobs, and
//! its workers are asked for the last second.

use std::sync::Arc;

use api::logs::{Logs, RecentLogs};
use logs::{
    Config, Dependencies, Keeper, Service, SharedDependencies, SharedStore, Shipper, Store,
    register_metrics,
};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Common;
use super::identity::Keyring;
use crate::process::network::Network;
use crate::process::stores::embedded::log_bounds;

/// Takes what this process's worker's functions print.
pub(crate) struct Taker {
    pub(super) logs: Arc<dyn Logs>,
    /// In a cluster: what is not stored yet.
    pub(super) recent: Option<Arc<dyn RecentLogs>>,
    shipping: Option<(CancellationToken, JoinHandle<()>)>,
}

/// The taker of a process with a worker.
pub(super) fn taker(common: &Common<'_>, registry: &mut Registry) -> Taker {
    if let Some(files) = &common.stores.logs {
        return Taker {
            logs: Arc::clone(files) as Arc<dyn Logs>,
            recent: None,
            shipping: None,
        };
    }
    let blobs = Arc::clone(&common.stores.blobs);
    let (shipper, shipping) = Shipper::new(blobs, common.random.as_ref());
    register_metrics(registry, &shipper);
    let stop = CancellationToken::new();
    let task = tokio::spawn(shipping.run(stop.clone()));
    Taker {
        logs: Arc::clone(&shipper) as Arc<dyn Logs>,
        recent: Some(shipper),
        shipping: Some((stop, task)),
    }
}

impl Taker {
    /// Stores what waits.
    pub(in crate::process) async fn flush(self) {
        if let Some((stop, task)) = self.shipping {
            stop.cancel();
            // It has ended, or has panicked and was reported.
            let _ = task.await;
        }
    }
}

/// The service, and the part of it that one process at a time runs.
pub(super) fn create(
    common: &Common<'_>,
    keyring: &Keyring,
    network: Option<&Network>,
    registry: &mut Registry,
) -> (Service, Keeper) {
    let config = common.config;
    let store: Arc<dyn Store> = match (&common.stores.logs, network) {
        (Some(files), _) => {
            register_metrics(registry, files);
            Arc::clone(files) as Arc<dyn Store>
        }
        (None, network) => {
            let routes = network.map(|network| Arc::clone(&network.routes));
            let workers = move || {
                let routes = routes.as_ref();
                routes
                    .map(|routes| routes.recent_logs())
                    .unwrap_or_default()
            };
            let dependencies = SharedDependencies {
                blobs: Arc::clone(&common.stores.blobs),
                workers: Arc::new(workers),
                clock: Arc::clone(&common.clock),
                random: Arc::clone(&common.random),
            };
            Arc::new(SharedStore::new(log_bounds(config), dependencies))
        }
    };
    Service::new(
        Config {
            regions: common.regions(),
            retention_days: Some(config.logs.retention_days).filter(|days| *days > 0),
        },
        Dependencies {
            table: Arc::clone(&common.stores.shared().callers_table),
            store,
            authenticator: Arc::clone(&keyring.authenticator),
            clock: Arc::clone(&common.clock),
        },
    )
}
