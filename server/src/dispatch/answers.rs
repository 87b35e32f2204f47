//! How many answers of each status a service has given.

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Status {
    status: u16,
}

/// The counts of one service.
pub(super) struct Answers(Family<Status, Counter>);

impl Answers {
    /// Has them shown among the metrics, under the service's name.
    pub(super) fn of(service: &str, registry: &mut Registry) -> Self {
        let answers = Family::default();
        let registry = registry.sub_registry_with_prefix(service);
        let help = "Answers to requests by status";
        registry.register("answers", help, answers.clone());
        Self(answers)
    }

    pub(super) fn count(&self, status: StatusCode) {
        let status = status.as_u16();
        self.0.get_or_create(&Status { status }).inc();
    }
}
