//! Spans while they last, and where they go when they end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use types::{Clock, Random, Timestamp};

use crate::header::{self, SpanId, TraceId};

/// After this time the clock is asked again: it may be set, and runs at another rate than that by which spans are measured.
const ANCHORED_FOR: Duration = Duration::from_secs(60);

/// Begins spans; without an exporter, none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<On>>);

struct On {
    /// Of all traces, from 0 to 1.
    ratio: f64,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// A moment by both clocks.
    anchor: Mutex<(Timestamp, Instant)>,
    finished: mpsc::Sender<Finished>,
    dropped: AtomicU64,
}

/// Something that is being done, from its beginning until this is dropped. One that is not sampled costs nothing.
#[derive(Default)]
pub struct Span(Option<Box<Live>>);

struct Live {
    on: Arc<On>,
    finished: Finished,
    began: Instant,
}

/// On which side of a call a span is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Neither.
    Internal,
    /// It answers.
    Server,
    /// It asks.
    Client,
}

/// A span that has ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    /// Nanoseconds since 1970.
    pub(crate) end: u64,
    pub(crate) attributes: Vec<(&'static str, String)>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

impl Tracer {
    /// One whose spans come out of the receiver. Beyond `waiting_max` that nobody has taken, they are dropped.
    pub fn new(
        ratio: f64,
        waiting_max: usize,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> (Self, mpsc::Receiver<Finished>) {
        let (finished, receiver) = mpsc::channel(waiting_max);
        let anchor = Mutex::new((clock.now(), Instant::now()));
        let on = On {
            ratio,
            clock,
            random,
            anchor,
            finished,
            dropped: AtomicU64::new(0),
        };
        (Self(Some(Arc::new(on))), receiver)
    }

    /// Begins a span below the one that an invoke's header names; of a new trace if it names none.
    pub fn begin(&self, header: &str, name: &'static str, kind: Kind) -> Span {
        let Some(on) = &self.0 else {
            return Span(None);
        };
        let (trace, parent) = header::read(header).unwrap_or_else(|| (on.new_trace(), None));
        match is_sampled(trace, on.ratio) {
            true => Span(Some(Live::begin(on, (trace, parent), name, kind))),
            false => Span(None),
        }
    }

    /// How many spans were dropped since this was last asked.
    pub fn take_dropped(&self) -> u64 {
        let on = self.0.as_ref();
        on.map_or(0, |on| on.dropped.swap(0, Relaxed))
    }
}

impl Span {
    /// Begins something that is a part of this.
    pub fn child(&self, name: &'static str, kind: Kind) -> Self {
        let child = self.0.as_ref().map(|live| {
            let Finished { trace, span, .. } = live.finished;
            Live::begin(&live.on, (trace, Some(span)), name, kind)
        });
        Self(child)
    }

    /// The part of this that took the last `duration`.
    pub fn took(&self, name: &'static str, duration: Duration) {
        let mut child = self.child(name, Kind::Internal);
        if let Some(live) = &mut child.0 {
            let took = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            live.finished.start = live.finished.start.saturating_sub(took);
            live.began = live.began.checked_sub(duration).unwrap_or(live.began);
        }
    }

    /// The header of the invoke, as it is handed on by this.
    pub fn header<'h>(&self, header: &'h str) -> std::borrow::Cow<'h, str> {
        match &self.0 {
            Some(live) => header::under(header, live.finished.trace, live.finished.span).into(),
            None => header.into(),
        }
    }

    /// Says more of it.
    pub fn note(&mut self, name: &'static str, value: impl ToString) {
        if let Some(live) = &mut self.0 {
            live.finished.attributes.push((name, value.to_string()));
        }
    }

    /// It has failed.
    pub fn fail(&mut self, why: impl ToString) {
        if let Some(live) = &mut self.0 {
            live.finished.error = Some(why.to_string());
        }
    }

    /// Whether it is sampled.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl Live {
    fn begin(
        on: &Arc<On>,
        (trace, parent): (TraceId, Option<SpanId>),
        name: &'static str,
        kind: Kind,
    ) -> Box<Self> {
        let mut span = SpanId::default();
        on.random.fill(&mut span);
        let began = Instant::now();
        let start = on.nanoseconds(began);
        Box::new(Self {
            on: Arc::clone(on),
            finished: Finished {
                trace,
                span,
                parent,
                name,
                kind,
                start,
                end: start,
                attributes: Vec::new(),
                error: None,
            },
            began,
        })
    }
}

impl On {
    /// In the form of the header's, which begins with the time.
    fn new_trace(&self) -> TraceId {
        let mut trace = TraceId::default();
        self.random.fill(&mut trace);
        let seconds = u32::try_from(self.clock.now().as_secs()).unwrap_or(u32::MAX);
        trace[..4].copy_from_slice(&seconds.to_be_bytes());
        trace
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        // Both are replaced at once.
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(anchor.1) > ANCHORED_FOR {
            *anchor = (self.clock.now(), now);
        }
        let (time, at) = *anchor;
        let since = now.saturating_duration_since(at).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        time.as_millis()
            .saturating_mul(1_000_000)
            .saturating_add(since)
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(live) = self.0.take() else { return };
        let Live {
            on,
            mut finished,
            began,
        } = *live;
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        finished.end = finished.start.saturating_add(took);
        if on.finished.try_send(finished).is_err() {
            on.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// By the end of the id, which is random, as OpenTelemetry's own sampler does.
fn is_sampled(trace: TraceId, ratio: f64) -> bool {
    let [.., a, b, c, d, e, f, g] = trace;
    let number = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    (number as f64) < ratio * (1_u64 << 56) as f64
}

#[cfg(test)]
mod tests {
    use types::{ManualClock, SystemRandom};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_769_854_830_123);
    const HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";

    fn tracer(ratio: f64, waiting_max: usize) -> (Tracer, mpsc::Receiver<Finished>) {
        let clock = Arc::new(ManualClock::at(NOW));
        Tracer::new(ratio, waiting_max, clock, Arc::new(SystemRandom))
    }

    #[tokio::test(start_paused = true)]
    async fn an_invokes_spans_are_one_trace() {
        let (tracer, mut finished) = tracer(1.0, 10);
        let (frontend, worker) = {
            let mut span = tracer.begin(HEADER, "invoke", Kind::Server);
            span.note("faas.name", "f");
            tokio::time::advance(Duration::from_millis(3)).await;
            let calling = span.child("worker", Kind::Client);
            // In another process.
            let handed_on = calling.header(HEADER).into_owned();
            let mut worker = tracer.begin(&handed_on, "run", Kind::Server);
            tokio::time::advance(Duration::from_millis(5)).await;
            worker.took("init", Duration::from_millis(4));
            worker.fail("timeout");
            (span, worker)
        };
        drop(worker);
        drop(frontend);
        let mut next = || finished.try_recv().unwrap();
        let (init, calling, worker, invoke) = (next(), next(), next(), next());
        let names = [&init, &calling, &worker, &invoke].map(|span| span.name);
        assert_eq!(names, ["init", "worker", "run", "invoke"]);
        assert!(
            [&calling, &init, &worker]
                .iter()
                .all(|span| span.trace == invoke.trace)
        );
        assert_eq!(
            invoke.parent.unwrap(),
            0x5399_5c3f_42cd_8ad8_u64.to_be_bytes()
        );
        assert_eq!(calling.parent, Some(invoke.span));
        assert_eq!(worker.parent, Some(calling.span));
        assert_eq!(init.parent, Some(worker.span));
        let ms = |nanoseconds: u64| nanoseconds / 1_000_000;
        assert_eq!(ms(invoke.start), NOW.as_millis());
        assert_eq!(ms(invoke.end - invoke.start), 8);
        assert_eq!(
            (ms(init.start - worker.start), ms(init.end - init.start)),
            (1, 4)
        );
        assert_eq!(invoke.attributes, [("faas.name", "f".to_owned())]);
        assert_eq!(worker.error.as_deref(), Some("timeout"));
    }

    #[tokio::test]
    async fn more_than_can_wait_are_dropped_and_counted() {
        let (tracer, mut finished) = tracer(1.0, 2);
        for _ in 0..5 {
            drop(tracer.begin("", "invoke", Kind::Server));
        }
        assert!(finished.try_recv().unwrap().parent.is_none());
        assert_eq!((tracer.take_dropped(), tracer.take_dropped()), (3, 0));
    }

    #[tokio::test]
    async fn the_ratio_decides_and_all_decide_alike() {
        let (some, _kept) = tracer(0.25, 1);
        let (others, _kept) = tracer(0.25, 1);
        let sampled = (0..4_000).filter(|_| {
            let mut id = [0; 12];
            SystemRandom.fill(&mut id);
            let header = format!("Root=1-5759e988-{}", data_encoding::HEXLOWER.encode(&id));
            let [one, other] =
                [&some, &others].map(|all| all.begin(&header, "x", Kind::Server).is_on());
            assert_eq!(one, other);
            one
        });
        assert!((700..1_300).contains(&sampled.count()));
        let (none, _kept) = tracer(0.0, 1);
        assert!(!none.begin("", "x", Kind::Server).is_on());
        let off = Tracer::default().begin(HEADER, "x", Kind::Server);
        assert!(!off.is_on() && off.header(HEADER) == HEADER);
        assert!(!off.child("y", Kind::Client).is_on());
    }
}
