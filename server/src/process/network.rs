//! A process among others: says that it lives, learns who else does, and is called by them.

mod agreed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use api::membership::{Member, Membership, Runtimes, State, View};
use far::Served;
use membership::{Announcer, Keeper, Views};
use storage::Table;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use types::{ProcessId, SystemRandom, WorkerId};

use super::patience::within;
use super::what::{Credentials, What};
use crate::config::{self, Config};
use crate::front_door::{self, Bound};
use crate::routes::Routes;

/// Until others have seen that this process drains, they give it more to do: some beats, and a call on its way.
pub(super) const SEEN_WITHIN: Duration = Duration::from_millis(1_500);

/// See the module.
pub(super) struct Network {
    pub(super) routes: Arc<Routes>,
    process: ProcessId,
    views: Views,
    membership: Means,
    credentials: Credentials,
    bound: Option<Bound>,
    /// What runs until the end.
    saying: JoinHandle<()>,
    serving: Option<JoinHandle<()>>,
    stop_saying: CancellationToken,
    stop_serving: CancellationToken,
}

/// How this process says that it lives.
#[derive(Clone)]
enum Means {
    Keeper(Arc<Keeper>),
    Announcer(Arc<Announcer>),
}

/// The address at which others will call, taken before anything else is done.
pub(super) async fn bind(config: &config::Cluster) -> anyhow::Result<(Bound, SocketAddr)> {
    let bound = front_door::bind(&config.listen).await;
    let bound = bound.context("cluster.listen")?;
    let address = match config.address.as_str() {
        "" => bound.address(),
        given => address(given).await.context("cluster.address")?,
    };
    if address.ip().is_unspecified() {
        bail!(
            "cluster.address: {} is every address of this host; say at which one the others reach it",
            config.listen
        );
    }
    let port = match address.port() {
        0 => bound.address().port(),
        given => given,
    };
    Ok((bound, SocketAddr::new(address.ip(), port)))
}

async fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host(text)
        .await
        .with_context(|| format!("{text} is not an address"))?;
    found
        .next()
        .with_context(|| format!("{text} is no address"))
}

impl Network {
    /// Joins the others, who are told that this process is not ready yet, and waits until it knows who they are. `table`
    /// is where the members are; a worker alone has none. `worker` is its worker, and what that runs.
    pub(super) async fn join(
        config: &Config,
        what: &What,
        (bound, address): (Bound, SocketAddr),
        worker: Option<(WorkerId, Runtimes)>,
        table: Option<Arc<dyn Table>>,
    ) -> anyhow::Result<Self> {
        let credentials = what.member.clone().context("it has no certificate")?;
        let (worker, runtimes) = worker.unzip();
        let own = Member {
            process: ProcessId::random(&SystemRandom),
            host: credentials.peer.host.clone(),
            zone: credentials.peer.zone.clone(),
            roles: what.roles.clone(),
            address,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            worker,
            runtimes: runtimes.unwrap_or_default(),
            state: State::Starting,
        };
        let process = own.process;
        let place = (process, own.zone.clone());
        let identity = credentials.identity.clone();
        let partitions = config.assignment.partitions.max(1);
        let stop_saying = CancellationToken::new();
        let stopped = stop_saying.clone();
        let (membership, routes, saying, views);
        match table {
            Some(table) => {
                within(
                    "the cluster's table",
                    agreed::partitions(table.as_ref(), partitions),
                )
                .await??;
                let keeper = Keeper::new(table, own);
                views = keeper.views();
                routes = Routes::new(views.clone(), place, identity, partitions);
                saying = tokio::spawn(Arc::clone(&keeper).run(stopped));
                membership = Means::Keeper(keeper);
            }
            None => {
                let (sender, receiver) = watch::channel(Arc::<View>::default());
                views = receiver;
                routes = Routes::new(views.clone(), place, identity, partitions);
                let mut seeds = Vec::new();
                for seed in &config.cluster.seeds {
                    seeds.push(self::address(seed).await.context("cluster.seeds")?);
                }
                if seeds.is_empty() {
                    bail!(
                        "cluster.seeds: a worker needs addresses of processes with the role placement"
                    );
                }
                let announcer = Announcer::new(routes.membership(seeds), own, sender);
                saying = tokio::spawn(Arc::clone(&announcer).run(stopped));
                membership = Means::Announcer(announcer);
            }
        }
        let mut known = views.clone();
        let seen = known.wait_for(|view| !view.members.is_empty());
        within("the cluster's members", seen).await??;
        Ok(Self {
            routes: Arc::new(routes),
            process,
            views,
            membership,
            credentials,
            bound: Some(bound),
            saying,
            serving: None,
            stop_saying,
            stop_serving: CancellationToken::new(),
        })
    }

    /// This process, as others know it.
    pub(super) fn process(&self) -> ProcessId {
        self.process
    }

    /// Who is alive.
    pub(super) fn views(&self) -> Views {
        self.views.clone()
    }

    /// The host it runs on, as its certificate says.
    pub(super) fn host(&self) -> &str {
        &self.credentials.peer.host
    }

    /// By whom workers are written down, if this process can do that.
    pub(super) fn keeper(&self) -> Option<Arc<dyn Membership>> {
        match &self.membership {
            Means::Keeper(keeper) => Some(Arc::clone(keeper) as Arc<dyn Membership>),
            Means::Announcer(_) => None,
        }
    }

    /// Answers calls from now on, and says so.
    pub(super) fn serve(&mut self, served: Served) -> anyhow::Result<()> {
        let bound = self.bound.take().context("it serves already")?;
        let (listener, address) = bound.listen()?;
        tracing::info!(%address, host = self.credentials.peer.host, zone = self.credentials.peer.zone, "other processes are answered");
        let serving = serve(
            served.knowing(self.views()),
            listener,
            self.credentials.clone(),
            self.views(),
            self.stop_serving.clone(),
        );
        self.serving = Some(tokio::spawn(serving));
        self.set_state(State::Ready);
        Ok(())
    }

    /// Asks for nothing new, and waits until the others know.
    pub(super) async fn drain(&self) {
        self.set_state(State::Draining);
        tokio::time::sleep(SEEN_WITHIN).await;
    }

    /// Finishes the calls under way, and strikes itself out.
    pub(super) async fn leave(self) {
        self.stop_serving.cancel();
        if let Some(serving) = self.serving {
            // It has ended, or has panicked and was reported.
            let _ = serving.await;
        }
        self.stop_saying.cancel();
        let _ = self.saying.await;
    }

    fn set_state(&self, state: State) {
        match &self.membership {
            Means::Keeper(keeper) => keeper.set_state(state),
            Means::Announcer(announcer) => announcer.set_state(state),
        }
    }
}

async fn serve(
    served: Served,
    listener: TcpListener,
    credentials: Credentials,
    views: Views,
    stop: CancellationToken,
) {
    let identity = credentials.identity.clone();
    let revoking = async {
        let mut views = views;
        // Ends with the process.
        while views.changed().await.is_ok() {
            let revoked = views.borrow_and_update().revoked.clone();
            identity.revoke(revoked);
        }
    };
    let serving = served.serve(listener, &credentials.identity, stop);
    let served = tokio::select! {
        served = serving => served,
        () = revoking => Ok(()),
    };
    if let Err(error) = served {
        tracing::error!(%error, "other processes are answered no more");
    }
}
