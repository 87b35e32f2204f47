//! What the asynchronous plane counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use storage::queue::Depth;

use crate::plan::Seen;
use crate::shards::{DEDICATED, FAILED, SHARED};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Reason {
    reason: &'static str,
}

/// Queues are counted by kind: their names are without bound.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Kind {
    kind: &'static str,
}

pub(crate) struct Metrics {
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) invoked: Counter,
    pub(crate) failed: Counter,
    pub(crate) throttled: Counter,
    pub(crate) retried: Counter,
    pub(crate) moved: Counter,
    pub(crate) delivered: Counter,
    pub(crate) dead_lettered: Counter,
    pub(crate) delivery_failures: Counter,
    pub(crate) dead_letter_errors: Counter,
    pub(crate) recursive: Counter,
    pub(crate) unreadable: Counter,
    dropped: Family<Reason, Counter>,
    /// From acceptance to the first try.
    pub(crate) age: Histogram,
    queues: Family<Kind, Gauge>,
    waiting: Family<Kind, Gauge>,
    hidden: Family<Kind, Gauge>,
    oldest: Family<Kind, Gauge>,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let ages = [
            0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 3_600.0, 21_600.0,
        ];
        let metrics = Self {
            accepted: Counter::default(),
            refused: Counter::default(),
            invoked: Counter::default(),
            failed: Counter::default(),
            throttled: Counter::default(),
            retried: Counter::default(),
            moved: Counter::default(),
            delivered: Counter::default(),
            dead_lettered: Counter::default(),
            delivery_failures: Counter::default(),
            dead_letter_errors: Counter::default(),
            recursive: Counter::default(),
            unreadable: Counter::default(),
            dropped: Family::default(),
            age: Histogram::new(ages),
            queues: Family::default(),
            waiting: Family::default(),
            hidden: Family::default(),
            oldest: Family::default(),
        };
        metrics.register(registry.sub_registry_with_prefix("event_invoke"));
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        let counters = [
            ("events_accepted", "Events taken", &self.accepted),
            (
                "events_refused",
                "Events refused for lack of room",
                &self.refused,
            ),
            ("invokes", "Runs of functions for events", &self.invoked),
            (
                "invokes_failed",
                "Runs in which the function failed",
                &self.failed,
            ),
            (
                "invokes_throttled",
                "Tries in which it could not run",
                &self.throttled,
            ),
            (
                "events_retried",
                "Events put back to be tried again",
                &self.retried,
            ),
            (
                "events_moved",
                "Events moved to their function's own queue",
                &self.moved,
            ),
            (
                "records_delivered",
                "Records taken by destinations",
                &self.delivered,
            ),
            (
                "events_dead_lettered",
                "Events taken by dead-letter queues",
                &self.dead_lettered,
            ),
            (
                "destination_delivery_failures",
                "Records no destination took",
                &self.delivery_failures,
            ),
            (
                "dead_letter_errors",
                "Events no dead-letter queue took",
                &self.dead_letter_errors,
            ),
            (
                "events_recursive",
                "Events stopped in a recursive loop",
                &self.recursive,
            ),
            (
                "events_unreadable",
                "Messages that could not be read and were moved to a separate queue",
                &self.unreadable,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let help = "Events dropped, by the reason";
        registry.register("events_dropped", help, self.dropped.clone());
        let help = "From an event's acceptance to its first try";
        registry.register_with_unit("event_age", help, Unit::Seconds, self.age.clone());
        let gauges = [
            ("queues", "Queues by kind", &self.queues),
            (
                "queue_events_waiting",
                "Events that could be invoked now",
                &self.waiting,
            ),
            (
                "queue_events_hidden",
                "Events worked on, or waiting for their next try",
                &self.hidden,
            ),
            (
                "queue_oldest_seconds",
                "Longest wait of an event that could be invoked",
                &self.oldest,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }

    pub(crate) fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn seen(&self, seen: &[Seen]) {
        for (kind, prefix) in [
            ("shared", SHARED),
            ("function", DEDICATED),
            ("failed", FAILED),
        ] {
            let of_kind = || seen.iter().filter(|seen| seen.queue.starts_with(prefix));
            let sum =
                |part: fn(&Depth) -> u64| of_kind().map(|seen| part(&seen.depth)).sum::<u64>();
            let oldest = of_kind().map(|seen| seen.depth.oldest.as_secs()).max();
            let set = |family: &Family<Kind, Gauge>, value: u64| {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                family.get_or_create(&Kind { kind }).set(value);
            };
            set(&self.queues, of_kind().count() as u64);
            set(&self.waiting, sum(|depth| depth.visible));
            set(&self.hidden, sum(|depth| depth.hidden));
            set(&self.oldest, oldest.unwrap_or(0));
        }
    }
}
