//! `lambent up`: the whole system in one process.
//!
//! ```text
//!   configuration ─▶ data folder ─▶ bind ─▶ stores ─▶ roles ─▶ listen ─▶ `ready` ─▶ serve ─▶ drain
//! ```
//!
//! Signals are handled from the first moment: whatever a start waits for, it ends on a signal. The
//! server does not listen before it can answer.
//!
//! All-in-one and cluster differ only in what is put behind the `Arc<dyn …>`s here.

mod admin_address;
mod arrows;
mod descriptors;
mod drain;
mod event_threads;
mod freed;
mod inside;
mod patience;
mod pressure;
mod roles;
mod stores;

use std::os::unix::fs::DirBuilderExt as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::front_door::{self, Bound, FrontDoor};
use crate::roots::{Languages, languages};
use crate::terminal::say;
use crate::versions;
use crate::{cli, telemetry};
use admin_address::AdminAddress;
use descriptors::{Descriptors, Wanted};

/// What still runs when everything is over is not waited for any longer.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// The least that requests may take together: the largest, which brings a package, has 67 MB.
const REQUESTS_MB_MIN: u64 = 128;

/// Serves until it is told to stop.
pub(crate) fn up(options: &cli::Up) -> anyhow::Result<ExitCode> {
    telemetry::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("no runtime could be started")?;
    let signals = runtime.block_on(async { Signals::new() })?;
    let config = configuration(options)?;
    let events = event_threads::start(&config)?;
    let start = Start {
        config,
        accept_older_data: options.accept_older_data,
        threads: events.handle().clone(),
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
    accept_older_data: bool,
    /// Of the asynchronous plane.
    threads: Handle,
}

/// What exists when the start is over.
struct Started {
    running: roles::Running,
    /// Of clients, concurrently at each address.
    connections: usize,
    api: Bound,
    admin: Option<AdminAddress>,
    events: Option<Bound>,
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

fn sandboxes(
    config: &Config,
    data: &DataDir,
    languages: &Languages,
) -> anyhow::Result<sandbox::Config> {
    let images = data.path().join("images");
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&images);
    made.with_context(|| format!("{} cannot be made", images.display()))?;
    let network = match config.sandbox.network.as_str() {
        "none" => sandbox::Network::None,
        "nat" => sandbox::Network::Nat(sandbox::Nat {
            subnet: config.sandbox.nat.subnet,
            allow_host_ports: config.sandbox.nat.allow_host_ports.clone(),
            allow_private: config.sandbox.nat.allow_private,
        }),
        other => bail!("sandbox.network: {other} is neither none nor nat"),
    };
    Ok(sandbox::Config {
        tag: data.tag(),
        roots: languages.roots.clone(),
        images,
        first_uid: match config.sandbox.first_uid {
            0 => data.first_uid(),
            given => given,
        },
        pool: config.sandbox.pool,
        memory_bytes: roles::memory_mb(config)?.saturating_mul(1 << 20),
        network,
        door: config.functions.api.then_some(inside::PORT),
    })
}

fn descriptors(config: &Config, sandboxes: &sandbox::Config) -> anyhow::Result<Descriptors> {
    let shares = Descriptors::claim(Wanted {
        addresses: 1 + u64::from(!config.events.listen.is_empty()),
        roots: sandboxes.roots.len() as u64,
        pool: config.sandbox.pool as u64,
    })?;
    if shares.pool < config.sandbox.pool {
        tracing::warn!(
            pool = shares.pool,
            environments = shares.environments,
            "the limit of open files is low: fewer sandboxes are kept ready than configured"
        );
    }
    Ok(shares)
}

/// Everything up to the moment when requests can be answered.
async fn start(start: Start) -> anyhow::Result<Started> {
    let Start {
        config,
        accept_older_data,
        threads,
    } = start;
    let (data, languages, sandboxes, descriptors) = {
        let config = config.clone();
        patience::aside("the data folder", move || prepare(&config)).await?
    };
    let api = front_door::bind(&config.listen).await.context("listen")?;
    let admin = AdminAddress::bind(&config.admin).await?;
    let events = match config.events.listen.as_str() {
        "" => None,
        listen => Some(front_door::bind(listen).await.context("events.listen")?),
    };
    let (strict, runtimes) = (config.runtimes.strict, languages.runtimes.clone());
    let looking = versions::Looking::begin(runtimes)?;
    let stores = stores::open(&config, data.path(), accept_older_data, &threads).await?;
    let mut languages = languages;
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
    let with = (api.address(), threads);
    let connections = descriptors.connections;
    let sandboxes = (sandboxes, descriptors);
    let running = roles::start(config, data, languages, sandboxes, stores, with).await?;
    Ok(Started {
        running,
        connections,
        api,
        admin,
        events,
    })
}

/// What is done before anything runs, and blocks.
fn prepare(config: &Config) -> anyhow::Result<(DataDir, Languages, sandbox::Config, Descriptors)> {
    let data = DataDir::open(&config.data_dir)?;
    let languages = languages(&config.runtimes)?;
    let mut sandboxes = sandboxes(config, &data, &languages)?;
    let descriptors = descriptors(config, &sandboxes)?;
    sandboxes.pool = descriptors.pool;
    let swept =
        sandbox::sweep(&sandboxes.tag).context("what a former run left cannot be cleaned up")?;
    if swept.processes + swept.cgroups > 0 {
        tracing::info!(
            processes = swept.processes,
            cgroups = swept.cgroups,
            "removing what a killed run left"
        );
    }
    Ok((data, languages, sandboxes, descriptors))
}

async fn serve(from: Start, mut signals: Signals) -> anyhow::Result<Ended> {
    let account = from.config.account.id.clone();
    let bounds = bounds(&from.config)?;
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
        api,
        admin,
        events,
    } = started;
    running.background.spawn(freed::give_back());
    let stop = CancellationToken::new();
    if let Some(admin) = admin {
        let (listener, address) = admin.listen().await?;
        tracing::info!(%address, "metrics are served");
        let shown = crate::admin::Shown {
            registry: Arc::clone(&running.registry),
            stopping: stop.clone(),
        };
        running
            .background
            .spawn(crate::admin::serve(listener, shown));
    }
    let (dispatch, frontend) = (running.dispatch.clone(), running.frontend.clone());
    let of_events = front_door::Events {
        frontend: running.events.frontend.clone(),
        threads: running.events.threads.clone(),
    };
    let authenticator = running.authenticator.clone();
    let bounds = front_door::Bounds {
        connections: bounds.connections.min(connections),
        connections_of_one: bounds.connections_of_one.min(connections),
        ..bounds
    };
    let door = Arc::new(FrontDoor::new(
        dispatch,
        frontend,
        of_events,
        authenticator,
        bounds,
    ));
    let mut serving = JoinSet::new();
    let (listener, address) = api.listen()?;
    serving.spawn(Arc::clone(&door).serve(listener, stop.clone()));
    if let Some(bound) = events {
        let (listener, address) = bound.listen()?;
        tracing::info!(%address, "events are also accepted here");
        serving.spawn_on(door.serve(listener, stop.clone()), &running.events.threads);
    }
    say!("lambent ready at http://{address}");
    tracing::info!(
        %address,
        data_dir = %running.data.path().display(),
        %account,
        "serving; credentials are in the data folder"
    );
    signals.told_to_stop().await;
    drain::end_in_time();
    tracing::info!(
        "stopping when the invokes under way have finished; a second signal cuts them off"
    );
    stop.cancel();
    drain::drain(running, serving, signals.told_to_stop()).await;
    Ok(Ended::AfterServing)
}

/// The limits of the front door.
fn bounds(config: &Config) -> anyhow::Result<front_door::Bounds> {
    const MB: u64 = 1024 * 1024;
    let requests = &config.requests;
    if requests.connections == 0 || requests.connections_per_address == 0 {
        bail!("requests.connections, requests.connections_per_address: must be at least 1");
    }
    let memory_mb = match requests.memory_mb {
        // An eighth of the machine.
        0 => (roles::machine_memory_mb().unwrap_or(0) / 8).clamp(REQUESTS_MB_MIN, 1024),
        given if given < REQUESTS_MB_MIN => {
            bail!(
                "requests.memory_mb: {given} is not enough for a package: at least {REQUESTS_MB_MIN}"
            )
        }
        given => given,
    };
    Ok(front_door::Bounds {
        connections: requests.connections,
        connections_of_one: requests.connections_per_address,
        bytes: memory_mb.saturating_mul(MB),
    })
}

/// What tells the server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be awaited")?,
        })
    }

    /// Returns on SIGTERM or SIGINT.
    async fn told_to_stop(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
