//! Whatever is shipped, merged, deleted and read in whatever order: each event is seen once, and in order.

use proptest::prelude::*;

use super::*;
use crate::search::Found;

#[derive(Clone, Debug)]
enum Step {
    /// A worker prints.
    Print(usize, usize),
    /// Somebody puts an event.
    Put(usize, usize),
    /// Time passes, milliseconds.
    Pass(u64),
    /// A process begins to tend, while the others go on.
    Tend(usize),
    /// A process deletes a stream.
    Delete(usize, usize),
    /// A reader reads its next page from a process.
    Page(usize),
}

const STREAMS: [&str; 3] = ["a", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..2_usize, 0..3_usize).prop_map(|(worker, stream)| Step::Print(worker, stream)),
        3 => (0..2_usize, 0..3_usize).prop_map(|(store, stream)| Step::Put(store, stream)),
        8 => prop::sample::select(vec![0, 1, 300, 1_100, 130_000, 90_000_000]).prop_map(Step::Pass),
        4 => (0..2_usize).prop_map(Step::Tend),
        1 => (0..2_usize, 0..3_usize).prop_map(|(store, stream)| Step::Delete(store, stream)),
        4 => (0..2_usize).prop_map(Step::Page),
    ];
    prop::collection::vec(step, 1..120)
}

/// A reader, page by page.
#[derive(Default)]
struct Reader {
    begun: bool,
    /// What it has to see, unless it is deleted meanwhile.
    due: BTreeSet<String>,
    from: Option<Place>,
    seen: Vec<Found>,
}

struct History {
    world: World,
    stores: Vec<Arc<SharedStore>>,
    workers: Vec<Worker>,
    tending: Vec<JoinHandle<()>>,
    /// Messages that are there, with their streams.
    alive: BTreeMap<String, usize>,
    count: usize,
    reader: Reader,
}

impl History {
    fn new() -> Self {
        let world = World::new();
        Self {
            stores: (0..2).map(|_| Arc::new(world.store())).collect(),
            workers: (0..2).map(|_| world.worker()).collect(),
            world,
            tending: Vec::new(),
            alive: BTreeMap::new(),
            count: 0,
            reader: Reader::default(),
        }
    }

    fn text(&mut self, stream: usize) -> String {
        self.count += 1;
        let text = format!("{:04}", self.count);
        self.alive.insert(text.clone(), stream);
        text
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Print(worker, stream) => {
                let text = self.text(stream);
                self.world
                    .print(&self.workers[worker], STREAMS[stream], &text);
            }
            Step::Put(store, stream) => {
                let text = self.text(stream);
                let lines = vec![line(self.world.now(), &text)];
                let put = self.stores[store].put(named(STREAMS[stream]), lines);
                put.await.unwrap();
            }
            Step::Pass(millis) => self.world.pass(Duration::from_millis(millis)).await,
            Step::Tend(store) => {
                let store = Arc::clone(&self.stores[store]);
                let tend = async move { store.tend(&|_, _| Timestamp::default()).await };
                self.tending.push(tokio::spawn(tend));
            }
            Step::Delete(store, stream) => {
                let name = named(STREAMS[stream]);
                let there = self.alive.values().any(|of| *of == stream);
                let deleted = self.stores[store].delete_stream(name, self.world.now());
                assert_eq!(deleted.await.unwrap(), there);
                self.alive.retain(|_, of| *of != stream);
                let alive = &self.alive;
                self.reader.due.retain(|text| alive.contains_key(text));
                // What is printed in the same millisecond is deleted, too.
                self.world.pass(Duration::from_millis(1)).await;
            }
            Step::Page(store) => self.page(store).await,
        }
    }

    async fn page(&mut self, store: usize) {
        if !self.reader.begun {
            self.reader.begun = true;
            self.reader.due = self.alive.keys().cloned().collect();
        }
        let search = all(2, Direction::Forward, self.reader.from.take());
        let page = self.stores[store]
            .search(&scope(), GROUP, search)
            .await
            .unwrap();
        self.reader.seen.extend(page.events);
        self.reader.from = page.rest;
        if self.reader.from.is_none() {
            self.reader_ends();
        }
    }

    /// A reader that has come to the end has seen all there was when it began, once.
    fn reader_ends(&mut self) {
        let reader = std::mem::take(&mut self.reader);
        let seen = &reader.seen;
        assert!(seen.is_sorted_by(|a, b| a.place < b.place), "{seen:?}");
        let texts: BTreeSet<String> = seen.iter().map(|found| found.message.clone()).collect();
        assert_eq!(
            texts.len(),
            seen.len(),
            "something was seen twice: {seen:?}"
        );
        let missing: Vec<&String> = reader.due.difference(&texts).collect();
        assert!(missing.is_empty(), "{missing:?} was not seen");
    }

    async fn end(mut self) {
        while self.reader.begun {
            self.page(0).await;
        }
        for worker in self.workers {
            worker.stop().await;
        }
        self.world.forget_workers();
        for tending in self.tending {
            tending.await.unwrap();
        }
        for _ in 0..3 {
            // One that knows nothing yet.
            let store = self.world.store();
            let mut found = read(&store, Streams::all()).await;
            found.sort();
            let alive: Vec<String> = self.alive.keys().cloned().collect();
            assert_eq!(found, alive);
            let described = store
                .describe(&scope(), GROUP, Streams::all())
                .await
                .unwrap();
            let streams: BTreeSet<&str> = self.alive.values().map(|of| STREAMS[*of]).collect();
            assert!(
                described
                    .iter()
                    .map(|facts| facts.name.as_str())
                    .eq(streams)
            );
            self.world.pass(Duration::from_secs(25 * 3_600)).await;
            store.tend(&|_, _| Timestamp::default()).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_event_is_seen_once_and_in_order(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut history = History::new();
            for step in steps {
                history.step(step).await;
            }
            history.end().await;
        });
    }
}
