//! What the packages count.

use std::sync::{Arc, Weak};

use image::Images;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// Has the counts of the packages shown among the metrics.
pub fn register_metrics(registry: &mut Registry, images: &Arc<Images>) {
    let registry = registry.sub_registry_with_prefix("control");
    registry.register_collector(Box::new(Packages(Arc::downgrade(images))));
}

/// Weak: who scrapes must not keep a store alive.
struct Packages(Weak<Images>);

impl std::fmt::Debug for Packages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packages")
    }
}

impl Collector for Packages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(images) = self.0.upgrade() else {
            return Ok(());
        };
        let help = "Times that a package was found to be another than was uploaded, and not used";
        let counter = ConstCounter::new(images.damaged());
        let kind = counter.metric_type();
        let encoder = encoder.encode_descriptor("packages_damaged", help, None, kind)?;
        counter.encode(encoder)
    }
}
