//! What a worker counts.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sandbox::Lingering;

#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) environments: Gauge,
    pub(crate) lingering: Gauge,
    pub(crate) slow_ends: Counter,
    pub(crate) created: Counter,
    pub(crate) create_failures: Counter,
    pub(crate) invokes: Counter,
    pub(crate) function_errors: Counter,
    pub(crate) refused: Counter,
    pub(crate) exhausted: Counter,
    pub(crate) create_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        // From a pooled sandbox around 1 ms to a JVM's start.
        let buckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let metrics = Self {
            environments: Gauge::default(),
            lingering: Gauge::default(),
            slow_ends: Counter::default(),
            created: Counter::default(),
            create_failures: Counter::default(),
            invokes: Counter::default(),
            function_errors: Counter::default(),
            refused: Counter::default(),
            exhausted: Counter::default(),
            create_seconds: Histogram::new(buckets),
        };
        let registry = registry.sub_registry_with_prefix("worker");
        registry.register(
            "environments",
            "Environments that exist",
            metrics.environments.clone(),
        );
        let help = "Sandboxes that were killed and have not ended";
        registry.register("sandboxes_lingering", help, metrics.lingering.clone());
        let help = "Sandboxes that took over ten seconds to end after they were killed";
        registry.register("sandboxes_slow_to_end", help, metrics.slow_ends.clone());
        registry.register(
            "environments_created",
            "Environments made",
            metrics.created.clone(),
        );
        let help = "Environments that could not be made";
        registry.register(
            "environment_create_failures",
            help,
            metrics.create_failures.clone(),
        );
        registry.register("invokes", "Invokes that ran", metrics.invokes.clone());
        let help = "Invokes that ended in a function error";
        registry.register("function_errors", help, metrics.function_errors.clone());
        let help = "Invokes refused because the environment was busy or gone";
        registry.register("invokes_refused", help, metrics.refused.clone());
        let help = "Environments ended since all together used too much";
        registry.register("environments_exhausted", help, metrics.exhausted.clone());
        let help = "From the request to the end of init, seconds";
        registry.register(
            "environment_create_seconds",
            help,
            metrics.create_seconds.clone(),
        );
        metrics
    }

    /// Tells what the engine counts.
    pub(crate) fn tell_lingering(&self, lingering: Lingering) {
        self.lingering
            .set(i64::try_from(lingering.now).unwrap_or(i64::MAX));
        // Several may tell at once.
        let ever = self.slow_ends.inner();
        ever.fetch_max(lingering.ever, Ordering::Relaxed);
    }
}
