//! What a process keeps things in: in its data folder, if it is the whole system, or where all processes of a cluster do.

pub(crate) mod cluster;
pub(super) mod embedded;

use std::sync::Arc;
use std::time::Duration;

use backends::Space;
use logs::LogStore;
use storage::{Blobs, Journal, Queue, Table};

/// A store that has not answered for this long is treated as unavailable: the call fails.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The same for a package, which is up to 250 MB on a slow disk.
const BLOB_WITHIN: Duration = Duration::from_secs(120);
/// Closing is not waited for any longer. Everything acknowledged is durable before.
pub(super) const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone)]
pub(super) struct Stores {
    /// Packages.
    pub(super) blobs: Arc<dyn Blobs>,
    /// What a worker alone has not: it runs what is hostile.
    shared: Option<Shared>,
    /// What functions print; a cluster has it among its blobs.
    pub(super) logs: Option<Arc<LogStore>>,
    /// The disk that the data folder is on.
    pub(super) space: Arc<Space>,
    /// What bounds of kept things are shares of: that disk's bytes, or what the cluster's stores are for.
    pub(super) kept_bytes: u64,
    /// What must be closed.
    files: Option<embedded::Files>,
}

/// What the roles other than workers share.
#[derive(Clone)]
pub(super) struct Shared {
    /// Rows, for the system's own.
    pub(super) table: Arc<dyn Table>,
    /// Rows, for what callers create: nothing new on a full disk.
    pub(super) callers_table: Arc<dyn Table>,
    /// Rows that say who is alive and who does what.
    pub(super) leases: Arc<dyn Table>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) queue: Arc<dyn Queue>,
}

impl Stores {
    /// What all roles but workers have.
    pub(super) fn shared(&self) -> &Shared {
        self.shared
            .as_ref()
            .expect("every process but a worker alone is given them")
    }

    /// False if a store does not answer: dropping the rest of it then waits for it.
    pub(super) async fn close(self) -> bool {
        // On its own: what is not waited for any longer is not dropped here, where that would wait.
        let closing = tokio::spawn(async {
            if let Some(files) = &self.files {
                files.merge().await;
            }
            // The last to hold the log store: dropping it writes what still waits, and blocks.
            let dropped = tokio::task::spawn_blocking(move || drop(self));
            if dropped.await.is_err() {
                tracing::error!("closing the stores has panicked");
            }
        });
        let closed = tokio::time::timeout(CLOSED_WITHIN, closing).await.is_ok();
        if !closed {
            tracing::error!("the disk does not answer: the stores are left as they are");
        }
        closed
    }
}
