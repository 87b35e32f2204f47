//! What the log store counts.

use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// What takes events and counts them.
pub trait Counted: Send + Sync + 'static {
    /// Events that were written.
    fn written_events(&self) -> u64;

    /// Events that were not kept, for lack of room or because writing failed.
    fn dropped_events(&self) -> u64;
}

/// Adds the counts of what takes events to the metrics.
pub fn register_metrics<C: Counted>(registry: &mut Registry, store: &Arc<C>) {
    let registry = registry.sub_registry_with_prefix("logs");
    registry.register_collector(Box::new(Counts(Arc::downgrade(store))));
}

/// Weak: a scrape must not keep a store alive.
struct Counts<C>(Weak<C>);

impl<C> std::fmt::Debug for Counts<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counts")
    }
}

impl<C: Counted> Collector for Counts<C> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(store) = self.0.upgrade() else {
            return Ok(());
        };
        let counts = [
            ("events_written", "Log events kept", store.written_events()),
            (
                "events_dropped",
                "Log events lost for lack of room or by a failing store",
                store.dropped_events(),
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
