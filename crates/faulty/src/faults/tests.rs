//! What a caller learns, and what a callee does.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Counts how often it began and ended; takes a while.
#[derive(Default)]
struct Callee {
    begun: AtomicU32,
    ended: AtomicU32,
}

impl Callee {
    fn ask(self: &Arc<Self>) -> impl Future<Output = u32> + Send + use<> {
        let callee = Arc::clone(self);
        async move {
            callee.begun.fetch_add(1, Ordering::Relaxed);
            sleep(10 * MS).await;
            callee.ended.fetch_add(1, Ordering::Relaxed) + 1
        }
    }

    fn counts(&self) -> (u32, u32) {
        let count = |number: &AtomicU32| number.load(Ordering::Relaxed);
        (count(&self.begun), count(&self.ended))
    }
}

#[tokio::test(start_paused = true)]
async fn each_way_takes_its_time() {
    let (faults, callee) = (Faults::fixed(MS), Arc::new(Callee::default()));
    let began = Instant::now();
    assert_eq!(faults.carry("call", || callee.ask()).await, Ok(1));
    assert_eq!(began.elapsed(), 12 * MS);
    assert!(faults.history().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_what_is_lost_before_the_callee_never_hears() {
    let faults = Faults::new(1, Rates::cut_off());
    let callee = Arc::new(Callee::default());
    assert_eq!(
        faults.carry("call", || callee.ask()).await,
        Err(Lost::Before)
    );
    sleep(1_000 * MS).await;
    assert_eq!(callee.counts(), (0, 0));
    assert!(faults.history()[0].ends_with("call, request lost"));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_after_is_done_or_stopped_and_done_once() {
    let rates = Rates {
        lost_after: 1.0,
        late: 20 * MS,
        ..Rates::default()
    };
    let faults = Faults::new(1, rates);
    let mut seen = [0; 3];
    for _ in 0..100 {
        let callee = Arc::new(Callee::default());
        let lost = faults.carry("call", || callee.ask()).await;
        assert_eq!(lost, Err(Lost::After));
        let known = callee.counts();
        sleep(100 * MS).await;
        match (known, callee.counts()) {
            // Finished, or begun and continued.
            ((1, _), (1, 1)) => seen[0] += 1,
            // Stopped in the middle.
            ((1, 0), (1, 0)) => seen[1] += 1,
            // Received later.
            ((0, 0), (1, 1)) => seen[2] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_heard_later_and_its_answer_by_nobody() {
    let rates = Rates {
        duplicated: 1.0,
        late: 20 * MS,
        ..Rates::default()
    };
    let (faults, callee) = (Faults::new(1, rates), Arc::new(Callee::default()));
    let answer = faults.carry("call", || callee.ask()).await;
    assert!(answer.is_ok());
    sleep(100 * MS).await;
    assert_eq!(callee.counts(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_has_the_same_faults() {
    let history = async |seed| {
        let rates = Rates {
            delay: (MS, 5 * MS),
            lost_before: 0.3,
            lost_after: 0.3,
            duplicated: 0.3,
            late: 20 * MS,
        };
        let (faults, callee) = (Faults::new(seed, rates), Arc::new(Callee::default()));
        for _ in 0..50 {
            let _ = faults.carry("call", || callee.ask()).await;
        }
        faults.history()
    };
    assert_eq!(history(3).await, history(3).await);
    assert_ne!(history(3).await, history(4).await);
}
