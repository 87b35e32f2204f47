//! The asynchronous plane of one process: what it takes, and the pollers of the queues it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::credentials::RoleCredentials;
use api::invoke::Invoker;
use leasing::Held;
use prometheus_client::registry::Registry;
use storage::{Queue, Table, Timely};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use types::{Clock, Pressure, Random};

use crate::accept::Intake;
use crate::budget::Budget;
use crate::config::Config;
use crate::destinations::Destinations;
use crate::destinations::peers::{Endpoints, Peers, Services};
use crate::gone::Gone;
use crate::manager::{Manager, Memory};
use crate::metrics::Metrics;
use crate::parts;
use crate::poller::{Beat, poll};
use crate::pressure;
use crate::router::Router;
use crate::settings::Settings;
use crate::windows::Windows;
use crate::work::{DELIVERIES_MAX, Work};

/// The group of leases.
pub(crate) const GROUP: &str = "event-queues";
/// A store that has not answered for this long is no longer waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How often pollers are looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the asynchronous plane works with.
pub struct Dependencies {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and choices.
    pub random: Arc<dyn Random>,
    /// Settings, leases, the number of queues.
    pub table: Arc<dyn Table>,
    /// The events.
    pub queue: Arc<dyn Queue>,
    /// Keys of functions' roles.
    pub credentials: Arc<dyn RoleCredentials>,
    /// Speaks to destinations.
    pub client: Arc<aws::Client>,
    /// Where they are.
    pub endpoints: Endpoints,
    /// Signs to destinations instead of functions' roles.
    pub key: Option<aws::Keys>,
    /// How busy the machine is.
    pub pressure: Arc<dyn Pressure>,
}

/// See the module. It takes events from the moment it is made; they are worked on while
/// [`EventInvoke::run`] runs.
pub struct EventInvoke {
    pub(crate) config: Config,
    pub(crate) with: Dependencies,
    pub(crate) router: Arc<Router>,
    settings: Arc<Settings>,
    pub(crate) intake: Arc<Intake>,
    peers: Arc<dyn Peers>,
    metrics: Arc<Metrics>,
    gone: Arc<Gone>,
}

impl EventInvoke {
    /// Nothing is taken yet.
    pub fn new(config: Config, with: Dependencies, registry: &mut Registry) -> Arc<Self> {
        let peers = Arc::new(Services {
            client: Arc::clone(&with.client),
            endpoints: with.endpoints.clone(),
        });
        Self::with_peers(config, with, peers, registry)
    }

    /// Outcomes go to `peers` instead of the services themselves.
    pub(crate) fn with_peers(
        config: Config,
        mut with: Dependencies,
        peers: Arc<dyn Peers>,
        registry: &mut Registry,
    ) -> Arc<Self> {
        with.table = Arc::new(Timely::new(with.table, ANSWER_WITHIN));
        with.queue = Arc::new(Timely::new(with.queue, ANSWER_WITHIN));
        let router = Arc::new(Router::new());
        let settings = Arc::new(Settings::new(Arc::clone(&with.table)));
        let metrics = Arc::new(Metrics::new(registry));
        let intake = Arc::new(Intake::new(
            Arc::clone(&with.clock),
            Arc::clone(&with.queue),
            (Arc::clone(&router), Arc::clone(&settings)),
            Arc::clone(&metrics),
            (config.accepting_bytes_max, config.kept),
        ));
        Arc::new(Self {
            config,
            with,
            router,
            settings,
            intake,
            peers,
            metrics,
            gone: Arc::default(),
        })
    }

    /// Works on events until `stop`; then finishes those that are being invoked.
    pub async fn run(self: Arc<Self>, invoker: Arc<dyn Invoker>, stop: CancellationToken) {
        let windows = |turns| Arc::new(Windows::new(Arc::clone(&self.with.clock), turns));
        let (windows, deliveries) = (windows(self.config.concurrency), windows(DELIVERIES_MAX));
        let settings = Arc::clone(&self.settings);
        let (wanted, wants) = watch::channel(BTreeSet::new());
        let (hold, held) = watch::channel(BTreeSet::new());
        let leave = CancellationToken::new();
        let mut background = JoinSet::new();
        let (this, both) = (Arc::clone(&self), [windows.clone(), deliveries.clone()]);
        let asked = Arc::clone(&invoker);
        background.spawn(parts::keep("queue manager", move || {
            this.manager(both.clone(), wanted.clone(), Arc::clone(&asked))
                .run()
        }));
        let (pressure, most) = (Arc::clone(&self.with.pressure), self.config.concurrency);
        let adapted = Arc::clone(&windows);
        background.spawn(parts::keep("pressure", move || {
            pressure::follow(Arc::clone(&pressure), Arc::clone(&adapted), most)
        }));
        let watched = Arc::clone(&settings);
        background.spawn(parts::keep("event settings", move || {
            let watched = Arc::clone(&watched);
            async move { watched.watch().await }
        }));
        let mut leases = JoinSet::new();
        let table = Arc::clone(&self.with.table);
        leases.spawn(parts::lease(
            self.leases(),
            table,
            wants,
            leave.clone(),
            hold,
        ));
        let work = Arc::new(self.work([windows, deliveries], Arc::clone(&settings), invoker));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = settings.current() => supervise(work, held, stop.clone()).await,
        }
        leave.cancel();
        // It ends when the leases are given back, or cannot be and lapse.
        let _ = leases.join_next().await;
        background.shutdown().await;
    }

    fn leases(&self) -> leasing::Config {
        leasing::Config {
            group: GROUP.to_owned(),
            holder: self.config.holder.clone(),
            term: self.config.lease_term,
            fenced: false,
        }
    }

    fn manager(
        &self,
        windows: [Arc<Windows>; 2],
        wanted: watch::Sender<BTreeSet<String>>,
        invoker: Arc<dyn Invoker>,
    ) -> Manager {
        Manager {
            config: self.config.clone(),
            clock: Arc::clone(&self.with.clock),
            table: Arc::clone(&self.with.table),
            queue: Arc::clone(&self.with.queue),
            router: Arc::clone(&self.router),
            windows,
            metrics: Arc::clone(&self.metrics),
            wanted,
            invoker,
            gone: Arc::clone(&self.gone),
            memory: Memory::new(),
        }
    }

    fn work(
        &self,
        [windows, deliveries]: [Arc<Windows>; 2],
        settings: Arc<Settings>,
        invoker: Arc<dyn Invoker>,
    ) -> Work {
        let with = &self.with;
        let destinations = Destinations {
            random: Arc::clone(&with.random),
            peers: Arc::clone(&self.peers),
            credentials: Arc::clone(&with.credentials),
            key: with.key.clone(),
            intake: Arc::clone(&self.intake),
            invoker: Arc::clone(&invoker),
        };
        Work {
            clock: Arc::clone(&with.clock),
            random: Arc::clone(&with.random),
            queue: Arc::clone(&with.queue),
            router: Arc::clone(&self.router),
            windows,
            deliveries,
            settings,
            metrics: Arc::clone(&self.metrics),
            invoker,
            destinations,
            gone: Arc::clone(&self.gone),
            budget: Budget::new(self.config.working_bytes_max),
            config: self.config.clone(),
        }
    }
}

/// A poller at work.
struct Running {
    stop: CancellationToken,
    beat: Arc<Beat>,
    task: AbortHandle,
}

/// Has a poller for each queue that is held: begins them, tells them to stop when the queue is not
/// held any more, and replaces those that have died or show no life.
async fn supervise(work: Arc<Work>, mut held: Held, stop: CancellationToken) {
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let now = held.borrow_and_update().clone();
        running.retain(|queue, poller| {
            let dead = poller.beat.silence() >= work.config.silence_max;
            if dead {
                tracing::error!(queue, "an event poller is unresponsive and is replaced");
            }
            // Told to stop, it finishes what it has started, as soon as it can; the next holder of the queue
            // need not wait.
            let kept = now.contains(queue) && !dead && !poller.task.is_finished();
            kept || {
                poller.stop.cancel();
                false
            }
        });
        for queue in now {
            running.entry(queue).or_insert_with_key(|queue| {
                let stop = CancellationToken::new();
                let beat = Arc::new(Beat::new());
                let queue = Arc::from(queue.as_str());
                let task = tasks.spawn(poll(
                    Arc::clone(&work),
                    queue,
                    Arc::clone(&beat),
                    stop.clone(),
                ));
                Running { stop, beat, task }
            });
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next() => if let Err(error) = ended && error.is_panic() {
                tracing::error!(%error, "an event poller panicked and is replaced");
            },
            changed = held.changed() => if changed.is_err() {
                // Nobody is left to hold anything.
                break;
            },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    for poller in running.values() {
        poller.stop.cancel();
    }
    while tasks.join_next().await.is_some() {}
}
