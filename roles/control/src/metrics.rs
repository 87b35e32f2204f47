//! What the control plane counts.

use std::sync::{Arc, Weak};

use http::StatusCode;
use image::Images;
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
    /// Registers them, and those of the log store and of the packages.
    pub fn new(registry: &mut Registry, logs: &Arc<LogStore>, images: &Arc<Images>) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("control");
        let help = "Answers to requests by status";
        registry.register("answers", help, metrics.answers.clone());
        registry.register_collector(Box::new(Stores {
            logs: Arc::downgrade(logs),
            images: Arc::downgrade(images),
        }));
        metrics
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        let status = status.as_u16();
        self.answers.get_or_create(&Status { status }).inc();
    }
}

/// Reads the stores' own counts. Weak: who scrapes must not keep a store alive.
struct Stores {
    logs: Weak<LogStore>,
    images: Weak<Images>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

impl Collector for Stores {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (Some(logs), Some(images)) = (self.logs.upgrade(), self.images.upgrade()) else {
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
            (
                "packages_damaged",
                "Times that a package was found to be another than was uploaded, and not used",
                images.damaged(),
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
