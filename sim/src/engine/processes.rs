//! The processes of one sandbox, as tasks that stop while it is frozen.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use sandbox::{Exit, Started};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// See the module.
#[derive(Default)]
pub(super) struct Processes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last: u32,
    running: BTreeMap<u32, Running>,
    frozen: bool,
    /// The processes that wait to continue.
    thawed: Vec<Waker>,
}

struct Running {
    task: AbortHandle,
    exited: oneshot::Sender<Exit>,
}

impl Processes {
    /// Starts one that does `work` and then exits with its result.
    pub(super) fn start(
        self: &Arc<Self>,
        work: impl Future<Output = Exit> + Send + 'static,
    ) -> Started {
        let (exited, receiver) = oneshot::channel();
        let mut inner = self.lock();
        inner.last += 1;
        let id = inner.last;
        let processes = Arc::clone(self);
        let task = tokio::spawn(async move {
            let exit = processes.gate(work).await;
            processes.end(id, exit);
        });
        let task = task.abort_handle();
        inner.running.insert(id, Running { task, exited });
        Started {
            id,
            exited: receiver,
        }
    }

    /// Does `work` while the sandbox is not frozen.
    async fn gate<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let mut inner = self.lock();
            if inner.frozen {
                inner.thawed.push(context.waker().clone());
                return Poll::Pending;
            }
            drop(inner);
            work.as_mut().poll(context)
        })
        .await
    }

    /// One ends.
    pub(super) fn end(&self, id: u32, exit: Exit) {
        let ended = self.lock().running.remove(&id);
        ended.into_iter().for_each(|running| running.end(exit));
    }

    /// All are killed.
    pub(super) fn kill_all(&self) {
        let running = std::mem::take(&mut self.lock().running);
        for running in running.into_values() {
            running.end(Exit::Signal(9));
        }
    }

    /// Stops all, or lets them continue.
    pub(super) fn set_frozen(&self, frozen: bool) {
        let mut inner = self.lock();
        inner.frozen = frozen;
        if !frozen {
            inner.thawed.drain(..).for_each(Waker::wake);
        }
    }

    pub(super) fn are_frozen(&self) -> bool {
        self.lock().frozen
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn end(self, exit: Exit) {
        self.task.abort();
        // Nobody may have waited for it.
        let _ = self.exited.send(exit);
    }
}
