//! The service's tasks, and how to wait for them.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

/// Tasks that end by themselves (creations, shutdowns of environments), those that lead partitions, and loops.
pub(super) struct Tasks {
    /// Asked for work from anywhere: a waiter may be dropped outside the runtime.
    runtime: Handle,
    work: Mutex<JoinSet<()>>,
    /// Whether nothing is started any more.
    stopped: AtomicBool,
    leading: Mutex<JoinSet<()>>,
    loops: Mutex<JoinSet<()>>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self {
            runtime: Handle::current(),
            work: Mutex::default(),
            stopped: AtomicBool::new(false),
            leading: Mutex::default(),
            loops: Mutex::default(),
        }
    }

    /// Starts a task that runs until [`Tasks::stop`].
    pub(super) fn start_loop(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.loops).spawn_on(task, &self.runtime);
    }

    /// Starts the task that leads a partition.
    pub(super) fn start_leading(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.leading).spawn_on(task, &self.runtime);
    }

    /// Starts a task that ends by itself.
    pub(super) fn start_work(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut work = lock(&self.work);
        // What is cancelled would otherwise begin to clean up behind itself.
        if self.stopped.load(Ordering::SeqCst) {
            return;
        }
        while let Some(ended) = work.try_join_next() {
            tell(ended);
        }
        work.spawn_on(task, &self.runtime);
    }

    /// Waits until no work is under way.
    pub(super) async fn work_done(&self) {
        all_done(&self.work).await;
    }

    /// Waits until no partition is led.
    pub(super) async fn leading_done(&self) {
        all_done(&self.leading).await;
    }

    /// Ends everything where it stands.
    pub(super) fn stop(&self) {
        let mut work = lock(&self.work);
        self.stopped.store(true, Ordering::SeqCst);
        work.abort_all();
        drop(work);
        lock(&self.leading).abort_all();
        lock(&self.loops).abort_all();
    }
}

async fn all_done(tasks: &Mutex<JoinSet<()>>) {
    while let Some(ended) = poll_fn(|context| lock(tasks).poll_join_next(context)).await {
        tell(ended);
    }
}

/// A task of ours fails only by a panic, which its own guard has already answered for.
fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a task of assignment panicked"
        );
    }
}

fn lock(tasks: &Mutex<JoinSet<()>>) -> MutexGuard<'_, JoinSet<()>> {
    tasks
        .lock()
        .expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_leads_is_waited_for_whatever_else_has_ended() {
        let tasks = Tasks::new();
        let (end, ended) = oneshot::channel::<()>();
        tasks.start_leading(async { drop(ended.await) });
        tasks.start_leading(async {});
        tasks.start_loop(async {});
        tasks.start_loop(async {});
        let mut done = Box::pin(tasks.leading_done());
        tokio::task::yield_now().await;
        let looked = done.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(looked.is_pending());
        end.send(()).unwrap();
        done.await;
    }
}
