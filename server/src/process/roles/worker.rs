//! The worker of this machine, with its sandboxes and its packages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::logs::Logs;
use api::preparation::Preparation;
use api::worker::{Worker, Workers};
use image::{Folders, Packages};
use prometheus_client::registry::Registry;
use types::WorkerId;

use super::Common;
use crate::config::Config;
use crate::process::descriptors::Descriptors;
use crate::process::inside;
use crate::unpacker::Unpacker;
use crate::workers::OneWorker;

/// Megabytes of log a second that take a tenth of a processor to read, cut and write.
const LOG_MB_PER_PROCESSOR: u64 = 4;
/// If a package is removed, the code unpacked from it goes within this time.
const PACKAGES_EVERY_MIN: Duration = Duration::from_secs(1);
const PACKAGES_EVERY_MAX: Duration = Duration::from_secs(15 * 60);
/// Unpacked code that no environment runs takes a tenth of the disk at most, unless configured
/// otherwise.
const CACHE_SHARE: u64 = 10;
/// And at least as much as four of the largest functions take.
const CACHE_BYTES_MIN: u64 = 1 << 30;

/// What it works with.
pub(super) struct With<'s> {
    pub(super) logs: Arc<dyn Logs>,
    pub(super) id: WorkerId,
    pub(super) packages: &'s Arc<Packages>,
    pub(super) opt: Option<String>,
    pub(super) descriptors: Descriptors,
    pub(super) runtimes: worker::Runtimes,
    /// Of the API, for functions.
    pub(super) address: SocketAddr,
}

/// The worker, and ways to it.
pub(crate) struct Made {
    pub(crate) handle: worker::Handle,
    /// What weak references point to.
    pub(super) near: Arc<dyn Worker>,
    pub(super) preparation: Arc<dyn Preparation>,
    pub(super) all: Arc<dyn Workers>,
}

/// Packages, as they are unpacked for sandboxes.
fn folders(
    common: &Common<'_>,
    packages: &Arc<Packages>,
    sandboxes: &sandbox::Config,
) -> anyhow::Result<Arc<Folders>> {
    let space = &common.stores.space;
    let bytes_max = match common.config.worker.code_cache_mb {
        0 => (space.total() / CACHE_SHARE).max(CACHE_BYTES_MIN),
        given => given.saturating_mul(1024 * 1024),
    };
    let folders = Folders::open(
        Arc::clone(packages),
        sandboxes.images.clone(),
        Arc::new(Unpacker {
            user: sandboxes.confined_user(),
        }),
        space.reserve(),
        bytes_max,
    );
    Ok(Arc::new(folders.context("images/ cannot be used")?))
}

/// Starts the sandboxes and what works with them.
pub(super) async fn create(
    common: &Common<'_>,
    with: With<'_>,
    sandboxes: sandbox::Config,
    registry: &mut Registry,
) -> anyhow::Result<Made> {
    let folders = folders(common, with.packages, &sandboxes)?;
    if let Some(opt) = &with.opt {
        // Unpacked now, so that a package that cannot be unpacked is reported now.
        let account = &common.config.account.id;
        let unpacked = folders.folder(account, opt).await;
        unpacked.context("functions.opt")?;
    }
    let config = worker_config(common, &with)?;
    let engine = sandbox::ProcessEngine::start(sandboxes).await;
    let id = config.worker;
    let dependencies = worker::Dependencies {
        clock: Arc::clone(&common.clock),
        random: Arc::clone(&common.random),
        engine: engine.context("sandboxes cannot be made")?,
        folders,
        logs: with.logs,
        runtimes: with.runtimes,
        tracer: common.tracer.clone(),
    };
    let handle = worker::Handle::new(config, dependencies, registry);
    let near: Arc<dyn Worker> = Arc::new(handle.clone());
    let all = Arc::new(OneWorker {
        id,
        worker: Arc::downgrade(&near),
    });
    Ok(Made {
        preparation: Arc::new(handle.clone()),
        handle,
        near,
        all,
    })
}

/// The package that every function finds at `/opt`.
pub(super) async fn everybodys_opt(
    common: &Common<'_>,
    packages: &Packages,
) -> anyhow::Result<Option<String>> {
    let path = &common.config.functions.opt;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let zip = std::fs::read(path)
        .with_context(|| format!("functions.opt: {} cannot be read", path.display()))?;
    let published = packages
        .publish(zip.into())
        .await
        .context("functions.opt")?;
    Ok(Some(published.image))
}

fn worker_config(common: &Common<'_>, with: &With<'_>) -> anyhow::Result<worker::Config> {
    let (config, descriptors) = (common.config, with.descriptors);
    let memory_mb = memory_mb(config)?;
    let mut environment = match config.functions.api {
        true => inside::variables(),
        false => BTreeMap::new(),
    };
    environment.extend(config.functions.environment.clone());
    let folders = config.file_systems.iter();
    let folders = folders.map(|(arn, system)| Ok((arn.clone(), system.folder(arn)?)));
    Ok(worker::Config {
        worker: with.id,
        host: common.host.clone(),
        zone: common.zone.clone(),
        memory_mb,
        environments_max: descriptors.environments,
        lines_max: descriptors.lines,
        environment,
        opt: with.opt.clone(),
        file_systems: folders.collect::<anyhow::Result<_>>()?,
        api: (config.functions.api)
            .then(|| (inside::reached_at(with.address), descriptors.connections)),
        log_bytes_per_second: log_bytes_per_second(config),
        way_out: config.sandbox.network != "none",
        freeze_after: Duration::from_millis(config.worker.freeze_after_ms),
        packages_every: (Duration::from_secs(config.functions.unused_packages_seconds) / 4)
            .clamp(PACKAGES_EVERY_MIN, PACKAGES_EVERY_MAX),
        // A runtime asks for its next event within some 0.1 ms of its answer; thirty times that
        // covers a busy machine, and another environment takes longer to make.
        turn_patience: Duration::from_millis(3),
    })
}

/// How much one account's functions may print: as configured, else what takes a tenth of the processors
/// to keep.
fn log_bytes_per_second(config: &Config) -> u64 {
    let mb = match config.logs.account_mb_per_second {
        0 => {
            std::thread::available_parallelism().map_or(1, usize::from) as u64
                * LOG_MB_PER_PROCESSOR
        }
        given => given,
    };
    mb.saturating_mul(1024 * 1024)
}

/// How much memory environments may have together: as configured, else seven eighths of the machine's.
/// The rest is for the server, the system and the kernel's own use.
pub(in crate::process) fn memory_mb(config: &Config) -> anyhow::Result<u64> {
    match config.worker.memory_mb {
        0 => {
            let machine = machine_memory_mb().context("this machine's memory is not known")?;
            Ok(machine - machine / 8)
        }
        given => Ok(given),
    }
}

/// `MemTotal` of `/proc/meminfo`.
pub(in crate::process) fn machine_memory_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kb: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kb / 1024)
}
