//! Waiting for the parts of a start, with a deadline.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::runtime::Handle;

/// A part of a start that takes longer has failed.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Runs blocking work of a start, and does not wait for it forever.
pub(super) async fn aside<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    aside_on(&Handle::current(), what, work).await?
}

/// The same on these threads.
pub(super) async fn aside_on<T: Send + 'static>(
    threads: &Handle,
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let done = within(what, threads.spawn_blocking(work)).await?;
    done.with_context(|| format!("{what}: this has panicked"))
}

/// Waits for a part of a start, but not forever.
pub(super) async fn within<T>(
    what: &'static str,
    work: impl Future<Output = T>,
) -> anyhow::Result<T> {
    let done = tokio::time::timeout(START_WITHIN, work).await;
    done.map_err(|_| anyhow!("{what}: not finished after {START_WITHIN:?}"))
}
