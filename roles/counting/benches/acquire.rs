//! Acquire and release, in process and on one core.
//!
//! `cargo bench -p counting`. Goal: over 300 000 pairs a second. Every call goes through the trait
//! object, as the frontend makes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::counting::{Acquire, Counting};
use counting::{Config, Metrics, Service};
use prometheus_client::registry::Registry;
use types::{FunctionName, PermitId, SystemClock, SystemRandom, Version};

const LASTS: Duration = Duration::from_secs(2);
const FUNCTIONS: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let metrics = Metrics::new(&mut Registry::default());
    let clock = Arc::new(SystemClock);
    let counting: Arc<dyn Counting> = Arc::new(Service::new(Config::default(), clock, metrics));
    let requests: Vec<Acquire> = (0..FUNCTIONS).map(request).collect();
    for count in [1, FUNCTIONS] {
        let rate = measure(|turn| pair(&*counting, &requests[turn % count])).await;
        println!("acquire + release, {count:>4} functions: {rate:>9.0} pairs/s");
    }
}

async fn measure<F: Future<Output = ()>>(mut pair: impl FnMut(usize) -> F) -> f64 {
    let begun = Instant::now();
    let mut turn = 0;
    // The clock is read only now and then, so that it is not what is measured.
    while turn % 1_024 != 0 || begun.elapsed() < LASTS {
        pair(turn).await;
        turn += 1;
    }
    turn as f64 / begun.elapsed().as_secs_f64()
}

async fn pair(counting: &dyn Counting, request: &Acquire) {
    // Returned before, so that the same id can be used for all.
    let permit = counting
        .acquire(request.clone())
        .await
        .expect("the limit is high");
    counting
        .release(request.scope.clone(), vec![permit.id])
        .await
        .expect("releasing does not fail");
}

fn request(number: usize) -> Acquire {
    Acquire {
        permit: PermitId::random(&SystemRandom),
        scope: records::examples::scope(),
        function: FunctionName::new(&format!("function-number-{number}")).expect("a name"),
        version: Version::Latest,
        provisioned: 0,
        provisioned_total: 0,
        reserved: None,
        // Ten times as many a second must not be what the bench runs into.
        account_limit: 100_000_000,
        reserved_total: 0,
        lasts_ms: 3_000,
        returned: Vec::new(),
    }
}
