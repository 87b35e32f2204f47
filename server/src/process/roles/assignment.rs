//! Which environments exist and which are lent: the role, over its journal.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::credentials::RoleCredentials;
use api::membership::{State, View};
use api::placement::Placement;
use api::worker::Workers;
use assignment::{Leads, LiveWorkers, Service, partition_names};
use membership::ASSIGNMENT;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use types::WorkerId;

use super::Common;
use crate::config::Config;
use crate::process::network::Network;
use crate::process::patience::within;
use crate::process::seen::seen;

/// If a process that leads a partition is silent for this long, another one leads it.
const TERM: Duration = Duration::from_secs(3);

/// What it calls.
pub(super) struct With {
    pub(super) placement: Arc<dyn Placement>,
    pub(super) credentials: Arc<dyn RoleCredentials>,
    pub(super) workers: Arc<dyn Workers>,
    /// The one worker of an all-in-one process.
    pub(super) worker: WorkerId,
}

/// The role, running.
pub(crate) struct Made {
    pub(super) service: Arc<Service>,
    /// In a cluster: leads by leases.
    leasing: Option<Leasing>,
}

struct Leasing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Reads the journals of what is led here, and starts.
pub(super) async fn create(
    common: &Common<'_>,
    with: With,
    network: Option<&Network>,
    registry: &mut Registry,
    background: &mut JoinSet<()>,
) -> anyhow::Result<Made> {
    let config = assignment_config(common.config);
    let (leads, leasing, live) = match network {
        Some(network) => {
            let (leads, leasing) = lease(common, network, config.partitions);
            let live = seen(network.views(), background, workers);
            (leads, Some(leasing), live)
        }
        None => {
            let live = LiveWorkers {
                alive: [with.worker].into(),
                ..LiveWorkers::default()
            };
            (Leads::all(config.partitions), None, watch::channel(live).1)
        }
    };
    let dependencies = assignment::Dependencies {
        clock: Arc::clone(&common.clock),
        random: Arc::clone(&common.random),
        journal: Arc::clone(&common.stores.shared().journal),
        placement: with.placement,
        credentials: with.credentials,
        workers: with.workers,
        live,
    };
    let metrics = assignment::Metrics::new(registry);
    let service = Service::start(config, dependencies, leads, metrics);
    let service = within("the journals of environments", service).await?;
    Ok(Made {
        service: Arc::new(service.context("assignment cannot be started")?),
        leasing,
    })
}

/// Takes part in leading: as many partitions as the other processes.
fn lease(common: &Common<'_>, network: &Network, partitions: u32) -> (Leads, Leasing) {
    let (wanting, wants) = watch::channel(partition_names(partitions));
    let config = leasing::Config {
        group: ASSIGNMENT.to_owned(),
        holder: network.process().to_string(),
        term: TERM,
        // By the journal, and by the workers.
        fenced: true,
    };
    let table = Arc::clone(&common.stores.shared().leases);
    let (member, held) = leasing::Member::new(config, table, wants);
    let led = watch::Sender::default();
    let member = member.until_let_go(led.subscribe());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        member.run(stopped).await;
        drop(wanting);
    });
    (Leads::of(held, led), Leasing { stop, task })
}

/// Which workers there are.
fn workers(view: &View) -> LiveWorkers {
    let mut live = LiveWorkers::default();
    for member in &view.members {
        let Some(worker) = member.worker else {
            continue;
        };
        live.alive.insert(worker);
        if member.state == State::Draining || view.draining_hosts.contains(&member.host) {
            live.draining.insert(worker);
        }
    }
    live
}

impl Made {
    /// Lets other processes lead what is led here. Nothing, if this one is alone.
    pub(in crate::process) async fn hand_over(&mut self) {
        let Some(leasing) = self.leasing.take() else {
            return;
        };
        leasing.stop.cancel();
        self.service.hand_over().await;
        // It has ended, or has panicked and was reported.
        let _ = leasing.task.await;
    }

    /// Ends all environments, if this process is alone.
    pub(in crate::process) fn drain(&self) {
        self.service.drain();
    }

    /// The same, and waits until they have ended.
    pub(in crate::process) async fn shutdown(&self) {
        self.service.shutdown().await;
    }
}

fn assignment_config(config: &Config) -> assignment::Config {
    assignment::Config {
        partitions: config.assignment.partitions,
        idle_timeout: Duration::from_secs(config.assignment.idle_seconds),
        provisioned_per_second: config.limits.provisioned_per_second,
        ..assignment::Config::default()
    }
}
