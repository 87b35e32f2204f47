//! How many invokes begin at a time while processors are short.
//!
//! ```text
//!   an invoke ──▶ processors are free ──────────────────▶ begins
//!             └─▶ they are short ──▶ queued ───▶ a place ─▶ begins ──▶ answer, or HELD ──▶ the place is free
//!                                       └─── WAIT_MAX ───▶ begins
//! ```
//!
//! The kernel shares processors among everything that runs. So of many invokes that begin together all
//! are answered late, and each has an environment of its own. One after another, they are answered as
//! fast, the last one no later, and few environments serve all. This holds for the first moments of an
//! invoke: one that takes longer, because it computes or because it waits for something else, no longer
//! has a place.
//!
//! Each account has its own places and its own queue: an account that invokes much waits for itself.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use types::pressure::{FREE, SHORT};
use types::{AccountId, Pressure};

/// Places of an account for each processor. One invoke runs, the request or the answer of another is
/// read or written, and one more waits for the processor that is free first: with two, processors are
/// sometimes idle.
const PLACES: u32 = 3;
/// The longest time for which an invoke has a place.
const HELD: Duration = Duration::from_millis(2);
/// The longest time that an invoke waits for one.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// How often it is checked whether processors are short.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The places, and whether they are needed.
pub(crate) struct Starts {
    pressure: Arc<dyn Pressure>,
    /// How many places an account has.
    most: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    look: Look,
    /// Of the accounts that have invoked since processors became short.
    places: HashMap<AccountId, Arc<Semaphore>>,
}

/// The result of the last check.
struct Look {
    at: Instant,
    stalled: Option<Duration>,
    short: bool,
}

/// The right to begin, and the place that is kept with it, if one is needed.
pub(crate) struct Place {
    place: Option<OwnedSemaphorePermit>,
    until: Instant,
}

impl Starts {
    pub(crate) fn new(pressure: Arc<dyn Pressure>) -> Self {
        let places = pressure.processors().saturating_mul(PLACES);
        let look = Look {
            at: Instant::now(),
            stalled: pressure.stalled(),
            short: false,
        };
        Self {
            pressure,
            most: usize::try_from(places).unwrap_or(Semaphore::MAX_PERMITS),
            inner: Mutex::new(Inner {
                look,
                places: HashMap::new(),
            }),
        }
    }

    /// Waits until an invoke of an account may begin.
    pub(crate) async fn place(&self, account: &AccountId) -> Place {
        let place = match self.places(account) {
            Some(places) => timeout(WAIT_MAX, places.acquire_owned()).await.ok(),
            None => None,
        };
        Place {
            // They are never closed.
            place: place.and_then(Result::ok),
            until: Instant::now() + HELD,
        }
    }

    /// The places of an account if processors are short. The first call after a while checks.
    fn places(&self, account: &AccountId) -> Option<Arc<Semaphore>> {
        let mut inner = self.lock();
        let Inner { look, places } = &mut *inner;
        let now = Instant::now();
        let passed = now.saturating_duration_since(look.at);
        if passed >= LOOK_EVERY {
            let stalled = self.pressure.stalled();
            let waited = stalled.zip(look.stalled);
            let waited = waited.map(|(now, before)| now.saturating_sub(before));
            *look = Look {
                at: now,
                stalled,
                short: waited.is_some_and(|waited| is_short(look.short, waited, passed)),
            };
        }
        if !look.short {
            // Queued invokes still have theirs.
            places.clear();
            return None;
        }
        let places = places.entry(account.clone());
        Some(Arc::clone(
            places.or_insert_with(|| Arc::new(Semaphore::new(self.most))),
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no code panics while it holds the places")
    }
}

impl Place {
    /// Does what an invoke begins with; the place is free afterwards, or earlier if that takes long.
    pub(crate) async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let Some(place) = self.place else {
            return work.await;
        };
        let mut work = pin!(work);
        if let Ok(done) = timeout_at(self.until, &mut work).await {
            return done;
        }
        drop(place);
        work.await
    }
}

/// Whether processors are short, if something has waited for `waited` of the time that `passed`.
fn is_short(before: bool, waited: Duration, passed: Duration) -> bool {
    let most = if before { FREE } else { SHORT };
    waited.as_secs_f64() > passed.as_secs_f64() * most
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    /// A machine of two processors, on which something always waits, or never.
    struct Machine {
        began: Instant,
        short: AtomicBool,
    }

    impl Pressure for Machine {
        fn stalled(&self) -> Option<Duration> {
            let short = self.short.load(Ordering::Relaxed);
            Some(self.began.elapsed())
                .filter(|_| short)
                .or(Some(Duration::ZERO))
        }

        fn processors(&self) -> u32 {
            2
        }
    }

    fn account(number: u32) -> AccountId {
        AccountId::new(&format!("{number:012}")).unwrap()
    }

    async fn starts(short: bool) -> Arc<Starts> {
        let machine = Machine {
            began: Instant::now(),
            short: AtomicBool::new(short),
        };
        let starts = Arc::new(Starts::new(Arc::new(machine)));
        sleep(LOOK_EVERY).await;
        starts
    }

    /// How many of `count` tasks that take `takes` ran at once, and how long all took.
    async fn at_once(starts: &Arc<Starts>, count: usize, takes: Duration) -> (usize, Duration) {
        let began = Instant::now();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut all = JoinSet::new();
        for _ in 0..count {
            let (starts, running, most) =
                (Arc::clone(starts), Arc::clone(&running), Arc::clone(&most));
            all.spawn(async move {
                let place = starts.place(&account(1)).await;
                let work = async {
                    let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                    most.fetch_max(now, Ordering::Relaxed);
                    sleep(takes).await;
                    running.fetch_sub(1, Ordering::Relaxed);
                };
                place.during(work).await;
            });
        }
        all.join_all().await;
        (most.load(Ordering::Relaxed), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn all_begin_at_once_while_processors_are_free() {
        let starts = starts(false).await;
        let (most, took) = at_once(&starts, 64, Duration::from_secs(1)).await;
        assert_eq!((most, took.as_secs()), (64, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn few_run_at_once_while_processors_are_short() {
        let starts = starts(true).await;
        let (most, took) = at_once(&starts, 64, Duration::from_millis(1)).await;
        assert_eq!(most, 6);
        // Eleven times six.
        assert!(took < Duration::from_millis(25), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_long_keeps_nobody_from_beginning() {
        let starts = starts(true).await;
        let (most, took) = at_once(&starts, 64, Duration::from_secs(1)).await;
        assert_eq!(most, 64);
        assert!(took < Duration::from_millis(1_100), "{took:?}");
        // And of very many, none waits for longer than it may.
        let (most, took) = at_once(&starts, 10_000, Duration::from_secs(1)).await;
        assert_eq!(most, 10_000);
        assert!(took <= Duration::from_secs(1) + WAIT_MAX + HELD, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_account_does_not_wait_for_another() {
        let starts = starts(true).await;
        let busy = Arc::clone(&starts);
        let flood = tokio::spawn(async move {
            at_once(&busy, 10_000, Duration::from_millis(1)).await;
        });
        sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        let place = starts.place(&account(2)).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        place.during(async {}).await;
        flood.await.unwrap();
    }

    #[test]
    fn short_and_free_are_apart() {
        let second = Duration::from_secs(1);
        let part = |part: f64| second.mul_f64(part);
        assert!(!is_short(false, part(0.4), second) && is_short(true, part(0.4), second));
        assert!(is_short(false, part(0.6), second) && !is_short(true, part(0.2), second));
    }
}
