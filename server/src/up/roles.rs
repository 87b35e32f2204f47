//! The roles of an all-in-one server, each behind its arrow.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admission::{Admission, Metadata};
use anyhow::{Context as _, anyhow, bail};
use api::Secret;
use api::assignment::Assignment;
use api::counting::Counting;
use api::credentials::RoleCredentials;
use api::logs::Logs;
use api::placement::Placement;
use api::worker::{Worker, Workers};
use authn::Authenticator;
use authn::identity::Identities;
use control::{Control, Keys, MasterSecret, RootKey};
use frontend::Frontend;
use image::Images;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use types::{Clock, Random, SystemClock, SystemRandom, WorkerId};

use super::descriptors::Descriptors;
use super::events::{self, Plane};
use super::inside;
use super::pressure::Processors;
use super::stores::Stores;
use crate::config::{Config, UnknownRoles, Urls};
use crate::data_dir::DataDir;
use crate::packages;
use crate::roots::Languages;
use crate::unpacker::Unpacker;
use crate::workers::OneWorker;

/// The roles, running.
pub(crate) struct Running {
    pub(crate) control: Arc<Control>,
    pub(crate) frontend: Arc<Frontend>,
    pub(crate) events: Plane,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) assignment: Arc<assignment::Service>,
    pub(crate) worker: worker::Handle,
    /// What the other roles' weak references lead to.
    pub(crate) _near: Arc<dyn Worker>,
    pub(crate) registry: Arc<Mutex<Registry>>,
    pub(super) stores: Stores,
    /// Held to the end.
    pub(crate) data: DataDir,
    /// What goes on until the end: watches, timers.
    pub(crate) background: JoinSet<()>,
}

/// A part of a start that takes longer has failed.
const START_WITHIN: Duration = Duration::from_secs(60);
/// Megabytes of log a second that take a tenth of a processor to read, cut and write.
const LOG_MB_PER_PROCESSOR: u64 = 4;

/// Does work of a start that blocks, and does not wait for it for ever.
pub(super) async fn aside<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    aside_on(&Handle::current(), what, work).await?
}

/// The same beside those threads.
pub(super) async fn aside_on<T: Send + 'static>(
    threads: &Handle,
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let done = within(what, threads.spawn_blocking(work)).await?;
    done.with_context(|| format!("{what}: this has panicked"))
}

/// Waits for a part of a start, but not for ever.
async fn within<T>(what: &'static str, work: impl Future<Output = T>) -> anyhow::Result<T> {
    let done = tokio::time::timeout(START_WITHIN, work).await;
    done.map_err(|_| anyhow!("{what}: nothing was heard of it for {START_WITHIN:?}"))
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
    let config = &config;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let mut registry = Registry::with_prefix("lambent");
    let mut background = JoinSet::new();

    let path = data.path();
    let (table, journal) = (Arc::clone(&stores.table), Arc::clone(&stores.journal));
    let logs = Arc::clone(&stores.logs);
    let images = Images::open(
        Arc::clone(&stores.blobs),
        sandboxes.images.clone(),
        Arc::new(Unpacker {
            user: sandboxes.confined_user(),
        }),
        stores.space.reserve(),
    );
    let images = Arc::new(images.context("images/ cannot be used")?);

    let master = MasterSecret::open(&path.join("secret"), random.as_ref());
    let master = Arc::new(master.context("secret cannot be used")?);
    let roots = root_keys(config, &data, random.as_ref())?;
    let unknown_roles = control::UnknownRoles {
        accepted: config.functions.unknown_roles == UnknownRoles::Accept,
        actions: config.functions.role_actions.clone(),
    };
    let keys = Keys::new(
        roots,
        &unknown_roles,
        &master,
        Arc::clone(&table),
        Arc::clone(&clock),
        Arc::clone(&random),
    );
    let operator_key = config.operator_key();
    let keys = keys.context("functions.role_actions")?;
    let keys = Arc::new(keys.with_operator_key(operator_key.clone()));

    let placement = Arc::new(placement::Service::new(
        placement_config(config),
        Arc::clone(&clock),
        Arc::clone(&random),
        placement::Metrics::new(&mut registry),
    ));
    background.spawn(forever(
        Arc::clone(&placement),
        |p| async move { p.run().await },
    ));
    let counting = Arc::new(counting::Service::new(
        counting::Config::default(),
        Arc::clone(&clock),
        counting::Metrics::new(&mut registry),
    ));
    background.spawn(forever(
        Arc::clone(&counting),
        |c| async move { c.run().await },
    ));

    let engine = sandbox::ProcessEngine::start(sandboxes).await;
    let opt = everybodys_opt(config, &images).await?;
    let operators_packages = opt.iter().cloned().collect();
    let worker_config = worker::Config {
        api: (config.functions.api).then(|| (inside::reached_at(address), descriptors.connections)),
        ..worker_config(config, opt, descriptors, random.as_ref())?
    };
    let runtimes_here = runtimes_here(&languages.runtimes);
    let worker_id = worker_config.worker;
    let with = worker::Dependencies {
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        engine: engine.context("sandboxes cannot be made")?,
        images: Arc::clone(&images),
        logs: Arc::clone(&logs) as Arc<dyn Logs>,
        runtimes: languages.runtimes.clone(),
    };
    let worker = worker::Handle::new(worker_config, with, &mut registry);
    let near: Arc<dyn Worker> = Arc::new(worker.clone());
    let workers: Arc<dyn Workers> = Arc::new(OneWorker {
        id: worker_id,
        worker: Arc::downgrade(&near),
    });

    let placing = Arc::clone(&placement) as Arc<dyn Placement>;
    let dependencies = assignment::Dependencies {
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        journal,
        placement: Arc::clone(&placing),
        credentials: Arc::clone(&keys) as Arc<dyn RoleCredentials>,
        workers: Arc::clone(&workers),
    };
    let metrics = assignment::Metrics::new(&mut registry);
    let assignment = assignment::Service::start(assignment_config(config), dependencies, metrics);
    let assignment = within("the journals of environments", assignment).await?;
    let assignment = Arc::new(assignment.context("assignment cannot be started")?);
    let assigning = Arc::clone(&assignment) as Arc<dyn Assignment>;
    worker.connect(Arc::clone(&assigning), placing);

    let identities = Arc::clone(&keys) as Arc<dyn Identities>;
    let authenticator = Authenticator::new(Arc::clone(&identities), Arc::clone(&clock));
    let authenticator = Arc::new(authenticator);
    let metrics = control::Metrics::new(&mut registry, &logs, &images);
    let (control, settler, keeper) = Control::new(control::Dependencies {
        table: Arc::clone(&stores.callers_table),
        images,
        packages: packages::source(&config.aws, &clock)?,
        identities,
        authenticator: Arc::clone(&authenticator),
        master,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        config: control::Config {
            regions: config.account.served_regions(),
            account_concurrency: config.account.concurrency,
            runtimes: runtimes_here,
            runtimes_refused: languages.runtimes.refused.clone(),
            urls: urls(&config.urls, address)?,
            rates: control::Rates {
                get_function: config.limits.get_function_per_second,
                get_policy: config.limits.get_policy_per_second,
                others: config.limits.control_plane_per_second,
            },
            architecture: worker::host_architecture().to_owned(),
            code_bytes_max: config.limits.code_storage_bytes,
            upload_bytes_max: match config.limits.upload_bytes {
                0 => stores.space.total() / 8,
                given => given,
            },
            vpc_id: config.functions.vpc_id.clone(),
            unused_packages_kept: Duration::from_secs(config.functions.unused_packages_seconds),
            operators_packages,
            unknown_roles_accepted: unknown_roles.accepted,
            operator_key,
            access_points: config.file_systems.keys().cloned().collect(),
            log_retention_days: Some(config.logs.retention_days).filter(|days| *days > 0),
        },
        logs: Arc::clone(&logs),
        metrics,
    });
    background.spawn(settler.run());
    background.spawn(keeper.run());
    background.spawn(control.key_uses().run());
    background.spawn(control.unused_packages().run());
    background.spawn(control.provisioner(Arc::clone(&assigning)).run());

    let metadata = Metadata::new(Arc::clone(&table));
    let (told, mut ready) = mpsc::channel(1);
    background.spawn(Arc::clone(&metadata).watch(told));
    let current = within("the metadata of functions", ready.recv()).await?;
    current
        .context("function metadata is not watched")?
        .context("function metadata cannot be read")?;
    let admission = Admission::new(
        Arc::clone(&clock),
        Arc::clone(&random),
        Arc::clone(&authenticator),
        metadata,
    );
    let frontend = Frontend::new(
        frontend::Config {
            zone: Some(config.worker.zone.clone()),
            account_concurrency: config.account.concurrency,
            stream_burst_bytes: config.streaming.burst_bytes,
            stream_bytes_per_second: config.streaming.bytes_per_second,
            url_scheme: config.urls.scheme.clone(),
        },
        frontend::Dependencies {
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            admission: Arc::clone(&admission),
            counting: counting as Arc<dyn Counting>,
            assignment: assigning,
            workers,
            pressure: Arc::new(Processors),
        },
        &mut registry,
    );
    let registry = Arc::new(Mutex::new(registry));
    let with = events::With {
        clock,
        random,
        table,
        credentials: keys,
        admission,
        invoker: frontend.invoker(),
    };
    let events = events::start(config, &stores, with, threads, &registry);
    let events = within("the queues of events", events).await??;
    Ok(Running {
        control: Arc::new(control),
        frontend,
        events,
        authenticator,
        assignment,
        worker,
        _near: near,
        registry,
        stores,
        data,
        background,
    })
}

/// Owns what it runs.
async fn forever<S, F: Future<Output = ()>>(service: Arc<S>, run: impl FnOnce(Arc<S>) -> F) {
    run(service).await;
}

/// The key of the data folder, and those of the configuration.
fn root_keys(config: &Config, data: &DataDir, random: &dyn Random) -> anyhow::Result<Vec<RootKey>> {
    let first = data.root_key(&config.account.region, random)?;
    data.hand_over_credentials();
    let mut keys = vec![RootKey {
        access_key_id: first.id,
        secret: Secret::new(first.secret),
        account: config.account.id.clone(),
    }];
    keys.extend(config.access_keys.iter().map(|key| RootKey {
        access_key_id: key.id.clone(),
        secret: Secret::new(key.secret.clone()),
        account: key.account.clone(),
    }));
    Ok(keys)
}

/// How function URLs are written by a server at `address`.
fn urls(config: &Urls, address: SocketAddr) -> anyhow::Result<control::Urls> {
    let Urls { scheme, domain } = config;
    if !matches!(scheme.as_str(), "http" | "https") {
        bail!("urls.scheme: {scheme} is neither http nor https");
    }
    let domain = match domain.as_str() {
        // Browsers, curl and most resolvers take every name below it for the loopback.
        "" => format!("localhost:{}", address.port()),
        domain => domain.to_owned(),
    };
    let scheme = scheme.clone();
    Ok(control::Urls { scheme, domain })
}

fn placement_config(config: &Config) -> placement::Config {
    placement::Config {
        overcommit: config.placement.overcommit,
        lease_min: Duration::from_secs(config.placement.lease_seconds_min),
        lease_max: Duration::from_secs(config.placement.lease_seconds_max),
        ..placement::Config::default()
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

/// The package that every function finds at `/opt`.
async fn everybodys_opt(config: &Config, images: &Images) -> anyhow::Result<Option<String>> {
    let path = &config.functions.opt;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let zip = std::fs::read(path)
        .with_context(|| format!("functions.opt: {} cannot be read", path.display()))?;
    let published = images.publish(zip.into()).await.context("functions.opt")?;
    // Unpacked now, so that a package that cannot be is told of now.
    images
        .folder(&config.account.id, &published.image)
        .await
        .context("functions.opt")?;
    Ok(Some(published.image))
}

fn worker_config(
    config: &Config,
    opt: Option<String>,
    descriptors: Descriptors,
    random: &dyn Random,
) -> anyhow::Result<worker::Config> {
    let memory_mb = memory_mb(config)?;
    let mut environment = match config.functions.api {
        true => inside::variables(),
        false => BTreeMap::new(),
    };
    environment.extend(config.functions.environment.clone());
    let folders = config.file_systems.iter();
    let folders = folders.map(|(arn, system)| Ok((arn.clone(), system.folder(arn)?)));
    Ok(worker::Config {
        worker: WorkerId::random(random),
        zone: config.worker.zone.clone(),
        memory_mb,
        environments_max: descriptors.environments,
        lines_max: descriptors.lines,
        environment,
        opt,
        file_systems: folders.collect::<anyhow::Result<_>>()?,
        api: None,
        log_bytes_per_second: log_bytes_per_second(config),
        way_out: config.sandbox.network != "none",
        freeze_after: Duration::from_millis(config.worker.freeze_after_ms),
        // A runtime asks for its next event within some 0.1 ms of its answer; thirty times that
        // covers a busy machine, and another environment takes longer to make.
        turn_patience: Duration::from_millis(3),
    })
}

/// What one account's functions may print: as configured, else what takes a tenth of the processors to keep.
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

/// What environments may have together: as configured, else seven eighths of what the machine has. The
/// rest is for the server, the system and the kernel's own use.
pub(super) fn memory_mb(config: &Config) -> anyhow::Result<u64> {
    match config.worker.memory_mb {
        0 => {
            let machine = machine_memory_mb().context("this machine's memory is not known")?;
            Ok(machine - machine / 8)
        }
        given => Ok(given),
    }
}

/// `MemTotal` of `/proc/meminfo`.
pub(super) fn machine_memory_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kb: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kb / 1024)
}

/// What of the worker's runtimes functions may name.
fn runtimes_here(runtimes: &worker::Runtimes) -> control::RuntimesHere {
    control::RuntimesHere {
        families: runtimes.families.keys().cloned().collect(),
        exact: runtimes.exact.keys().cloned().collect(),
    }
}
