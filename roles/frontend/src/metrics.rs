//! What a frontend counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Status {
    status: u16,
}

#[derive(Clone)]
pub(crate) struct Metrics {
    answers: Family<Status, Counter>,
    pub(crate) cold_starts: Counter,
    pub(crate) reassigned: Counter,
    pub(crate) seconds: Histogram,
    pub(crate) streamed_bytes: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        // From a warm echo to a function's longest time.
        let buckets = [
            0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 3.0, 10.0, 60.0, 900.0,
        ];
        let metrics = Self {
            answers: Family::default(),
            cold_starts: Counter::default(),
            reassigned: Counter::default(),
            seconds: Histogram::new(buckets),
            streamed_bytes: Counter::default(),
        };
        let registry = registry.sub_registry_with_prefix("frontend");
        registry.register(
            "answers",
            "Answers to invokes by status",
            metrics.answers.clone(),
        );
        let help = "Invokes that waited for a new environment";
        registry.register("cold_starts", help, metrics.cold_starts.clone());
        let help = "Invokes given another environment because the first was busy or gone";
        registry.register("reassigned", help, metrics.reassigned.clone());
        let help = "Bytes of streamed results passed on";
        registry.register("streamed_bytes", help, metrics.streamed_bytes.clone());
        let help = "From the request to its answer or its beginning, seconds";
        registry.register("invoke_seconds", help, metrics.seconds.clone());
        metrics
    }

    pub(crate) fn answered(&self, status: http::StatusCode) {
        self.answers
            .get_or_create(&Status {
                status: status.as_u16(),
            })
            .inc();
    }
}
