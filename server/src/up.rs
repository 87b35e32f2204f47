//! `lambent up`: the whole system in one process.
//!
//! ```text
//!   configuration ─▶ data folder ─▶ bind ─▶ stores ─▶ roles ─▶ `ready` ─▶ serve ─▶ drain
//! ```
//!
//! All-in-one and cluster differ only in what is put behind the `Arc<dyn …>`s here.

mod drain;
mod event_threads;
mod events;
mod inside;
mod pressure;
mod roles;

use std::os::unix::fs::DirBuilderExt as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use types::{Random, SystemRandom};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::front_door::{self, FrontDoor};
use crate::roots::{Languages, languages};
use crate::{cli, telemetry};

/// Serves until it is told to stop.
pub(crate) fn up(options: &cli::Up) -> anyhow::Result<ExitCode> {
    telemetry::start();
    let config = configuration(options)?;
    let data = DataDir::open(&config.data_dir)?;
    let languages = languages(&config.runtimes)?;
    let sandboxes = sandboxes(&config, &data, &languages)?;
    let swept =
        sandbox::sweep(&sandboxes.tag).context("a former run cannot be cleaned up after")?;
    if swept.processes + swept.cgroups > 0 {
        tracing::info!(
            processes = swept.processes,
            cgroups = swept.cgroups,
            "left-overs of a killed run are removed"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("no runtime could be started")?;
    let events = event_threads::start(&config)?;
    let threads = events.handle().clone();
    runtime.block_on(serve(config, data, languages, sandboxes, threads))?;
    Ok(ExitCode::SUCCESS)
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
        network,
        door: config.functions.api.then_some(inside::PORT),
    })
}

async fn serve(
    config: Config,
    data: DataDir,
    languages: Languages,
    sandboxes: sandbox::Config,
    threads: Handle,
) -> anyhow::Result<()> {
    // From here on a signal is not lost, however early it comes.
    let mut signals = Signals::new()?;
    let (listener, address) = front_door::bind(&config.listen).await?;
    let admin = match config.admin.listen.as_str() {
        "" => None,
        listen => Some(front_door::bind(listen).await?),
    };
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let events = match config.events.listen.as_str() {
        "" => None,
        listen => Some(front_door::bind(listen).await?),
    };
    let started = roles::start(&config, &data, languages, sandboxes, (address, threads));
    let mut running = started.await?;
    if let Some((listener, address)) = admin {
        tracing::info!(%address, "metrics are served");
        running
            .background
            .spawn(crate::admin::serve(listener, Arc::clone(&running.registry)));
    }
    let (control, frontend) = (running.control.clone(), running.frontend.clone());
    let of_events = front_door::Events {
        frontend: running.events.frontend.clone(),
        threads: running.events.threads.clone(),
    };
    let identities = running.identities.clone();
    let door = Arc::new(FrontDoor::new(
        control, frontend, of_events, identities, random,
    ));
    let (stop, stopped) = watch::channel(false);
    let mut serving = JoinSet::new();
    serving.spawn(Arc::clone(&door).serve(listener, stopped.clone()));
    if let Some((listener, address)) = events {
        tracing::info!(%address, "events are taken here too");
        serving.spawn_on(door.serve(listener, stopped), &running.events.threads);
    }
    println!("lambent ready at http://{address}");
    tracing::info!(
        %address,
        data_dir = %data.path().display(),
        account = %config.account.id,
        "serving; credentials are in the data folder"
    );
    signals.told_to_stop().await;
    tracing::info!("stopping: invokes under way are finished first");
    stop.send_replace(true);
    drain::drain(running, serving).await;
    Ok(())
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
