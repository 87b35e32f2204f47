//! One poller for each leased queue: receives, and has many messages worked on at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage::Error;
use storage::queue::Message;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::shards;
use crate::work::Work;

/// Messages of one receive: each is a write to the disk, however many they are.
const BATCH: usize = 50;
/// How long a receive waits for a message.
const WAIT: Duration = Duration::from_secs(5);
/// How often a poller shows that it is alive.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// After a queue failed it is asked again so much later.
const RETRY: Duration = Duration::from_secs(1);

/// When a poller was last seen to do something.
pub(crate) struct Beat {
    began: Instant,
    millis: AtomicU64,
}

impl Beat {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    /// For how long it has done nothing.
    pub(crate) fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.millis.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }

    fn now(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }
}

/// Polls `queue` until `stop`; then finishes what it has begun.
pub(crate) async fn poll(
    work: Arc<Work>,
    queue: Arc<str>,
    beat: Arc<Beat>,
    stop: CancellationToken,
) {
    let mut working = JoinSet::new();
    let mut receiving: Option<Receiving<'_>> = None;
    loop {
        beat.now();
        if receiving.is_none() {
            let room = room(&work, &queue, working.len());
            receiving = (room > 0).then(|| receive(&work, &queue, room));
        }
        tokio::select! {
            biased;
            // What a receive may just have got comes back when its time runs out.
            () = stop.cancelled() => break,
            Some(done) = working.join_next() => joined(done),
            received = wait_for(&mut receiving) => {
                receiving = None;
                for message in received {
                    let (work, queue, stop) = (Arc::clone(&work), Arc::clone(&queue), stop.clone());
                    let hold = work.budget.hold(message.body.len());
                    working.spawn(async move {
                        work.on(&queue, message, &stop).await;
                        drop(hold);
                    });
                }
            }
            () = work.budget.freed(), if receiving.is_none() => {}
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
    }
    drop(receiving);
    while let Some(done) = working.join_next().await {
        beat.now();
        joined(done);
    }
}

/// A receive is not dropped half-way: what it got would be hidden for a while with nobody at it.
type Receiving<'r> = Pin<Box<dyn Future<Output = Vec<Message>> + Send + 'r>>;

fn receive<'r>(work: &'r Work, queue: &'r str, room: usize) -> Receiving<'r> {
    Box::pin(async move {
        let visibility = work.config.visibility;
        let received: Result<_, Error> = work.queue.receive(queue, room, visibility, WAIT).await;
        match received {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(
                    queue,
                    error = &error as &dyn std::error::Error,
                    "a queue of events cannot be read"
                );
                tokio::time::sleep(RETRY).await;
                Vec::new()
            }
        }
    })
}

async fn wait_for(receiving: &mut Option<Receiving<'_>>) -> Vec<Message> {
    match receiving {
        Some(receiving) => receiving.await,
        None => std::future::pending().await,
    }
}

/// How many messages more may be worked on.
fn room(work: &Work, queue: &str, working: usize) -> usize {
    if work.budget.is_spent() {
        return 0;
    }
    let limit = work.config.concurrency as usize;
    let room = limit.saturating_sub(working).min(BATCH);
    match shards::function(queue) {
        // Those of one function wait in the queue rather than here; one always waits here.
        Some(function) => {
            let window = work.windows.room(&function) as usize;
            room.min(window.max(usize::from(working == 0)))
        }
        None => room,
    }
}

fn joined(done: Result<(), JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        tracing::error!(%error, "processing an event panicked; it will be retried");
    }
}
