//! The service's tasks, and how to wait for them.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Poll, ready};

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

/// Tasks that end by themselves (creations, shutdowns of environments) and loops.
pub(super) struct Tasks {
    /// Asked for work from anywhere: a waiter may be dropped outside the runtime.
    runtime: Handle,
    work: Mutex<JoinSet<()>>,
    /// Whether nothing is started any more.
    stopped: AtomicBool,
    loops: Mutex<JoinSet<()>>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self {
            runtime: Handle::current(),
            work: Mutex::default(),
            stopped: AtomicBool::new(false),
            loops: Mutex::default(),
        }
    }

    /// Starts a task that runs until [`Tasks::stop`].
    pub(super) fn start_loop(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.loops).spawn_on(task, &self.runtime);
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
        while let Some(ended) = poll_fn(|context| lock(&self.work).poll_join_next(context)).await {
            tell(ended);
        }
    }

    /// Waits until `count` loops have ended.
    pub(super) async fn loops_done(&self, count: u32) {
        for _ in 0..count {
            let next = poll_fn(|context| {
                let ended = ready!(lock(&self.loops).poll_join_next(context));
                Poll::Ready(ended)
            });
            match next.await {
                Some(ended) => tell(ended),
                None => return,
            }
        }
    }

    /// Ends everything where it stands.
    pub(super) fn stop(&self) {
        let mut work = lock(&self.work);
        self.stopped.store(true, Ordering::SeqCst);
        work.abort_all();
        drop(work);
        lock(&self.loops).abort_all();
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
