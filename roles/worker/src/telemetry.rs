//! Telemetry of one environment: what happens in it, kept for the extensions that subscribed, and
//! brought to them.
//!
//! ```text
//!   platform events, lines ─▶ Hub ─▶ one queue for each subscriber ─▶ delivery ─▶ into the sandbox
//! ```
//!
//! What comes before an extension subscribes is kept until init is over, so that it learns of its
//! own environment's beginning. Queues are bounded: what a subscriber does not take in time is
//! dropped, and it is notified how much.

mod delivery;
mod queue;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use environment::{Stream, Subscription, TelemetryApi};
use serde_json::{Value, json};
use tokio::sync::watch;
use types::Timestamp;

use crate::platform::{Api, Event};
pub(crate) use delivery::deliver;
pub(crate) use queue::Queue;

/// Items kept for those who subscribe later.
const BACKLOG_ITEMS_MAX: usize = 1_000;
/// Bytes of them, as they were printed.
const BACKLOG_BYTES_MAX: usize = 1024 * 1024;
/// What an item takes in addition to its text.
const ITEM_BYTES: usize = 128;

/// See the module.
pub(crate) struct Hub {
    /// Whether anybody listens, or may still come to.
    active: AtomicBool,
    inner: Mutex<Inner>,
    /// Whether the environment is frozen: nobody inside takes anything then.
    frozen: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    /// `Some` during init.
    backlog: Option<Backlog>,
    subscribers: Vec<Arc<Subscriber>>,
}

/// What has been told since init began.
#[derive(Default)]
struct Backlog {
    items: Vec<(Stream, Item)>,
    bytes: usize,
    /// Whether lines are kept: there is somebody who may want them.
    lines: bool,
}

/// An extension's subscription and what waits for it.
pub(crate) struct Subscriber {
    pub(crate) name: String,
    pub(crate) subscription: Subscription,
    pub(crate) queue: Queue,
}

/// Something that was sent.
enum Item {
    /// In the form of each API that has it.
    Event {
        telemetry: Option<Bytes>,
        logs: Option<Bytes>,
    },
    /// As it was printed: its form may be six times as long. `json` if it may be an object.
    Line {
        time: Timestamp,
        text: Box<str>,
        json: bool,
    },
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            active: AtomicBool::new(false),
            inner: Mutex::new(Inner::default()),
            frozen: watch::Sender::new(false),
        })
    }

    /// Processes are about to be started: extensions may subscribe. Those before are gone. What is
    /// printed is kept for them from when there is one: see [`Hub::expect`].
    pub(crate) fn begin_init(&self) {
        let mut inner = self.lock();
        inner.close();
        inner.backlog = Some(Backlog::default());
        self.active.store(true, Ordering::Relaxed);
    }

    /// There is an extension, which may subscribe.
    pub(crate) fn expect(&self) {
        if let Some(backlog) = &mut self.lock().backlog {
            backlog.lines = true;
        }
    }

    /// Nobody can subscribe any more.
    pub(crate) fn end_init(&self) {
        let mut inner = self.lock();
        inner.backlog = None;
        self.active
            .store(!inner.subscribers.is_empty(), Ordering::Relaxed);
    }

    /// All processes are gone, and the subscriptions with them.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.close();
        inner.backlog = None;
        self.active.store(false, Ordering::Relaxed);
    }

    /// What waits is to be delivered now.
    pub(crate) fn flush(&self) {
        for subscriber in &self.lock().subscribers {
            subscriber.queue.flush();
        }
    }

    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }

    /// Whether the environment is frozen.
    pub(crate) fn frozen(&self) -> watch::Receiver<bool> {
        self.frozen.subscribe()
    }

    /// Adds a subscriber, instead of one of the same name and API, with what has been told so far.
    pub(crate) fn subscribe(&self, name: &str, subscription: Subscription) -> Arc<Subscriber> {
        let subscriber = Arc::new(Subscriber {
            name: name.to_owned(),
            queue: Queue::new(&subscription),
            subscription,
        });
        let api = subscriber.subscription.api;
        let mut inner = self.lock();
        inner.subscribers.retain(|other| {
            let same = other.name == name && other.subscription.api == api;
            if same {
                other.queue.close();
            }
            !same
        });
        let backlog = inner.backlog.as_ref().map(|backlog| &backlog.items);
        for (stream, item) in backlog.into_iter().flatten() {
            if subscriber.wants(*stream)
                && let Some(form) = item.form(*stream, api)
            {
                subscriber.queue.push(form);
            }
        }
        inner.subscribers.push(Arc::clone(&subscriber));
        subscriber
    }

    /// The platform tells something.
    pub(crate) fn event(&self, time: Timestamp, event: &Event) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let form = |api| {
            event
                .json(api, time)
                .map(|json| Bytes::from(json.to_string()))
        };
        let item = Item::Event {
            telemetry: form(Api::Telemetry),
            logs: form(Api::Logs),
        };
        self.tell(Stream::Platform, item);
    }

    /// A process has printed a line; `json` if functions' lines are to be JSON.
    pub(crate) fn line(&self, time: Timestamp, stream: Stream, line: &str, json: bool) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let text = line.into();
        self.tell(stream, Item::Line { time, text, json });
    }

    fn tell(&self, stream: Stream, item: Item) {
        let mut inner = self.lock();
        for api in [TelemetryApi::Telemetry, TelemetryApi::Logs] {
            let wanting = |one: &&Arc<Subscriber>| one.subscription.api == api && one.wants(stream);
            let mut wanting = inner.subscribers.iter().filter(wanting).peekable();
            // Made when somebody wants it, and once for all who do.
            if wanting.peek().is_some()
                && let Some(form) = item.form(stream, api)
            {
                wanting.for_each(|one| one.queue.push(form.clone()));
            }
        }
        if let Some(backlog) = &mut inner.backlog {
            backlog.keep(stream, item);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no code panics while it holds the subscribers")
    }
}

impl Backlog {
    /// Keeps an item for those who subscribe later, as far as there is room and it is kept at all.
    fn keep(&mut self, stream: Stream, item: Item) {
        let bytes = ITEM_BYTES + item.bytes();
        let wanted = self.lines || matches!(item, Item::Event { .. });
        let fits = self.items.len() < BACKLOG_ITEMS_MAX && self.bytes + bytes <= BACKLOG_BYTES_MAX;
        if wanted && fits {
            self.bytes += bytes;
            self.items.push((stream, item));
        }
    }
}

impl Item {
    /// What it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::Event { telemetry, logs } => {
                let forms = [telemetry, logs].into_iter().flatten();
                forms.map(Bytes::len).sum()
            }
            Self::Line { text, .. } => text.len(),
        }
    }

    /// As an API tells it; `None` if it does not.
    fn form(&self, stream: Stream, api: TelemetryApi) -> Option<Bytes> {
        match self {
            Self::Event { telemetry, logs } => match api {
                TelemetryApi::Telemetry => telemetry.clone(),
                TelemetryApi::Logs => logs.clone(),
            },
            Self::Line { time, text, json } => {
                let object = text.starts_with('{').then(|| serde_json::from_str(text));
                let record = match object {
                    Some(Ok(object)) if *json => object,
                    _ => Value::from(&**text),
                };
                let time = time.to_iso_text();
                let item = json!({"time": time, "type": stream.name(), "record": record});
                Some(Bytes::from(item.to_string()))
            }
        }
    }
}

impl Inner {
    fn close(&mut self) {
        for subscriber in self.subscribers.drain(..) {
            subscriber.queue.close();
        }
    }
}

impl Subscriber {
    fn wants(&self, stream: Stream) -> bool {
        self.subscription.streams.contains(&stream)
    }

    /// As log lines and events name what it wants.
    pub(crate) fn subscribed(&self) -> Event {
        let streams = self.subscription.streams.iter();
        Event::Subscription {
            api: match self.subscription.api {
                TelemetryApi::Telemetry => Api::Telemetry,
                TelemetryApi::Logs => Api::Logs,
            },
            name: self.name.clone(),
            types: streams.map(|stream| stream.name()).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
