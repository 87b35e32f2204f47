//! Telemetry of one environment: what happens in it, kept for the extensions that subscribed, and
//! brought to them.
//!
//! ```text
//!   platform events, lines ─▶ Hub ─▶ one queue for each subscriber ─▶ delivery ─▶ into the sandbox
//! ```
//!
//! What comes before an extension subscribes is kept until init is over, so that it learns of its
//! own environment's beginning. Queues are bounded: what a subscriber does not take in time is
//! dropped, and it is told how much.

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
const BACKLOG_MAX: usize = 1_000;

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
    backlog: Option<Vec<Item>>,
    subscribers: Vec<Arc<Subscriber>>,
}

/// An extension's subscription and what waits for it.
pub(crate) struct Subscriber {
    pub(crate) name: String,
    pub(crate) subscription: Subscription,
    pub(crate) queue: Queue,
}

/// Something that was told, in the form of each API that has it.
#[derive(Clone)]
struct Item {
    stream: Stream,
    telemetry: Option<Bytes>,
    logs: Option<Bytes>,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            active: AtomicBool::new(false),
            inner: Mutex::new(Inner::default()),
            frozen: watch::Sender::new(false),
        })
    }

    /// Processes are about to be started: extensions may subscribe. Those before are gone.
    pub(crate) fn begin_init(&self) {
        let mut inner = self.lock();
        inner.close();
        inner.backlog = Some(Vec::new());
        self.active.store(true, Ordering::Relaxed);
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
        for item in inner.backlog.iter().flatten() {
            subscriber.take(item);
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
        self.tell(&Item {
            stream: Stream::Platform,
            telemetry: form(Api::Telemetry),
            logs: form(Api::Logs),
        });
    }

    /// A process has printed a line; `json` if functions' lines are to be JSON.
    pub(crate) fn line(&self, time: Timestamp, stream: Stream, line: &str, json: bool) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let object = line.starts_with('{').then(|| serde_json::from_str(line));
        let record = match object {
            Some(Ok(object)) if json => object,
            _ => Value::from(line),
        };
        let item = json!({"time": time.to_iso_text(), "type": stream.name(), "record": record});
        let item = Bytes::from(item.to_string());
        self.tell(&Item {
            stream,
            telemetry: Some(item.clone()),
            logs: Some(item),
        });
    }

    fn tell(&self, item: &Item) {
        let mut inner = self.lock();
        for subscriber in &inner.subscribers {
            subscriber.take(item);
        }
        if let Some(backlog) = &mut inner.backlog
            && backlog.len() < BACKLOG_MAX
        {
            backlog.push(item.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no code panics while it holds the subscribers")
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
    fn take(&self, item: &Item) {
        if !self.subscription.streams.contains(&item.stream) {
            return;
        }
        let form = match self.subscription.api {
            TelemetryApi::Telemetry => &item.telemetry,
            TelemetryApi::Logs => &item.logs,
        };
        if let Some(form) = form {
            self.queue.push(form.clone());
        }
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
