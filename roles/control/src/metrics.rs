//! What the packages count.

use std::sync::{Arc, Weak};

use image::Packages;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// Adds the counts of the packages to the metrics.
pub fn register_metrics(registry: &mut Registry, packages: &Arc<Packages>) {
    let registry = registry.sub_registry_with_prefix("control");
    registry.register_collector(Box::new(Damaged(Arc::downgrade(packages))));
}

/// Weak: a scrape must not keep a store alive.
struct Damaged(Weak<Packages>);

impl std::fmt::Debug for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packages")
    }
}

impl Collector for Damaged {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(packages) = self.0.upgrade() else {
            return Ok(());
        };
        let help = "Times that a package was found to be another than was uploaded, and not used";
        let counter = ConstCounter::new(packages.damaged());
        let kind = counter.metric_type();
        let encoder = encoder.encode_descriptor("packages_damaged", help, None, kind)?;
        counter.encode(encoder)
    }
}
