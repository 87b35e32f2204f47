//! Permits: requested before an invoke, given back after its answer.
//!
//! Nobody waits until a permit has been given back. It is returned with the next request of its scope,
//! so that a caller that invokes one after the other within its limit is never refused; and by a call
//! of its own, together with all others that were returned meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::counting::{Acquire, Counting, Error, Permit};
use tokio::time::Instant;
use types::{Backoff, PermitId, Random, Scope};

/// The most that are returned with a request.
const WITH_REQUEST_MAX: usize = 64;
/// The most that are returned by one call.
const AT_ONCE_MAX: usize = 1_000;
/// For how long a permit is requested while counting cannot be reached: it moves to another process in this time.
const PATIENCE: Duration = Duration::from_secs(3);
/// The first pause before a failed request or return is repeated, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How many times a return is tried, some four seconds in all. Permits whose return is lost expire.
const TELLS_MAX: u32 = 10;

/// The permits of this frontend that are being returned.
pub(crate) struct Permits {
    counting: Arc<dyn Counting>,
    /// The upper half of every id, random; the lower half is counted. Unique without asking the kernel
    /// for randomness on every invoke.
    epoch: u64,
    next: AtomicU64,
    back: Mutex<HashMap<Scope, Back>>,
}

/// Those of one scope.
#[derive(Default)]
struct Back {
    permits: Vec<PermitId>,
    /// Whether a task is returning them to counting.
    telling: bool,
}

impl Permits {
    /// None yet.
    pub(crate) fn new(counting: Arc<dyn Counting>, random: &dyn Random) -> Self {
        Self {
            counting,
            epoch: random.next_u64(),
            next: AtomicU64::new(0),
            back: Mutex::default(),
        }
    }

    /// An id for a permit to request.
    pub(crate) fn id(&self) -> PermitId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        PermitId::from_uuid(uuid::Uuid::from_u64_pair(self.epoch, number))
    }

    /// Requests a permit, and says which ones are no longer needed.
    pub(crate) async fn acquire(&self, mut request: Acquire) -> Result<Permit, Error> {
        let back = self.lock().get(&request.scope).map(Back::some);
        request.returned = back.unwrap_or_default();
        let (permit, returned) = (request.permit, request.returned.clone());
        let scope = request.scope.clone();
        let answer = self.request(request).await;
        match &answer {
            // It may have been granted.
            Err(Error::Unavailable) => self.put_back(&scope, permit),
            _ => self.forget(&scope, &returned),
        }
        answer
    }

    /// Asks counting, for some time if it cannot be reached. All requests are of one permit.
    async fn request(&self, request: Acquire) -> Result<Permit, Error> {
        let over = Instant::now() + PATIENCE;
        let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        loop {
            match self.counting.acquire(request.clone()).await {
                Err(Error::Unavailable) if Instant::now() < over => {
                    tokio::time::sleep(pauses.pause()).await;
                }
                answer => return answer,
            }
        }
    }

    /// A permit is no longer needed. The next request says so, or [`Permits::tell`].
    pub(crate) fn put_back(&self, scope: &Scope, permit: PermitId) {
        let mut back = self.lock();
        match back.get_mut(scope) {
            Some(back) => back.permits.push(permit),
            None => {
                let permits = vec![permit];
                let telling = false;
                back.insert(scope.clone(), Back { permits, telling });
            }
        }
    }

    /// Returns what is to be returned, unless a task already does.
    pub(crate) async fn tell(&self, scope: &Scope) {
        let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        let mut tells = 0;
        let mut batch = self.begin(scope);
        while !batch.is_empty() {
            tells += 1;
            let told = self.counting.release(scope.clone(), batch.clone()).await;
            if told.is_ok() || tells >= TELLS_MAX {
                self.forget(scope, &batch);
                tells = 0;
            } else {
                tokio::time::sleep(pauses.pause()).await;
            }
            batch = self.more(scope);
        }
    }

    fn begin(&self, scope: &Scope) -> Vec<PermitId> {
        let mut back = self.lock();
        match back.get_mut(scope) {
            Some(back) if !back.telling => back.batch(),
            _ => Vec::new(),
        }
    }

    fn more(&self, scope: &Scope) -> Vec<PermitId> {
        self.lock()
            .get_mut(scope)
            .map(Back::batch)
            .unwrap_or_default()
    }

    fn forget(&self, scope: &Scope, permits: &[PermitId]) {
        if permits.is_empty() {
            return;
        }
        if let Some(back) = self.lock().get_mut(scope) {
            back.permits.retain(|permit| !permits.contains(permit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Back>> {
        self.back
            .lock()
            .expect("no code panics while it holds the permits")
    }
}

impl Back {
    /// The oldest of those that came back, as many as a request may return.
    fn some(&self) -> Vec<PermitId> {
        self.permits
            .iter()
            .take(WITH_REQUEST_MAX)
            .copied()
            .collect()
    }

    /// The next to return to counting. After the last no task is returning any.
    fn batch(&mut self) -> Vec<PermitId> {
        let batch: Vec<PermitId> = self.permits.iter().take(AT_ONCE_MAX).copied().collect();
        self.telling = !batch.is_empty();
        batch
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::Semaphore;
    use types::{AccountId, FunctionName, Region, SystemRandom, Version};

    use super::*;

    /// Counting of one concurrent execution, which can be told not to receive anything.
    struct One {
        out: Mutex<Option<PermitId>>,
        releases: Semaphore,
        deaf: Mutex<u32>,
        /// How many requests it is still away for.
        away: Mutex<u32>,
        calls: Mutex<Vec<usize>>,
    }

    impl One {
        fn new(releases: usize) -> Arc<Self> {
            Arc::new(Self {
                out: Mutex::default(),
                releases: Semaphore::new(releases),
                deaf: Mutex::default(),
                away: Mutex::default(),
                calls: Mutex::default(),
            })
        }

        fn take_back(&self, permits: &[PermitId]) {
            let mut out = self.out.lock().unwrap();
            if out.is_some_and(|out| permits.contains(&out)) {
                *out = None;
            }
        }
    }

    #[async_trait]
    impl Counting for One {
        async fn acquire(&self, request: Acquire) -> Result<Permit, Error> {
            let mut away = self.away.lock().unwrap();
            if *away > 0 {
                *away -= 1;
                return Err(Error::Unavailable);
            }
            self.take_back(&request.returned);
            let mut out = self.out.lock().unwrap();
            if out.is_some() {
                let function = request.function;
                return Err(Error::FunctionConcurrency { function, limit: 1 });
            }
            *out = Some(request.permit);
            Ok(Permit {
                id: request.permit,
                provisioned: false,
            })
        }

        async fn release(&self, _: Scope, permits: Vec<PermitId>) -> Result<(), Error> {
            self.releases.acquire().await.unwrap().forget();
            self.calls.lock().unwrap().push(permits.len());
            let mut deaf = self.deaf.lock().unwrap();
            if *deaf > 0 {
                *deaf -= 1;
                self.releases.add_permits(1);
                return Err(Error::Unavailable);
            }
            self.take_back(&permits);
            Ok(())
        }
    }

    fn scope() -> Scope {
        Scope {
            account: AccountId::new("123456789012").unwrap(),
            region: Region::new("eu-central-1").unwrap(),
        }
    }

    fn request(permits: &Permits) -> Acquire {
        Acquire {
            permit: permits.id(),
            scope: scope(),
            function: FunctionName::new("f").unwrap(),
            version: Version::Latest,
            provisioned: 0,
            provisioned_total: 0,
            reserved: Some(1),
            account_limit: 10,
            reserved_total: 1,
            lasts_ms: 1_000,
            returned: Vec::new(),
        }
    }

    #[tokio::test]
    async fn one_after_the_other_is_within_the_limit_though_counting_hears_late_of_what_is_over() {
        let counting = One::new(0);
        let permits = Permits::new(Arc::clone(&counting) as Arc<dyn Counting>, &SystemRandom);
        for _ in 0..100 {
            let permit = permits.acquire(request(&permits)).await.unwrap();
            assert!(
                permits.acquire(request(&permits)).await.is_err(),
                "two at once"
            );
            permits.put_back(&scope(), permit.id);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn counting_that_is_away_for_a_moment_costs_time_and_one_that_stays_away_is_said_to_be() {
        let counting = One::new(0);
        let permits = Permits::new(Arc::clone(&counting) as Arc<dyn Counting>, &SystemRandom);
        *counting.away.lock().unwrap() = 5;
        let permit = permits.acquire(request(&permits)).await.unwrap();
        permits.put_back(&scope(), permit.id);
        *counting.away.lock().unwrap() = u32::MAX;
        let away = permits.acquire(request(&permits)).await;
        assert_eq!(away, Err(Error::Unavailable));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_told_until_it_is_heard_and_in_batches() {
        let counting = One::new(0);
        let permits = Arc::new(Permits::new(
            Arc::clone(&counting) as Arc<dyn Counting>,
            &SystemRandom,
        ));
        let first = permits.acquire(request(&permits)).await.unwrap();
        *counting.deaf.lock().unwrap() = 3;
        permits.put_back(&scope(), first.id);
        let telling = Arc::clone(&permits);
        let telling = tokio::spawn(async move { telling.tell(&scope()).await });
        tokio::task::yield_now().await;
        for _ in 0..10 {
            permits.put_back(&scope(), permits.id());
            // A task is returning them.
            permits.tell(&scope()).await;
        }
        counting.releases.add_permits(100);
        telling.await.unwrap();
        assert_eq!(*counting.out.lock().unwrap(), None);
        assert_eq!(*counting.calls.lock().unwrap(), [1, 11, 11, 11]);
        assert!(permits.lock()[&scope()].permits.is_empty());
    }
}
