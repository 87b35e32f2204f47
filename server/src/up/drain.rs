//! Stopping without losing anything: no new requests, finish the old ones, end the environments.

use std::time::Duration;

use tokio::task::JoinSet;
use types::limits::TIMEOUT_SECONDS_MAX;

use super::roles::Running;

/// Connections that stay open without a request are closed by their keep-alive; whatever still
/// runs after the longest function time is cut off.
const LIMIT: Duration = Duration::from_secs(TIMEOUT_SECONDS_MAX as u64 + 30);

/// Stops everything in the order of the picture, top down.
pub(super) async fn drain(mut running: Running, mut serving: JoinSet<()>) {
    let drained = async {
        // The front door's tasks end by themselves or have panicked; either way no request is left.
        while serving.join_next().await.is_some() {}
        running.events.shutdown().await;
        running.frontend.drain().await;
        running.assignment.drain();
        running.worker.shutdown().await;
        running.assignment.shutdown().await;
    };
    if tokio::time::timeout(LIMIT, drained).await.is_err() {
        tracing::error!("some invokes did not end in time and are cut off");
    }
    running.background.shutdown().await;
    // The last to hold the log store: dropping it writes what still waits.
    drop(running);
    tracing::info!("stopped");
}
