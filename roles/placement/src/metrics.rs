//! The counters of placement.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::state::Count;

/// What placement tells about itself.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(crate) environments_placed: Counter,
    pub(crate) environments_refused: Counter,
    workers: Family<State, Gauge>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct State {
    state: &'static str,
}

impl Metrics {
    /// Makes them known to `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "placement_environments_placed",
            "Environments given a worker",
            metrics.environments_placed.clone(),
        );
        registry.register(
            "placement_environments_refused",
            "Environments for which no worker had room",
            metrics.environments_refused.clone(),
        );
        registry.register(
            "placement_workers",
            "Workers by state",
            metrics.workers.clone(),
        );
        metrics
    }

    pub(crate) fn workers(&self, count: Count) {
        let states = [
            ("healthy", count.healthy),
            ("draining", count.draining),
            ("silent", count.silent),
        ];
        for (state, number) in states {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.workers.get_or_create(&State { state }).set(number);
        }
    }
}
