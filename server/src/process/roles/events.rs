//! The asynchronous plane of an all-in-one server: its own store, its own threads.

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
    pub(super) admission: Arc<Admission>,
    pub(super) invoker: Arc<dyn Invoker>,
}

/// The plane, running.
pub(crate) struct Plane {
    pub(crate) frontend: Arc<EventFrontend>,
    pub(crate) threads: Handle,
    stop: CancellationToken,
    pollers: JoinHandle<()>,
}

/// Starts the pollers on `threads`.
pub(super) async fn start(
    common: &Common<'_>,
    with: With,
    threads: Handle,
    registry: &Mutex<Registry>,
) -> anyhow::Result<Plane> {
    let (config, stores) = (common.config, common.stores);
    let settings = event_invoke::Config {
        holder: RequestId::random(common.random.as_ref()).to_string(),
        concurrency: config.events.concurrency.max(1),
        accepting_bytes_max: config.events.accepting_mb.saturating_mul(1024 * 1024),
        kept: config.events.kept(stores.space.total()),
        failed_max: config.events.failed_max,
        failed_age_max: Duration::from_secs(config.events.failed_hours.saturating_mul(3_600)),
        ..event_invoke::Config::default()
    };
    let dependencies = Dependencies {
        random: Arc::clone(&common.random),
        table: Arc::clone(&stores.table),
        queue: Arc::clone(&stores.queue),
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
    let events = common.arrows.events(Arc::clone(&role) as Arc<dyn Events>);
    let frontend = EventFrontend::new(
        Arc::clone(&common.random),
        with.admission,
        events,
        config.account.id.clone(),
    );
    let stop = CancellationToken::new();
    let pollers = threads.spawn(role.run(with.invoker, stop.clone()));
    Ok(Plane {
        frontend: Arc::new(frontend),
        threads,
        stop,
        pollers,
    })
}

impl Plane {
    /// No more events are started; those that are being invoked end first.
    pub(in crate::process) async fn shutdown(&mut self) {
        self.stop.cancel();
        // It has ended, or has panicked and was reported; the events are in the store either way.
        let _ = (&mut self.pollers).await;
    }
}
