//! The counters of counting.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use api::counting::{Acquire, Error};
use types::{FunctionName, Scope, Version};

use crate::state::ProvisionedCount;

/// What counting tells about itself.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(crate) permits_granted: Counter,
    pub(crate) permits_lapsed: Counter,
    pub(crate) requests_throttled: Family<Throttled, Counter>,
    pub(crate) executions_concurrent: Family<Account, Gauge>,
    provisioned_invocations: Family<FunctionVersion, Counter>,
    provisioned_spillover_invocations: Family<FunctionVersion, Counter>,
    provisioned_concurrent: Family<FunctionVersion, Gauge>,
    provisioned_utilization: Family<FunctionVersion, Gauge<f64, AtomicU64>>,
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

/// A version with provisioned concurrency.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct FunctionVersion {
    account: String,
    region: String,
    function: String,
    version: String,
}

impl FunctionVersion {
    fn new(scope: &Scope, function: &FunctionName, version: Version) -> Self {
        Self {
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            function: function.to_string(),
            version: version.to_string(),
        }
    }
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
        registry.register(
            "counting_provisioned_invocations",
            "Invokes that ran on provisioned concurrency",
            metrics.provisioned_invocations.clone(),
        );
        registry.register(
            "counting_provisioned_spillover_invocations",
            "Invokes that ran on demand because all provisioned concurrency was in use",
            metrics.provisioned_spillover_invocations.clone(),
        );
        registry.register(
            "counting_provisioned_executions_concurrent",
            "Concurrent executions on provisioned concurrency",
            metrics.provisioned_concurrent.clone(),
        );
        registry.register(
            "counting_provisioned_utilization",
            "Concurrent executions on provisioned concurrency by how much of it there is",
            metrics.provisioned_utilization.clone(),
        );
        metrics
    }

    /// A permit was granted to a version that has provisioned concurrency.
    pub(crate) fn provisioned(&self, function: &Acquire, used: bool) {
        let counter = match used {
            true => &self.provisioned_invocations,
            false => &self.provisioned_spillover_invocations,
        };
        let Acquire {
            scope,
            function,
            version,
            ..
        } = function;
        counter
            .get_or_create(&FunctionVersion::new(scope, function, *version))
            .inc();
    }

    /// What is provisioned at this moment, all of it.
    pub(crate) fn provisioned_now(&self, counts: &[ProvisionedCount]) {
        self.provisioned_concurrent.clear();
        self.provisioned_utilization.clear();
        for count in counts {
            let labels = FunctionVersion::new(&count.scope, &count.function, count.version);
            let utilization = f64::from(count.in_use) / f64::from(count.available.max(1));
            self.provisioned_concurrent
                .get_or_create(&labels)
                .set(i64::from(count.in_use));
            self.provisioned_utilization
                .get_or_create(&labels)
                .set(utilization);
        }
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
