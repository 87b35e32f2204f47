//! The entry point of invokes, and the checks of each before it runs or is queued.

use std::sync::Arc;

use admission::{Admission, Metadata};
use anyhow::Context as _;
use api::assignment::Assignment;
use api::counting::Counting;
use api::worker::Workers;
use frontend::{Config, Dependencies, Frontend};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Common;
use super::identity::Keyring;
use crate::process::patience::within;
use crate::process::pressure::Processors;

/// What it calls.
pub(super) struct With {
    pub(super) admission: Arc<Admission>,
    pub(super) counting: Arc<dyn Counting>,
    pub(super) assignment: Arc<dyn Assignment>,
    pub(super) workers: Arc<dyn Workers>,
}

/// The checks of every invoke: ready when it knows all functions.
pub(super) async fn admission(
    common: &Common<'_>,
    keyring: &Keyring,
    background: &mut JoinSet<()>,
) -> anyhow::Result<Arc<Admission>> {
    let metadata = Metadata::new(Arc::clone(&common.stores.shared().table));
    let (told, mut ready) = mpsc::channel(1);
    background.spawn(Arc::clone(&metadata).watch(told));
    let current = within("the metadata of functions", ready.recv()).await?;
    current
        .context("function metadata is not watched")?
        .context("function metadata cannot be read")?;
    Ok(Admission::new(
        Arc::clone(&common.clock),
        Arc::clone(&common.random),
        Arc::clone(&keyring.authenticator),
        metadata,
    ))
}

pub(super) fn create(
    common: &Common<'_>,
    with: With,
    registry: &mut Registry,
) -> anyhow::Result<Arc<Frontend>> {
    let config = common.config;
    let made = Frontend::new(
        Config {
            zone: Some(common.zone.clone()),
            account_concurrency: config.account.concurrency,
            stream_burst_bytes: config.streaming.burst_bytes,
            stream_bytes_per_second: config.streaming.bytes_per_second,
            url_scheme: config.url_scheme()?.to_owned(),
        },
        Dependencies {
            clock: Arc::clone(&common.clock),
            random: Arc::clone(&common.random),
            admission: with.admission,
            counting: with.counting,
            assignment: with.assignment,
            workers: with.workers,
            pressure: Arc::new(Processors),
            tracer: common.tracer.clone(),
        },
        registry,
    );
    Ok(made)
}
