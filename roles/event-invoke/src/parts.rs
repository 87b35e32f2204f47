//! The parts of the plane that run alongside the pollers: one that panics is restarted, as without it
//! events would be accepted and never worked on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use leasing::{Config, Member};
use storage::Table;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The pause before a part that panicked is restarted.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs what `make` makes, again and again.
pub(crate) async fn keep<F>(part: &'static str, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        run(part, make()).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Has a member for the group until `leave`, and tells what it holds. A member that panics holds
/// nothing; what it held it is likely to get again.
pub(crate) async fn lease(
    config: Config,
    table: Arc<dyn Table>,
    wanted: watch::Receiver<BTreeSet<String>>,
    leave: CancellationToken,
    tell: watch::Sender<BTreeSet<String>>,
) {
    loop {
        let (member, mut held) = Member::new(config.clone(), Arc::clone(&table), wanted.clone());
        let mut member = std::pin::pin!(run("leases", member.run(leave.clone())));
        let ended = loop {
            tokio::select! {
                biased;
                ended = member.as_mut() => break ended,
                Ok(()) = held.changed() => {
                    tell.send_replace(held.borrow_and_update().clone());
                }
            }
        };
        tell.send_replace(BTreeSet::new());
        if ended {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs a part to its end; `false` if it panicked.
async fn run(part: &'static str, work: impl Future<Output = ()> + Send + 'static) -> bool {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Err(error)) if error.is_panic() => {
            tracing::error!(part, %error, "a part of the asynchronous plane panicked and restarts");
            false
        }
        _ => true,
    }
}
