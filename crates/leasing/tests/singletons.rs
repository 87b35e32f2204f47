//! Works of which each is done by one process, by a clock that is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leasing::{Config, Singletons};
use storage::Table;
use storage::memory::MemoryTable;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const TERM: Duration = Duration::from_secs(6);

/// How many do a work at this moment.
#[derive(Clone, Default)]
struct Doing(Arc<AtomicUsize>);

/// One of them.
struct Does(Doing);

impl Doing {
    fn begin(&self) -> Does {
        self.0.fetch_add(1, Ordering::SeqCst);
        Does(self.clone())
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Does {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn process(
    name: &str,
    table: &Arc<MemoryTable>,
    works: [(&str, &Doing); 2],
) -> (JoinHandle<()>, CancellationToken) {
    let mut singletons = Singletons::default();
    for (work, doing) in works {
        let doing = doing.clone();
        singletons = singletons.with(work, move || {
            let does = doing.begin();
            async move {
                let _does = does;
                std::future::pending().await
            }
        });
    }
    let config = Config {
        group: "control".to_owned(),
        holder: name.to_owned(),
        term: TERM,
        fenced: false,
    };
    let stop = CancellationToken::new();
    let table = Arc::clone(table) as Arc<dyn Table>;
    (
        tokio::spawn(singletons.run(config, table, stop.clone())),
        stop,
    )
}

#[tokio::test(start_paused = true)]
async fn each_work_is_done_once_whoever_comes_goes_or_dies() {
    let table = Arc::new(MemoryTable::default());
    let (a, b) = (Doing::default(), Doing::default());
    let works = [("a", &a), ("b", &b)];
    let now = || (a.now(), b.now());
    let (first, stop) = process("first", &table, works);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(now(), (1, 1));
    let (second, _stop) = process("second", &table, works);
    for _ in 0..40 {
        sleep(Duration::from_millis(500)).await;
        assert!(a.now() <= 1 && b.now() <= 1);
    }
    assert_eq!(now(), (1, 1), "shared between them");
    // An orderly end is taken over at once.
    stop.cancel();
    first.await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(now(), (1, 1));
    // A death within a term and a third.
    let (third, stop) = process("third", &table, works);
    sleep(Duration::from_secs(20)).await;
    second.abort();
    sleep(Duration::from_secs(9)).await;
    assert_eq!(now(), (1, 1));
    stop.cancel();
    third.await.unwrap();
    assert_eq!(now(), (0, 0));
}
