//! A cluster's logs over blobs in memory: what is stored when, and found in whatever state it is.

use std::collections::BTreeMap;
use std::sync::Mutex as Lock;

use api::logs::{LogEvent, Logs as _};
use bytes::Bytes;
use storage::Error;
use storage::memory::MemoryBlobs;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::{ManualClock, SystemRandom};

use super::*;
use crate::metrics::Counted as _;
use crate::search::{Direction, Place};

mod deleting;
mod interleavings;
mod merging;
mod names;
mod segments;
mod shipping;

const GROUP: &str = "/aws/lambda/f";
const NOW: u64 = 1_769_854_830_123;

/// A cluster: workers, and processes that answer, all over the same blobs.
struct World {
    blobs: Arc<Slow>,
    clock: Arc<ManualClock>,
    workers: Arc<Lock<Vec<Arc<dyn RecentLogs>>>>,
}

/// A worker whose shipper runs until it is stopped or killed.
struct Worker {
    shipper: Arc<Shipper>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// Blobs that are slow by chance, count what is put, and fail while they are told to.
#[derive(Default)]
struct Slow {
    blobs: MemoryBlobs,
    turns: AtomicU64,
    /// Happens when the next list was taken and not answered yet.
    listed: Lock<Option<Box<dyn FnOnce() + Send>>>,
    /// Puts fail.
    failing: std::sync::atomic::AtomicBool,
    puts: AtomicU64,
    lists: AtomicU64,
    gets: AtomicU64,
}

impl Slow {
    async fn wait(&self) {
        // A sequence without a pattern, and the same each time.
        let turn = self
            .turns
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        for _ in 0..(turn >> 61) {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Blobs for Slow {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.wait().await;
        if self.failing.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("it is told to fail".into()));
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.blobs.put(name, bytes).await?;
        self.wait().await;
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.wait().await;
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.blobs.get(name).await
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        self.blobs.size(name).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        self.wait().await;
        self.lists.fetch_add(1, Ordering::Relaxed);
        let names = self.blobs.list(prefix, after, limit).await;
        let happens = self.listed.lock().unwrap().take();
        happens.into_iter().for_each(|happens| happens());
        names
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.wait().await;
        self.blobs.delete(name).await
    }
}

impl World {
    fn new() -> Self {
        Self {
            blobs: Arc::default(),
            clock: Arc::new(ManualClock::at(Timestamp::from_millis(NOW))),
            workers: Arc::default(),
        }
    }

    fn store(&self) -> SharedStore {
        self.store_with(Bounds::default())
    }

    fn store_with(&self, bounds: Bounds) -> SharedStore {
        let workers = Arc::clone(&self.workers);
        SharedStore::new(
            bounds,
            SharedDependencies {
                blobs: self.blobs.clone(),
                workers: Arc::new(move || workers.lock().unwrap().clone()),
                clock: self.clock.clone(),
                random: Arc::new(SystemRandom),
            },
        )
    }

    fn worker(&self) -> Worker {
        let (shipper, shipping) = Shipper::new(self.blobs.clone(), &SystemRandom);
        let stop = CancellationToken::new();
        self.workers.lock().unwrap().push(shipper.clone());
        Worker {
            shipper,
            task: tokio::spawn(shipping.run(stop.clone())),
            stop,
        }
    }

    /// A worker's memory is gone.
    fn forget_workers(&self) {
        self.workers.lock().unwrap().clear();
    }

    async fn pass(&self, time: Duration) {
        // What is under way for a moment is not under way for a day because the clock is moved.
        sleep(time).await;
        self.clock.advance(time);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn print(&self, worker: &Worker, stream: &str, text: &str) {
        let event = LogEvent {
            time: self.now(),
            message: text.to_owned(),
        };
        worker.shipper.append(&named(stream), vec![event]);
    }

    async fn names(&self) -> Vec<String> {
        self.blobs.blobs.list("", None, usize::MAX).await.unwrap()
    }

    async fn segments(&self) -> Vec<name::SegmentName> {
        let names = self.names().await;
        let leaves = names
            .iter()
            .filter_map(|name| name::leaf(name::split(name)?.2));
        let segments = leaves.filter_map(|leaf| match leaf {
            Leaf::Segment(name) => Some(name),
            _ => None,
        });
        segments.collect()
    }
}

impl Worker {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn scope() -> Scope {
    records::examples::scope()
}

fn named(stream: &str) -> StreamName {
    StreamName {
        scope: scope(),
        group: GROUP.to_owned(),
        stream: stream.to_owned(),
    }
}

fn line(time: Timestamp, message: &str) -> Line {
    Line {
        time,
        ingested: None,
        message: message.to_owned(),
    }
}

fn all(limit: usize, direction: Direction, from: Option<Place>) -> Search {
    Search {
        direction,
        streams: Streams::all(),
        times: (0, u64::MAX),
        from,
        limit,
        matches: None,
    }
}

/// One page of a group.
async fn page(store: &SharedStore, group: &str, limit: usize, from: Option<Place>) -> Page {
    let search = all(limit, Direction::Forward, from);
    store.search(&scope(), group, search).await.unwrap()
}

/// All messages, read page by page.
async fn read(store: &SharedStore, streams: Streams) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let search = Search {
            streams: streams.clone(),
            ..all(3, Direction::Forward, from)
        };
        let page = store.search(&scope(), GROUP, search).await.unwrap();
        found.extend(page.events);
        from = page.rest;
        if from.is_none() {
            break;
        }
    }
    assert!(found.is_sorted_by(|a, b| a.place < b.place), "{found:?}");
    found.into_iter().map(|found| found.message).collect()
}
