//! The asynchronous plane: its own store, its own threads.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use admission::Admission;
use api::credentials::RoleCredentials;
use api::events::Events;
use api::invoke::Invoker;
use event_invoke::{Dependencies, EventFrontend, EventInvoke};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use types::RequestId;

use super::Common;
use crate::process::pressure::Processors;

/// What it works with.
pub(super) struct With {
    pub(super) credentials: Arc<dyn RoleCredentials>,
    pub(super) invoker: Arc<dyn Invoker>,
}

/// The role, running.
pub(crate) struct Pollers {
    pub(crate) near: Arc<dyn Events>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts the pollers on `threads`.
pub(super) async fn start(
    common: &Common<'_>,
    with: With,
    threads: Handle,
    registry: &Mutex<Registry>,
) -> anyhow::Result<Pollers> {
    let (config, stores) = (common.config, common.stores);
    let settings = event_invoke::Config {
        holder: RequestId::random(common.random.as_ref()).to_string(),
        concurrency: config.events.concurrency.max(1),
        accepting_bytes_max: config.events.accepting_mb.saturating_mul(1024 * 1024),
        kept: config.events.kept(stores.kept_bytes),
        failed_max: config.events.failed_max,
        failed_age_max: Duration::from_secs(config.events.failed_hours.saturating_mul(3_600)),
        ..event_invoke::Config::default()
    };
    let dependencies = Dependencies {
        random: Arc::clone(&common.random),
        table: Arc::clone(&stores.shared().table),
        queue: Arc::clone(&stores.shared().queue),
        credentials: with.credentials,
        client: Arc::new(aws::Client::new(Arc::clone(&common.clock))),
        endpoints: config.aws.endpoints()?,
        key: config.aws.keys(),
        pressure: Arc::new(Processors),
        clock: Arc::clone(&common.clock),
    };
    let role = {
        let mut registry = registry
            .lock()
            .expect("no code panics while it holds the registry");
        EventInvoke::new(settings, dependencies, &mut registry)
    };
    let near = Arc::clone(&role) as Arc<dyn Events>;
    let stop = CancellationToken::new();
    let task = threads.spawn(role.run(with.invoker, stop.clone()));
    Ok(Pollers { near, stop, task })
}

/// What checks events before they are kept.
pub(super) fn frontend(
    common: &Common<'_>,
    admission: Arc<Admission>,
    events: Arc<dyn Events>,
) -> EventFrontend {
    EventFrontend::new(
        Arc::clone(&common.random),
        admission,
        events,
        common.config.account.id.clone(),
    )
}

impl Pollers {
    /// No more events are started; those that are being invoked end first.
    pub(in crate::process) async fn shutdown(&mut self) {
        self.stop.cancel();
        // It has ended, or has panicked and was reported; the events are in the store either way.
        let _ = (&mut self.task).await;
    }
}
