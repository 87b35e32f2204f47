//! What a member waits for, if there is something to wait for.

use std::collections::BTreeSet;

use storage::{Change, Watch};
use tokio::sync::watch;

/// Returns when what is used changes, or nobody is left to say it: then nothing is.
pub(crate) async fn changed(used: &mut Option<watch::Receiver<BTreeSet<String>>>) {
    let closed = match used {
        Some(used) => used.changed().await.is_err(),
        None => std::future::pending().await,
    };
    if closed {
        *used = None;
    }
}

/// The next change; never, while nothing is watched.
pub(crate) async fn next(changes: &mut Option<Watch>) -> Option<Change> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}
