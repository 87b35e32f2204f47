//! The stores of a cluster: tables, journals and queues in NATS, blobs in S3. A process that is a worker alone has the
//! blobs only: it runs what is hostile, and must not hold the metadata of all accounts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jetstream::{Bucket, Login, S3, Settings, Sync};
use storage::{Blobs, Consistency, Table, Timely};
use types::{Clock, Random, SystemClock, SystemRandom};

use super::embedded::space;
use super::{ANSWER_WITHIN, BLOB_WITHIN, Shared, Stores};
use crate::config::{self, Cluster, Config, Nats};
use crate::process::patience::within;

/// How long a call is tried again while servers elect a leader.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_millis(500);
/// Functions, their settings, and all that callers create.
const METADATA: &str = "metadata";
/// Who lives, and who does what: written all the time.
const LEASES: &str = "leases";

/// The row that says that a restore into this cluster has begun and not come to its end.
pub(crate) const UNFINISHED: &str = "restore/unfinished";

/// What is copied of a cluster, and who lives.
pub(crate) struct ClusterStores {
    blobs: Arc<dyn Blobs>,
    shared: Shared,
    /// Rows that say who is alive.
    pub(crate) leases: Arc<dyn Table>,
}

impl ClusterStores {
    /// What is copied.
    pub(crate) fn stores(&self) -> backup::Stores {
        backup::Stores {
            table: Arc::clone(&self.shared.table),
            queue: Arc::clone(&self.shared.queue),
            blobs: Arc::clone(&self.blobs),
        }
    }
}

/// The stores for a command about the whole cluster, which is no process of it.
pub(crate) async fn cluster_stores(config: &Cluster) -> anyhow::Result<ClusterStores> {
    let blobs = blobs(config)?;
    let chance: (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let shared = shared(&config.nats, &blobs, chance.0, chance.1);
    let shared = within("NATS", shared).await??;
    Ok(ClusterStores {
        leases: Arc::clone(&shared.leases),
        blobs,
        shared,
    })
}

/// Opens what this process needs of them; `folder` is its own.
pub(in crate::process) async fn open(
    config: &Config,
    folder: &Path,
    needs_shared: bool,
    (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
) -> anyhow::Result<Stores> {
    let blobs = blobs(&config.cluster)?;
    let shared = match needs_shared {
        true => Some(within("NATS", shared(&config.cluster.nats, &blobs, clock, random)).await??),
        false => None,
    };
    if let Some(shared) = &shared {
        refuse_half(shared.table.as_ref()).await?;
    }
    Ok(Stores {
        blobs,
        shared,
        logs: None,
        space: Arc::new(space(config, folder)?),
        kept_bytes: config.cluster.stores_gb.saturating_mul(1 << 30),
        files: None,
    })
}

fn blobs(config: &Cluster) -> anyhow::Result<Arc<dyn Blobs>> {
    let s3 = &config.s3;
    let blobs = Arc::new(S3::open(&bucket(s3, &s3.bucket)?).context("cluster.s3")?);
    Ok(Arc::new(Timely::new(blobs, BLOB_WITHIN)))
}

/// A bucket of the cluster's store.
pub(crate) fn bucket(s3: &config::S3, name: &str) -> anyhow::Result<Bucket> {
    if s3.endpoint.is_empty() {
        bail!("cluster.s3.endpoint: a cluster needs a store of blobs that speaks S3's protocol");
    }
    Ok(Bucket {
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        name: name.to_owned(),
        key_id: s3.access_key_id.clone(),
        secret: s3.secret_access_key.clone(),
    })
}

/// Refuses a cluster in which only a part of a backup is.
pub(crate) async fn refuse_half(table: &dyn Table) -> anyhow::Result<()> {
    let mark = table.get(UNFINISHED, Consistency::Strong).await;
    if mark.context("the table metadata")?.is_some() {
        bail!("a restore into this cluster has not come to its end: run it again");
    }
    Ok(())
}

/// The table in which the cluster's members and certificates are, alone.
pub(crate) async fn leases(
    nats: &Nats,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> anyhow::Result<Arc<dyn Table>> {
    let cluster = connect(nats, clock, random).await?;
    let leases = cluster.rows(LEASES).await.context("the table leases")?;
    Ok(Arc::new(Timely::new(Arc::new(leases), ANSWER_WITHIN)))
}

async fn connect(
    nats: &Nats,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> anyhow::Result<jetstream::Cluster> {
    let settings = settings(nats)?;
    loop {
        let connect =
            jetstream::Cluster::connect(settings.clone(), Arc::clone(&clock), Arc::clone(&random));
        match connect.await {
            Ok(cluster) => return Ok(cluster),
            Err(error @ jetstream::Error::Unfit { .. }) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "NATS cannot be used yet; it is tried again"
                );
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn shared(
    nats: &Nats,
    blobs: &Arc<dyn Blobs>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> anyhow::Result<Shared> {
    let cluster = connect(nats, clock, random).await?;
    let metadata = cluster.rows(METADATA).await.context("the table metadata")?;
    let leases = cluster.rows(LEASES).await.context("the table leases")?;
    let journals = cluster.journals().await.context("the journals")?;
    let queues = cluster
        .queues(Arc::clone(blobs))
        .await
        .context("the queues")?;
    let table: Arc<dyn Table> = Arc::new(Timely::new(Arc::new(metadata), ANSWER_WITHIN));
    Ok(Shared {
        callers_table: Arc::clone(&table),
        table,
        leases: Arc::new(Timely::new(Arc::new(leases), ANSWER_WITHIN)),
        journal: Arc::new(Timely::new(Arc::new(journals), ANSWER_WITHIN)),
        queue: Arc::new(Timely::new(Arc::new(queues), ANSWER_WITHIN)),
    })
}

fn settings(nats: &Nats) -> anyhow::Result<Settings> {
    if nats.servers.is_empty() {
        bail!("cluster.nats.servers: every role but a worker needs the cluster's NATS servers");
    }
    let login = |user: &String, password: &String| Login {
        user: user.clone(),
        password: password.clone(),
    };
    let sync = match (nats.system_user.as_str(), nats.writes_are_synced) {
        ("", true) => Sync::Stated,
        ("", false) => bail!(
            "cluster.nats: nobody says whether the servers write to the disk before they acknowledge: give system_user \
             and system_password, by whom they are asked, or set writes_are_synced = true if they do"
        ),
        _ => Sync::Asked(login(&nats.system_user, &nats.system_password)),
    };
    Ok(Settings {
        servers: nats.servers.clone(),
        login: (!nats.user.is_empty()).then(|| login(&nats.user, &nats.password)),
        sync,
        prefix: nats.prefix.clone(),
        replicas: nats.replicas,
        patience: PATIENCE,
    })
}
