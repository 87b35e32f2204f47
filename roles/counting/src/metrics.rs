//! The counters of counting.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use api::counting::Error;

/// What counting tells about itself.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(crate) permits_granted: Counter,
    pub(crate) permits_lapsed: Counter,
    pub(crate) requests_throttled: Family<Throttled, Counter>,
    pub(crate) executions_concurrent: Family<Account, Gauge>,
}

/// Which limit was in the way.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Throttled {
    limit: &'static str,
}

/// Whose executions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Account {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Metrics {
    /// Makes them known to `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "counting_permits_granted",
            "Permits granted",
            metrics.permits_granted.clone(),
        );
        registry.register(
            "counting_permits_lapsed",
            "Permits that nobody gave back in time",
            metrics.permits_lapsed.clone(),
        );
        registry.register(
            "counting_requests_throttled",
            "Requests refused, by the limit in the way",
            metrics.requests_throttled.clone(),
        );
        registry.register(
            "counting_executions_concurrent",
            "Concurrent executions by account and region",
            metrics.executions_concurrent.clone(),
        );
        metrics
    }

    pub(crate) fn throttled(&self, error: &Error) {
        let limit = match error {
            Error::FunctionConcurrency { .. } => "function_concurrency",
            Error::AccountConcurrency { .. } => "account_concurrency",
            Error::FunctionRate { .. } => "function_rate",
            Error::AccountRate { .. } => "account_rate",
            Error::ScalingRate { .. } => "scaling_rate",
            Error::Unavailable => return,
        };
        self.requests_throttled
            .get_or_create(&Throttled { limit })
            .inc();
    }
}
