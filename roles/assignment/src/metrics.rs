//! The counters of assignment.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::state::Counts;

/// What assignment tells about itself.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Lent at once, from the idle ones. Apart from the others because it is on every invoke's path.
    pub(crate) leases_warm: Counter,
    pub(crate) leases_waited: Counter,
    pub(crate) leases_cold: Counter,
    pub(crate) leases_refused: Counter,
    creations_seconds: Histogram,
    creations_failed: Counter,
    pub(crate) records_appended: Counter,
    environments: Family<State, Gauge>,
    partitions_led: Gauge,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct State {
    state: &'static str,
}

impl Metrics {
    /// Makes them known to `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            leases_warm: Counter::default(),
            leases_waited: Counter::default(),
            leases_cold: Counter::default(),
            leases_refused: Counter::default(),
            // From 5 ms to some 10 s: a restored sandbox, and an init at its limit.
            creations_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 12)),
            creations_failed: Counter::default(),
            records_appended: Counter::default(),
            environments: Family::default(),
            partitions_led: Gauge::default(),
        };
        let counters = [
            (
                "leases_warm",
                "Invokes lent an idle environment at once",
                &metrics.leases_warm,
            ),
            (
                "leases_waited",
                "Invokes lent one that came free",
                &metrics.leases_waited,
            ),
            (
                "leases_cold",
                "Invokes lent a new environment",
                &metrics.leases_cold,
            ),
            (
                "leases_refused",
                "Invokes lent none",
                &metrics.leases_refused,
            ),
            (
                "creations_failed",
                "Environments that could not be made",
                &metrics.creations_failed,
            ),
            (
                "records_appended",
                "Records appended to journals",
                &metrics.records_appended,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("assignment_{name}"), help, counter.clone());
        }
        registry.register(
            "assignment_creations_seconds",
            "From the wish for an environment to its first lease",
            metrics.creations_seconds.clone(),
        );
        registry.register(
            "assignment_environments",
            "Environments by state, and callers waiting",
            metrics.environments.clone(),
        );
        registry.register(
            "assignment_partitions_led",
            "Partitions led by this process",
            metrics.partitions_led.clone(),
        );
        metrics
    }

    pub(crate) fn created(&self, took: Duration) {
        self.creations_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn not_created(&self) {
        self.creations_failed.inc();
    }

    pub(crate) fn led(&self, partitions: usize) {
        let partitions = i64::try_from(partitions).unwrap_or(i64::MAX);
        self.partitions_led.set(partitions);
    }

    pub(crate) fn environments(&self, counts: Counts) {
        let states = [
            ("creating", counts.creating),
            ("idle", counts.idle),
            ("busy", counts.busy),
            ("draining", counts.draining),
            ("waiting", counts.waiting),
        ];
        for (state, number) in states {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.environments
                .get_or_create(&State { state })
                .set(number);
        }
    }
}
