//! The roles of an all-in-one server, each behind its arrow.

mod assignment;
mod control;
mod events;
mod frontend;
mod identity;
mod logs;
mod placing;
mod worker;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ::frontend::Frontend;
use api::assignment::Assignment;
use api::worker::Worker;
use authn::{Authenticator, Regions};
use image::Packages;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use types::{Clock, Random, SystemClock, SystemRandom};

use super::arrows::Arrows;
use super::descriptors::Descriptors;
use super::patience::within;
use super::stores::Stores;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::dispatch::Dispatch;
use crate::roots::Languages;
pub(super) use worker::{machine_memory_mb, memory_mb};

/// The roles, running.
pub(crate) struct Running {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) frontend: Arc<Frontend>,
    pub(crate) events: events::Plane,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) assignment: Arc<::assignment::Service>,
    pub(crate) worker: ::worker::Handle,
    /// Keeps alive what the other roles' weak references point to.
    pub(crate) _near: Arc<dyn Worker>,
    pub(crate) registry: Arc<Mutex<Registry>>,
    pub(super) stores: Stores,
    /// Held to the end.
    pub(crate) data: DataDir,
    /// What runs until the end: watches, timers.
    pub(crate) background: JoinSet<()>,
}

/// What every role is made of, in addition to the other roles.
struct Common<'s> {
    config: &'s Config,
    stores: &'s Stores,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    arrows: Arrows,
}

impl Common<'_> {
    fn regions(&self) -> Regions {
        self.config.account.served_regions().into_iter().collect()
    }
}

/// The roles from the bottom of the picture up.
pub(super) async fn start(
    config: Config,
    data: DataDir,
    languages: Languages,
    (sandboxes, descriptors): (sandbox::Config, Descriptors),
    stores: Stores,
    (address, threads): (SocketAddr, Handle),
) -> anyhow::Result<Running> {
    let common = Common {
        config: &config,
        stores: &stores,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        arrows: Arrows::new(&config),
    };
    let arrows = &common.arrows;
    let mut registry = Registry::with_prefix("lambent");
    let mut background = JoinSet::new();

    let keyring = identity::keyring(&common, &data)?;
    let identity = identity::create(&common, &keyring, &mut background);
    let logs = logs::create(&common, &keyring, &mut registry, &mut background);
    let placement = placing::placement(&common, &mut registry, &mut background);
    let counting = placing::counting(&common, &mut registry, &mut background);

    let packages = Arc::new(Packages::new(Arc::clone(&stores.blobs)));
    let folders = worker::folders(&common, &packages, &sandboxes)?;
    let opt = worker::everybodys_opt(&common, &packages, &folders).await?;
    let with = worker::With {
        folders,
        opt: opt.clone(),
        descriptors,
        runtimes: languages.runtimes.clone(),
        address,
    };
    let worker = worker::create(&common, with, sandboxes, &mut registry).await?;
    let workers = arrows.workers(worker.all);
    let placing = arrows.placement(placement);
    let with = assignment::With {
        placement: Arc::clone(&placing),
        credentials: arrows.credentials(keyring.keys.clone()),
        workers: Arc::clone(&workers),
    };
    let assignment = assignment::create(&common, with, &mut registry).await?;
    let assigning = arrows.assignment(Arc::clone(&assignment) as Arc<dyn Assignment>);
    worker.handle.connect(Arc::clone(&assigning), placing);

    let with = control::With {
        keyring: &keyring,
        code: packages,
        preparation: arrows.preparation(Arc::new(worker.handle.clone())),
        opt,
        assignment: Arc::clone(&assigning),
        runtimes: &languages.runtimes,
        address,
    };
    let control = control::create(&common, with, &mut registry, &mut background)?;
    let random = Arc::clone(&common.random);
    let dispatch = Dispatch::new(control, identity, logs, random, &mut registry);

    let admission = frontend::admission(&common, &keyring, &mut background).await?;
    let with = frontend::With {
        admission: Arc::clone(&admission),
        counting: arrows.counting(counting),
        assignment: assigning,
        workers,
    };
    let frontend = frontend::create(&common, with, &mut registry);
    let registry = Arc::new(Mutex::new(registry));
    let with = events::With {
        credentials: arrows.credentials(keyring.keys),
        admission,
        invoker: arrows.invoker(frontend.invoker()),
    };
    let events = events::start(&common, with, threads, &registry);
    let events = within("the queues of events", events).await??;
    Ok(Running {
        dispatch: Arc::new(dispatch),
        frontend,
        events,
        authenticator: keyring.authenticator,
        assignment,
        worker: worker.handle,
        _near: worker.near,
        registry,
        stores,
        data,
        background,
    })
}
