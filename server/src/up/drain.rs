//! Stopping without losing anything: no new requests, finish the old ones, end the environments.

use std::time::Duration;

use tokio::task::JoinSet;
use types::limits::TIMEOUT_SECONDS_MAX;

use super::roles::Running;

/// Connections that stay open without a request are closed by their keep-alive; whatever still
/// runs after the longest function time is cut off.
const LIMIT: Duration = Duration::from_secs(TIMEOUT_SECONDS_MAX as u64 + 30);
/// What goes on in the background ends where it waits, or is left.
const BACKGROUND_WITHIN: Duration = Duration::from_secs(10);

/// Stops everything in the order of the picture, top down. Cuts off what still runs when it is told
/// to stop `again`.
pub(super) async fn drain(
    mut running: Running,
    mut serving: JoinSet<()>,
    again: impl Future<Output = ()>,
) {
    let drained = async {
        // The front door's tasks end by themselves or have panicked; either way no request is left.
        while serving.join_next().await.is_some() {}
        running.events.shutdown().await;
        running.frontend.drain().await;
        running.assignment.drain();
        running.worker.shutdown().await;
        running.assignment.shutdown().await;
    };
    tokio::select! {
        biased;
        () = drained => {}
        () = again => tracing::warn!("told again to stop: what still runs is cut off"),
        () = tokio::time::sleep(LIMIT) => {
            tracing::error!("some invokes did not end in time and are cut off");
        }
    }
    let ended = tokio::time::timeout(BACKGROUND_WITHIN, running.background.shutdown());
    if ended.await.is_err() {
        tracing::error!("something in the background does not end and is left");
    }
    let stores = running.stores.clone();
    drop(running);
    stores.close().await;
    tracing::info!("stopped");
}
