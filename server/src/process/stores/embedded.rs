//! The stores of an all-in-one server: opened with a deadline, asked with a deadline, closed with one.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use backends::{LocalBlobs, Opening, Remembered, Space, Sqlite, SqliteQueue};
use logs::LogStore;
use storage::{Expect, Reserving, Room, Table, Timely};
use tokio::runtime::Handle;
use types::SystemClock;

use super::{ANSWER_WITHIN, BLOB_WITHIN, Shared, Stores};
use crate::config::Config;
use crate::process::patience::aside_on;

/// Leases read at once.
const LEASES_BATCH: usize = 1_000;

/// The databases.
#[derive(Clone)]
pub(super) struct Files {
    sqlite: Arc<Sqlite>,
    queue: Arc<SqliteQueue>,
}

/// Opens all stores in the data folder; `threads` are those of the asynchronous plane. The writers of
/// its store and of logs run there, with a lower priority than anything that a synchronous invoke waits
/// for: a function can write more log than a processor can store.
pub(in crate::process) async fn open(
    config: &Config,
    folder: &Path,
    accept_older: bool,
    threads: &Handle,
) -> anyhow::Result<Stores> {
    let folder = folder.to_owned();
    let space = Arc::new(space(config, &folder)?);
    let room = Arc::clone(&space) as Arc<dyn Room>;
    let remembered = Remembered::open(&folder.join("remembered"), accept_older);
    let remembered = remembered.context(
        "the record of the databases' state cannot be read (--accept-older-data accepts them as they are)",
    )?;
    let opening = Opening {
        remembered: Some(Arc::new(remembered)),
        room: Arc::clone(&room),
    };
    let here = Handle::current();
    let (path, with) = (folder.join("metadata.db"), opening.clone());
    let sqlite = aside_on(&here, "metadata.db", move || {
        Sqlite::open_with(&path, &with)
    });
    let sqlite = Arc::new(sqlite.await?.context("metadata.db cannot be used")?);
    let (path, with) = (folder.join("queues.db"), opening);
    let queue = aside_on(threads, "queues.db", move || {
        let clock = Arc::new(SystemClock);
        SqliteQueue::open_with(&path, clock, &with)
    });
    let queue = Arc::new(queue.await?.context("queues.db cannot be used")?);
    let path = folder.join("blobs");
    let blobs = aside_on(&here, "blobs/", move || LocalBlobs::open(&path));
    let blobs = Arc::new(blobs.await?.context("blobs/ cannot be used")?);
    let blobs = Timely::new(blobs, BLOB_WITHIN);
    let (path, bounds) = (folder.join("logs"), log_bounds(config));
    let in_logs = Arc::clone(&room);
    let logs = aside_on(threads, "logs/", move || {
        LogStore::open(path, bounds, in_logs)
    });
    let logs = Arc::new(logs.await?.context("logs/ cannot be used")?);
    let timely = Arc::new(Timely::new(Arc::clone(&sqlite), ANSWER_WITHIN));
    let table = Arc::clone(&timely) as Arc<dyn Table>;
    forget_leases(table.as_ref())
        .await
        .context("leases of the run before cannot be removed")?;
    Ok(Stores {
        blobs: Arc::new(Reserving::new(Arc::new(blobs), Arc::clone(&room))),
        shared: Some(Shared {
            callers_table: Arc::new(Reserving::new(Arc::clone(&table), room)),
            leases: Arc::clone(&table),
            table,
            journal: timely,
            queue: Arc::new(Timely::new(Arc::clone(&queue), ANSWER_WITHIN)),
        }),
        logs: Some(logs),
        kept_bytes: space.total(),
        space,
        files: Some(Files { sqlite, queue }),
    })
}

/// The disk that a folder is on, with what is kept free there.
pub(super) fn space(config: &Config, folder: &Path) -> anyhow::Result<Space> {
    let reserve = match config.disk.reserve_mb {
        0 => None,
        mb => Some(mb.saturating_mul(1024 * 1024)),
    };
    Ok(Space::of(folder, reserve)?)
}

/// The data folder belongs to this process alone: the holders of leases in its table are dead, and need
/// not be waited for.
async fn forget_leases(table: &dyn Table) -> Result<(), storage::Error> {
    loop {
        let rows = table.list("lease/", None, LEASES_BATCH).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            table.delete(&row.key, Expect::Any).await?;
        }
    }
}

pub(in crate::process) fn log_bounds(config: &Config) -> logs::Bounds {
    const MB: u64 = 1024 * 1024;
    let logs = &config.logs;
    let account = match logs.account_mb_max {
        0 => logs.total_mb_max / 2,
        given => given,
    };
    logs::Bounds {
        group_bytes_max: logs.group_mb_max.saturating_mul(MB),
        account_bytes_max: account.saturating_mul(MB),
        total_bytes_max: logs.total_mb_max.saturating_mul(MB),
        ..logs::Bounds::default()
    }
}

impl Files {
    /// Brings everything into the files themselves, so that they can be copied without their logs.
    pub(super) async fn merge(&self) {
        let (metadata, queues) = tokio::join!(self.sqlite.checkpoint(), self.queue.checkpoint());
        for failed in [metadata, queues].into_iter().filter_map(Result::err) {
            let error = &failed as &dyn std::error::Error;
            tracing::warn!(
                error,
                "a database's write-ahead log could not be merged into it; both are kept"
            );
        }
    }
}
