//! The roles of a process, each behind its arrow: all of them in one process, or some of a cluster's.

mod assignment;
mod control;
mod events;
mod frontend;
mod identity;
mod labels;
mod logs;
mod placing;
mod runtimes;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use admission::Admission;
use api::assignment::Assignment;
use api::credentials::RoleCredentials;
use api::requests::Requests;
use authn::Regions;
use far::Served;
use image::Packages;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use traces::Tracer;
use types::{Clock, Random, Role, WorkerId};

use super::arrows::Arrows;
use super::descriptors::Descriptors;
use super::draining;
use super::exporter;
use super::network::Network;
use super::patience::within;
use super::stores::Stores;
use super::what::What;
use crate::cluster;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::dispatch::{Dispatch, Forward, Operations};
use crate::front_door::Entry;
use crate::roots::Languages;
pub(super) use worker::{machine_memory_mb, memory_mb};

/// The roles, running.
pub(crate) struct Running {
    /// What clients' requests are taken to, if this process takes any.
    pub(crate) entry: Option<Entry>,
    pub(crate) dispatch: Option<Arc<Dispatch>>,
    pub(crate) pollers: Option<events::Pollers>,
    pub(crate) assignment: Option<assignment::Made>,
    pub(crate) worker: Option<worker::Made>,
    /// What its functions print.
    pub(crate) printed: Option<logs::Taker>,
    pub(crate) registry: Arc<Mutex<Registry>>,
    pub(super) stores: Stores,
    pub(super) network: Option<Network>,
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
    host: String,
    zone: String,
    tracer: Tracer,
}

impl Common<'_> {
    fn regions(&self) -> Regions {
        self.config.account.served_regions().into_iter().collect()
    }
}

/// What the roles of a process are started with.
pub(super) struct Given {
    pub(super) config: Config,
    pub(super) what: What,
    pub(super) data: DataDir,
    /// Where the secrets of the installation are.
    pub(super) secrets: PathBuf,
    pub(super) languages: Option<Languages>,
    pub(super) sandboxes: Option<sandbox::Config>,
    pub(super) descriptors: Descriptors,
    pub(super) stores: Stores,
    pub(super) network: Option<Network>,
    pub(super) worker: WorkerId,
    /// Where clients are answered.
    pub(super) address: SocketAddr,
    /// Where functions are, if they are answered here.
    pub(super) inside: Option<SocketAddr>,
    /// Of the asynchronous plane.
    pub(super) threads: Handle,
    pub(super) chance: (Arc<dyn Clock>, Arc<dyn Random>),
}

/// The roles that read what is sealed with the installation's keys.
pub(crate) const WITH_KEYS: [Role; 3] = [Role::Control, Role::Identity, Role::Frontend];

/// The roles from the bottom of the picture up.
pub(super) async fn start(given: Given) -> anyhow::Result<Running> {
    let Given {
        config,
        what,
        data,
        stores,
        mut network,
        ..
    } = given;
    let (clock, random) = given.chance;
    let mut background = JoinSet::new();
    let tracer = exporter::start(&config, &what, (&clock, &random), &mut background)?;
    let common = Common {
        config: &config,
        stores: &stores,
        clock,
        random,
        arrows: match &network {
            Some(network) => Arrows::Far(Arc::clone(&network.routes)),
            None => Arrows::near(&config),
        },
        host: what.host(),
        zone: match &what.member {
            Some(member) => member.peer.zone.clone(),
            None => config.worker.zone.clone(),
        },
        tracer,
    };
    let arrows = &common.arrows;
    let mut registry = labels::registry(&what);
    let mut served = Served::default();

    let keyring = match what.has_any(&WITH_KEYS) {
        true => Some(identity::keyring(&common, &given.secrets)?),
        false => None,
    };
    if what.member.is_none() {
        // Made with the keys, if it was missing.
        data.hand_over_credentials();
    }
    if let Some(keyring) = &keyring {
        identity::note_uses(&common, keyring, &mut background);
    }
    let near = keyring.as_ref().filter(|_| what.has(Role::Identity));
    let near = near.map(|keyring| Arc::clone(&keyring.keys) as Arc<dyn RoleCredentials>);
    if let Some(near) = &near {
        served.credentials(Arc::clone(near));
    }
    let credentials = arrows.credentials(near);

    let near = what.has(Role::Placement).then(|| {
        let near = placing::placement(&common, &mut registry, &mut background);
        served.placement(Arc::clone(&near));
        near
    });
    let placing = arrows.placement(near);
    let near = what.has(Role::Counting).then(|| {
        let near = placing::counting(&common, &mut registry, &mut background);
        served.counting(Arc::clone(&near));
        near
    });
    let counting = arrows.counting(near);

    let packages = Arc::new(Packages::new(Arc::clone(&stores.blobs)));
    let opt = worker::everybodys_opt(&common, &packages).await?;
    let (mut worker, mut printed) = (None, None);
    if let (Some(sandboxes), Some(languages)) = (given.sandboxes, &given.languages) {
        let taker = logs::taker(&common, &mut registry);
        if let Some(recent) = &taker.recent {
            served.recent_logs(Arc::clone(recent));
        }
        let with = worker::With {
            logs: Arc::clone(&taker.logs),
            id: given.worker,
            packages: &packages,
            opt: opt.clone(),
            descriptors: given.descriptors,
            runtimes: languages.runtimes.clone(),
            address: given.inside.unwrap_or(given.address),
        };
        let made = worker::create(&common, with, sandboxes, &mut registry).await?;
        served.worker(Arc::clone(&made.near));
        served.preparation(Arc::clone(&made.preparation));
        worker = Some(made);
        printed = Some(taker);
    }
    let near = worker.as_ref().map(|made| Arc::clone(&made.all));
    let workers = arrows.workers(near);

    let mut assignment = None;
    if what.has(Role::Assignment) {
        let with = assignment::With {
            placement: Arc::clone(&placing),
            credentials: Arc::clone(&credentials),
            workers: Arc::clone(&workers),
            worker: given.worker,
        };
        let network = network.as_ref();
        let made =
            assignment::create(&common, with, network, &mut registry, &mut background).await?;
        served.assignment(Arc::clone(&made.service) as Arc<dyn Assignment>);
        assignment = Some(made);
    }
    let near = assignment.as_ref();
    let near = near.map(|made| Arc::clone(&made.service) as Arc<dyn Assignment>);
    let assigning = arrows.assignment(near);
    if let Some(worker) = &worker {
        worker
            .handle
            .connect(Arc::clone(&assigning), Arc::clone(&placing));
        if let Some(network) = &network {
            let (views, host) = (network.views(), network.host().to_owned());
            background.spawn(draining::follow(views, host, worker.handle.clone()));
        }
    }

    let mut dispatch = None;
    if let (true, Some(keyring)) = (what.has(Role::Control), &keyring) {
        let near = worker.as_ref().map(|made| Arc::clone(&made.preparation));
        let (logs, keeper) = logs::create(&common, keyring, network.as_ref(), &mut registry);
        let languages = given.languages.as_ref();
        let runtimes = &config.runtimes;
        let runtimes = runtimes::runtimes(runtimes, languages, network.as_ref(), &mut background);
        let with = control::With {
            logs: keeper,
            keyring,
            code: Arc::clone(&packages),
            preparation: arrows.preparation(near),
            opt,
            assignment: Arc::clone(&assigning),
            placement: Arc::clone(&placing),
            runtimes,
            network: network.as_ref(),
            address: given.address,
        };
        let control = control::create(&common, with, &mut registry, &mut background)?;
        let identity = identity::create(&common, keyring, &mut background);
        let random = Arc::clone(&common.random);
        let made = Arc::new(Dispatch::new(
            control,
            identity,
            logs,
            random,
            &mut registry,
        ));
        served.requests(Arc::clone(&made) as Arc<dyn Requests>);
        dispatch = Some(made);
    }

    let mut frontend = None;
    let mut admission: Option<Arc<Admission>> = None;
    if let (true, Some(keyring)) = (what.has(Role::Frontend), &keyring) {
        let checks = frontend::admission(&common, keyring, &mut background).await?;
        let with = frontend::With {
            admission: Arc::clone(&checks),
            counting,
            assignment: assigning,
            workers,
        };
        let made = frontend::create(&common, with, &mut registry)?;
        served.invoker(made.invoker());
        frontend = Some(made);
        admission = Some(checks);
    }

    let near = frontend.as_ref().map(|made| made.invoker());
    let mut pollers = None;
    let mut near_events = None;
    let registry = Arc::new(Mutex::new(registry));
    if what.has(Role::EventInvoke) {
        let with = events::With {
            credentials,
            invoker: arrows.invoker(near),
        };
        let made = events::start(&common, with, given.threads.clone(), &registry);
        let made = within("the queues of events", made).await??;
        served.events(Arc::clone(&made.near));
        near_events = Some(Arc::clone(&made.near));
        pollers = Some(made);
    }

    let mut entry = None;
    if let (Some(frontend), Some(admission), Some(keyring)) = (frontend, admission, &keyring) {
        let operations: Arc<dyn Operations> = match (&dispatch, &network) {
            (Some(near), _) => Arc::clone(near) as Arc<dyn Operations>,
            (None, Some(network)) => {
                let random = Arc::clone(&common.random);
                Arc::new(Forward::new(network.routes.requests(None), random))
            }
            (None, None) => unreachable!("one process has every role"),
        };
        let events = arrows.events(near_events);
        let events = events::frontend(&common, admission, events);
        entry = Some(Entry {
            operations,
            frontend,
            events: Arc::new(events),
            authenticator: Arc::clone(&keyring.authenticator),
            tracer: common.tracer.clone(),
            threads: given.threads,
        });
    }
    if let (Some(network), Some(member)) = (&network, &what.member) {
        let own = cluster::Own {
            config: &config,
            identity: &member.identity,
            clock: &common.clock,
            random: &common.random,
        };
        let others = match (what.has(Role::Control), &keyring) {
            (true, Some(keyring)) => cluster::Others::Here {
                table: Arc::clone(&stores.shared().leases),
                keyring: &keyring.master,
            },
            _ => cluster::Others::There(network.routes.enrolment(None)),
        };
        if let Some(enrolment) = cluster::begin(own, others, &mut background).await? {
            served.enrolment(enrolment);
        }
    }
    if let Some(network) = &mut network {
        if let Some(keeper) = network.keeper() {
            served.membership(keeper);
        }
        served.health();
        network.serve(served)?;
    }
    Ok(Running {
        entry,
        dispatch,
        pollers,
        assignment,
        worker,
        printed,
        registry,
        stores,
        network,
        data,
        background,
    })
}
