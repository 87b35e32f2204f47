//! What was killed and has not ended yet: kept until it has, however long that takes.
//!
//! A killed process may take long to end: it has much to release, or the kernel blocks it (a file
//! system that does not answer). Until then its memory, cgroups and users are taken, and must not be
//! given to another sandbox. Nobody waits for that: the caller that ends a sandbox hands it over after
//! some seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::locked;
use crate::engine::Lingering;

/// The first pause between two checks; each further one is twice as long.
const LOOK_FIRST: Duration = Duration::from_millis(10);
/// The longest.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Keeps what does not end.
pub(super) struct Reaper {
    /// Also called from threads outside the runtime.
    runtime: Handle,
    tasks: Mutex<JoinSet<()>>,
    now: Arc<AtomicU64>,
    ever: AtomicU64,
}

impl Reaper {
    /// Must be called within a runtime.
    pub(super) fn new() -> Self {
        Self {
            runtime: Handle::current(),
            tasks: Mutex::default(),
            now: Arc::default(),
            ever: AtomicU64::new(0),
        }
    }

    /// Keeps `remains` until `gone` says that nothing is left, and then drops them.
    pub(super) fn keep<R: Send + 'static>(
        &self,
        mut remains: R,
        mut gone: impl FnMut(&mut R) -> bool + Send + 'static,
    ) {
        self.ever.fetch_add(1, Ordering::Relaxed);
        let kept = Kept::new(&self.now);
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        let look = async move {
            let mut pause = LOOK_FIRST;
            while !gone(&mut remains) {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LOOK_MAX);
            }
            drop(remains);
            drop(kept);
        };
        tasks.spawn_on(look, &self.runtime);
    }

    /// How many are kept.
    pub(super) fn lingering(&self) -> Lingering {
        Lingering {
            now: self.now.load(Ordering::Relaxed),
            ever: self.ever.load(Ordering::Relaxed),
        }
    }

    /// Gives up on what is left. The kernel ends it with this process, and the next run's sweep finds
    /// its folders.
    pub(super) fn stop(&self) {
        locked(&self.tasks).abort_all();
    }
}

/// Counts one for as long as it lives.
struct Kept(Arc<AtomicU64>);

impl Kept {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lingers_is_kept_until_it_is_gone_and_counted() {
        let reaper = Reaper::new();
        let (held, mut released) = oneshot::channel::<()>();
        let mut looks = 0;
        reaper.keep(held, move |_| {
            looks += 1;
            looks > 20
        });
        assert_eq!(reaper.lingering(), Lingering { now: 1, ever: 1 });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(released.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert!((&mut released).await.is_err());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(reaper.lingering(), Lingering { now: 0, ever: 1 });
    }
}
