//! `lambent up` and `lambent run`: a process with all roles, or with some of a cluster's.
//!
//! ```text
//!   configuration ─▶ admin address ─▶ data folder ─▶ bind ─▶ stores ─▶ roles ─▶ listen ─▶ `ready` ─▶ serve ─▶ drain
//! ```
//!
//! Signals are handled from the first moment: whatever a start waits for, it ends on a signal. The
//! server does not listen before it can answer.
//!
//! All-in-one and cluster differ only in which roles [`what`] names and what is put behind the `Arc<dyn …>`s of
//! [`stores`] and [`arrows`].

mod admin_address;
mod arrows;
mod descriptors;
mod doors;
mod drain;
mod draining;
mod event_threads;
mod exporter;
mod freed;
mod inside;
mod limits;
mod network;
mod others;
mod patience;
mod prepare;
mod pressure;
mod roles;
mod seen;
mod signals;
pub(crate) mod stores;
mod what;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::{Clock, Random, Role, SystemClock, SystemRandom, WorkerId};

use crate::admin::Shown;
use crate::config::Config;
use crate::front_door::{self, Bound, Ending, Ways};
use crate::roots::{self, Languages};
use crate::terminal::say;
use crate::versions;
use crate::{cli, telemetry};
use doors::Doors;
use network::Network;
use prepare::{Prepared, prepare};
use roles::Given;
use signals::Signals;
use stores::Stores;
use what::What;
pub(crate) use {roles::WITH_KEYS, stores::cluster::leases};

/// What still runs when everything is over is not waited for any longer.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// The whole system, until it is told to stop.
pub(crate) fn up(options: &cli::Up) -> anyhow::Result<ExitCode> {
    telemetry::start();
    let config = configuration(options)?;
    begin(config, What::whole(), options.accept_older_data)
}

/// Some roles of a cluster, until it is told to stop.
pub(crate) fn run(options: &cli::Run) -> anyhow::Result<ExitCode> {
    telemetry::start();
    let config = configuration(&options.up)?;
    let what = What::part(&config.cluster, &options.roles, options.zone.as_deref())?;
    begin(config, what, false)
}

fn begin(config: Config, what: What, accept_older_data: bool) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("no runtime could be started")?;
    let signals = runtime.block_on(async { Signals::new() })?;
    let events = event_threads::start(&config)?;
    let start = Start {
        config,
        what,
        accept_older_data,
        threads: events.handle().clone(),
        shown: Shown::default(),
    };
    let ended = runtime.block_on(serve(start, signals));
    // What hangs in a disk that does not answer would hang here, too. A start that was interrupted is
    // not waited for: it has acknowledged nothing.
    let patience = match ended {
        Ok(Ended::AfterServing) => ENDS_WITHIN,
        _ => Duration::ZERO,
    };
    runtime.shutdown_timeout(patience);
    events.shutdown_timeout(patience);
    ended.map(|_| ExitCode::SUCCESS)
}

/// When it was told to stop.
enum Ended {
    BeforeReady,
    AfterServing,
}

/// What a start begins with.
struct Start {
    config: Config,
    what: What,
    accept_older_data: bool,
    /// Of the asynchronous plane.
    threads: Handle,
    shown: Shown,
}

/// What exists when the start is over.
struct Started {
    running: roles::Running,
    /// Of clients, concurrently at each address.
    connections: usize,
    /// `None` if no clients are answered here.
    doors: Option<Doors>,
}

fn configuration(options: &cli::Up) -> anyhow::Result<Config> {
    let mut config = Config::load(options.config.as_deref(), std::env::vars())?;
    if let Some(listen) = &options.listen {
        config.listen.clone_from(listen);
    }
    if let Some(data_dir) = &options.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    Ok(config)
}

/// Everything up to the moment when requests can be answered.
async fn start(start: Start) -> anyhow::Result<Started> {
    let Start {
        config,
        what,
        accept_older_data,
        threads,
        shown,
    } = start;
    let chance: (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let Prepared {
        data,
        mut languages,
        sandboxes,
        descriptors,
    } = {
        let (config, what) = (config.clone(), what.clone());
        patience::aside("the data folder", move || prepare(&config, &what)).await?
    };
    let doors = match what.has(Role::Frontend) {
        true => Some(Doors::bind(&config, sandboxes.is_some()).await?),
        false => None,
    };
    let others = match &what.member {
        Some(_) => Some(network::bind(&config.cluster).await?),
        None => None,
    };
    let (strict, runtimes) = (config.runtimes.strict, &languages);
    let looking = runtimes.as_ref().map(|found| found.runtimes.clone());
    let looking = looking.map(versions::Looking::begin).transpose()?;
    let stores = open(
        &config,
        &what,
        data.path(),
        accept_older_data,
        &chance,
        &threads,
    )
    .await?;
    if let (Some(looking), Some(languages)) = (looking, &mut languages) {
        look(looking, strict, languages).await?;
    }
    let worker = WorkerId::random(chance.1.as_ref());
    let runtimes = languages.as_ref().map(|found| &found.runtimes);
    let network = match others {
        Some(others) => Some(join(&config, &what, others, (worker, runtimes), &stores).await?),
        None => None,
    };
    let secrets = match &what.member {
        Some(_) => config.cluster.directory.clone(),
        None => data.path().to_owned(),
    };
    let address = match &doors {
        Some(doors) => doors.address(),
        // Only its port is used.
        None => config
            .listen
            .parse()
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9_100))),
    };
    let running = roles::start(Given {
        config,
        what,
        data,
        secrets,
        languages,
        sandboxes,
        descriptors,
        stores,
        network,
        worker,
        address,
        inside: doors.as_ref().and_then(Doors::inside),
        threads,
        chance,
    });
    let running = running.await?;
    shown.count_in(Arc::clone(&running.registry));
    Ok(Started {
        running,
        connections: descriptors.connections,
        doors,
    })
}

async fn open(
    config: &Config,
    what: &What,
    folder: &Path,
    accept_older_data: bool,
    (clock, random): &(Arc<dyn Clock>, Arc<dyn Random>),
    threads: &Handle,
) -> anyhow::Result<Stores> {
    match what.member {
        None => stores::embedded::open(config, folder, accept_older_data, threads).await,
        Some(_) => {
            let chance = (Arc::clone(clock), Arc::clone(random));
            stores::cluster::open(config, folder, what.needs_shared(), chance).await
        }
    }
}

async fn join(
    config: &Config,
    what: &What,
    others: (Bound, SocketAddr),
    (worker, runtimes): (WorkerId, Option<&worker::Runtimes>),
    stores: &Stores,
) -> anyhow::Result<Network> {
    let table = what
        .needs_shared()
        .then(|| Arc::clone(&stores.shared().leases));
    let worker = what.has(Role::Worker).then(|| {
        let runtimes = runtimes.map(roots::of_worker).unwrap_or_default();
        (worker, runtimes)
    });
    Network::join(config, what, others, worker, table).await
}

/// Which runtimes are what their names say.
async fn look(
    looking: versions::Looking,
    strict: bool,
    languages: &mut Languages,
) -> anyhow::Result<()> {
    if strict {
        let table = looking.table().await?;
        versions::tell(&table);
        languages.runtimes.refused = versions::refused(&table);
    } else {
        // Nobody waits for it: to ask a virtual machine for its version takes a tenth of a second.
        tokio::spawn(async move {
            if let Ok(table) = looking.table().await {
                versions::tell(&table);
            }
        });
    }
    Ok(())
}

async fn serve(from: Start, mut signals: Signals) -> anyhow::Result<Ended> {
    let account = from.config.account.id.clone();
    let bounds = limits::bounds(&from.config)?;
    let ways = match from.what.has(Role::Frontend) {
        true => Some(Ways::open(&from.config.requests)?),
        false => None,
    };
    let shown = from.shown.clone();
    // Who watches the start is answered, until the process ends.
    let _watched = admin_address::serve(&from.config.admin, shown.clone()).await?;
    let starting = tokio::spawn(start(from));
    let started = tokio::select! {
        biased;
        () = signals.told_to_stop() => {
            tracing::info!("stopped before it was ready");
            return Ok(Ended::BeforeReady);
        }
        started = starting => started.context("the start panicked")??,
    };
    let Started {
        mut running,
        connections,
        doors,
    } = started;
    running.background.spawn(freed::give_back());
    let stop = CancellationToken::new();
    let ending = Ending::at(&stop);
    if let (Some(network), Some(_)) = (&running.network, &running.entry) {
        let others = others::watch(network.views(), &mut running.background);
        shown.readiness.ask("members", others);
    }
    let mut serving = JoinSet::new();
    if let (Some(doors), Some(entry), Some(ways)) = (doors, running.entry.clone(), ways) {
        let bounds = front_door::Bounds {
            connections: bounds.connections.min(connections),
            connections_of_one: bounds.connections_of_one.min(connections),
            ..bounds
        };
        running.background.spawn(ways.clone().keep_current());
        let url = doors.open((entry, ways, bounds), &mut serving, &ending)?;
        shown.readiness.started();
        say!("lambent ready at {url}");
        tracing::info!(
            url,
            data_dir = %running.data.path().display(),
            %account,
            "serving; credentials are in the data folder"
        );
    } else {
        shown.readiness.started();
        say!("lambent ready");
    }
    signals.told_to_stop().await;
    shown.readiness.stopping();
    drain::end_in_time();
    tracing::info!(
        "stopping when the invokes under way have finished; a second signal cuts them off"
    );
    if let Some(network) = &running.network {
        ending.leaving.cancel();
        if let Some(worker) = &running.worker {
            worker.handle.leave().await;
        }
        network.drain().await;
    }
    stop.cancel();
    drain::drain(running, serving, signals.told_to_stop()).await;
    Ok(Ended::AfterServing)
}
