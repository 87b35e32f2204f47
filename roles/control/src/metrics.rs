//! What the control plane counts.

use std::sync::{Arc, Weak};

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::logs::LogStore;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Status {
    status: u16,
}

/// The counters of this role.
#[derive(Clone, Default)]
pub struct Metrics {
    answers: Family<Status, Counter>,
}

impl Metrics {
    /// Registers them, and those of the log store.
    pub fn new(registry: &mut Registry, logs: &Arc<LogStore>) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("control");
        let help = "Answers to requests by status";
        registry.register("answers", help, metrics.answers.clone());
        registry.register_collector(Box::new(Logs(Arc::downgrade(logs))));
        metrics
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        let status = status.as_u16();
        self.answers.get_or_create(&Status { status }).inc();
    }
}

/// Reads the log store's own counts. Weak: who scrapes must not keep the store alive.
struct Logs(Weak<LogStore>);

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logs")
    }
}

impl Collector for Logs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(logs) = self.0.upgrade() else {
            return Ok(());
        };
        let counts = [
            (
                "log_events_written",
                "Log events kept",
                logs.written_events(),
            ),
            (
                "log_events_dropped",
                "Log events lost for want of room or by a failing disk",
                logs.dropped_events(),
            ),
        ];
        for (name, help, count) in counts {
            let counter = ConstCounter::new(count);
            let encoder = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(encoder)?;
        }
        Ok(())
    }
}
