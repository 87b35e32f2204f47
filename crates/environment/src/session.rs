//! One environment's conversation: who waits for what, and the worker's side of it.
//!
//! All state is behind one lock that is held for a few moves only; the lock is never held across
//! an await. The order of deliveries is the [`Machine`]'s.

mod exchange;
mod waiters;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use types::RequestId;
use uuid::Uuid;

use crate::machine::{Effect, Machine, NotReady, Refusal, ShutdownReason};
use crate::telemetry::{Subscription, Telemetry};
pub use exchange::{
    Answer, AnswerBody, Answered, Extensions, Identity, InitEnd, Initialising, InvokeEvent, Invoked,
};
pub(crate) use waiters::ExtensionEvent;
use waiters::Waiters;

/// The worker's ends of an invoke.
struct Ends {
    event: InvokeEvent,
    started: Option<oneshot::Sender<()>>,
    answer: Option<oneshot::Sender<Answer>>,
    answered: Option<oneshot::Sender<Answered>>,
    began: Option<Instant>,
    ended: Option<Instant>,
    done: Option<oneshot::Sender<()>>,
}

struct Inner {
    machine: Machine,
    waiters: Waiters,
    registered: Option<oneshot::Sender<()>>,
    init: Option<oneshot::Sender<InitEnd>>,
    current: Option<Ends>,
    queued: Option<Ends>,
    shutdown: Option<(ShutdownReason, u64)>,
}

/// One environment's conversation with its runtime and extensions.
pub struct Session {
    identity: Identity,
    telemetry: OnceLock<Arc<dyn Telemetry>>,
    inner: Mutex<Inner>,
}

impl Session {
    /// A session in which nothing runs yet.
    pub fn new(identity: Identity) -> Arc<Self> {
        let inner = Inner {
            machine: Machine::new(),
            waiters: Waiters::default(),
            registered: None,
            init: None,
            current: None,
            queued: None,
            shutdown: None,
        };
        Arc::new(Self {
            identity,
            telemetry: OnceLock::new(),
            inner: Mutex::new(inner),
        })
    }

    /// Serves both APIs on the environment's connections until it is dropped. `lines` are the turns of
    /// those beyond [`crate::CONNECTIONS_OWN`], which all environments share.
    pub async fn serve<C>(
        self: Arc<Self>,
        connections: impl Stream<Item = io::Result<C>>,
        lines: Arc<Semaphore>,
    ) where
        C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        crate::api::serve(self, connections, lines).await;
    }

    /// Processes are about to be started: these external extensions, then the runtime.
    pub fn begin_init(&self, externals: Vec<String>) -> Initialising {
        let (end_sender, end) = oneshot::channel();
        let (registered_sender, registered) = oneshot::channel();
        let mut inner = self.lock();
        inner.drop_all();
        inner.registered = Some(registered_sender);
        if externals.is_empty() {
            inner.carry_out(vec![Effect::AllRegistered]);
        }
        inner.machine.begin_init(externals);
        inner.init = Some(end_sender);
        Initialising { registered, end }
    }

    /// Starts an invoke, at once or as soon as the runtime asks for it; see [`Invoked::started`].
    pub fn begin_invoke(&self, event: InvokeEvent) -> Result<Invoked, NotReady> {
        let (started, started_rx) = oneshot::channel();
        let (answer, answer_rx) = oneshot::channel();
        let (answered, answered_rx) = oneshot::channel();
        let (done, done_rx) = oneshot::channel();
        let mut inner = self.lock();
        let effects = inner.machine.begin_invoke(event.request)?;
        let ends = Ends {
            event,
            started: Some(started),
            answer: Some(answer),
            answered: Some(answered),
            began: None,
            ended: None,
            done: Some(done),
        };
        if effects.is_empty() {
            inner.queued = Some(ends);
        } else {
            inner.current = Some(ends);
        }
        inner.carry_out(effects);
        Ok(Invoked {
            answer: answer_rx,
            answered: answered_rx,
            done: done_rx,
            started: started_rx,
        })
    }

    /// Takes back an invoke that the runtime has not asked for yet. False if it has started.
    pub fn cancel(&self, request: RequestId) -> bool {
        let mut inner = self.lock();
        let cancelled = inner.machine.cancel_queued(request);
        if cancelled {
            inner.queued = None;
        }
        cancelled
    }

    /// Tells extensions to shut down until `deadline_ms`; returns how many were told or will be.
    pub fn begin_shutdown(&self, reason: ShutdownReason, deadline_ms: u64) -> usize {
        let mut inner = self.lock();
        inner.shutdown = Some((reason, deadline_ms));
        let (effects, count) = inner.machine.begin_shutdown();
        inner.carry_out(effects);
        count
    }

    /// The processes are gone: whatever was under way ends without an answer.
    pub fn stop(&self) {
        let mut inner = self.lock();
        inner.drop_all();
        inner.machine.stop();
    }

    /// The extensions that have registered.
    pub fn extensions(&self) -> Extensions {
        let inner = self.lock();
        let mut extensions = Extensions::default();
        for (name, external, invoke, shutdown) in inner.machine.extensions() {
            let events = [("INVOKE", invoke), ("SHUTDOWN", shutdown)];
            let events = events
                .iter()
                .filter(|(_, on)| *on)
                .map(|(event, _)| *event)
                .collect();
            extensions.all.push((name.to_owned(), events));
            extensions.external |= external;
        }
        extensions
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The runtime asks for its next event.
    pub(crate) fn runtime_next(&self) -> Result<oneshot::Receiver<InvokeEvent>, Refusal> {
        let mut inner = self.lock();
        let effects = inner.machine.runtime_next()?;
        if let Some(ends) = &mut inner.current
            && let (Some(began), Some(ended)) = (ends.began, ends.ended)
            && let Some(answered) = ends.answered.take()
        {
            // The worker may have given up on this invoke.
            let _ = answered.send(Answered { began, ended });
        }
        let receiver = inner.waiters.runtime_waits();
        inner.carry_out(effects);
        Ok(receiver)
    }

    /// The runtime begins its answer. The sender is where the answer goes.
    pub(crate) fn answer_begins(
        &self,
        request: RequestId,
    ) -> Result<oneshot::Sender<Answer>, Refusal> {
        let mut inner = self.lock();
        inner.machine.answer_begins(request)?;
        let ends = inner.current.as_mut().ok_or(Refusal::WrongState)?;
        ends.began = Some(Instant::now());
        ends.answer.take().ok_or(Refusal::WrongState)
    }

    /// The runtime's answer is whole.
    pub(crate) fn answer_ends(&self, request: RequestId) {
        let mut inner = self.lock();
        if inner.machine.answer_ends(request)
            && let Some(ends) = &mut inner.current
        {
            ends.ended = Some(Instant::now());
        }
    }

    /// The runtime failed to initialise.
    pub(crate) fn init_error(&self, error_type: String, body: Bytes) -> Result<(), Refusal> {
        let mut inner = self.lock();
        inner.machine.init_error()?;
        inner.end_init(InitEnd::Error { error_type, body });
        Ok(())
    }

    pub(crate) fn register(
        &self,
        id: Uuid,
        name: &str,
        (on_invoke, on_shutdown): (bool, bool),
    ) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let effects = inner.machine.register(id, name, on_invoke, on_shutdown)?;
        inner.carry_out(effects);
        drop(inner);
        if let Some(telemetry) = self.telemetry.get() {
            telemetry.expect();
        }
        Ok(())
    }

    /// An extension asks for its next event.
    pub(crate) fn extension_next(
        &self,
        id: Uuid,
    ) -> Result<oneshot::Receiver<ExtensionEvent>, Refusal> {
        let mut inner = self.lock();
        let effects = inner.machine.extension_next(id)?;
        let receiver = inner.waiters.extension_waits(id);
        inner.carry_out(effects);
        Ok(receiver)
    }

    /// Where subscriptions go. Once, before anything runs.
    pub fn deliver_telemetry(&self, telemetry: Arc<dyn Telemetry>) {
        // A second call changes nothing.
        let _ = self.telemetry.set(telemetry);
    }

    /// An extension subscribes.
    pub(crate) fn subscribe(&self, id: Uuid, subscription: Subscription) -> Result<(), Refusal> {
        let name = self.lock().machine.subscribe(id)?.to_owned();
        if let Some(telemetry) = self.telemetry.get() {
            telemetry.subscribe(&name, subscription);
        }
        Ok(())
    }

    /// An extension reports an error of its own, in init or later.
    pub(crate) fn extension_error(&self, id: Uuid, error_type: String) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let name = inner.machine.extension_error(id)?.to_owned();
        let message = format!("Error: extension {name} reported {error_type}");
        let body = crate::error_body(&error_type, &message);
        // One that fails later ends, and its end is what fails the invoke.
        if inner.init.is_some() {
            inner.end_init(InitEnd::Error { error_type, body });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no code panics while it holds the session")
    }
}

impl Inner {
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::AllRegistered => {
                    if let Some(registered) = self.registered.take() {
                        // The worker may have given up on this attempt.
                        let _ = registered.send(());
                    }
                }
                Effect::InitDone => self.end_init(InitEnd::Ready),
                Effect::InvokeDone => {
                    let ends = self.current.take();
                    self.current = self.queued.take();
                    if let Some(done) = ends.and_then(|ends| ends.done) {
                        // The worker may have given up on this invoke.
                        let _ = done.send(());
                    }
                }
                Effect::DeliverToRuntime => {
                    let ends = self
                        .current
                        .as_mut()
                        .expect("an invoke is delivered after it began");
                    self.waiters.deliver_to_runtime(ends.event.clone());
                    if let Some(started) = ends.started.take() {
                        let _ = started.send(());
                    }
                }
                Effect::DeliverToExtension(id) => {
                    let ends = self
                        .current
                        .as_ref()
                        .expect("an invoke is delivered after it began");
                    let event = ExtensionEvent::Invoke(ends.event.clone());
                    self.waiters.deliver_to_extension(id, event);
                }
                Effect::ShutExtensionDown(id) => {
                    if let Some((reason, deadline_ms)) = self.shutdown {
                        let event = ExtensionEvent::Shutdown {
                            reason,
                            deadline_ms,
                        };
                        if !self.waiters.deliver_to_extension(id, event) {
                            self.machine.shutdown_missed(id);
                        }
                    }
                }
            }
        }
    }

    fn end_init(&mut self, end: InitEnd) {
        self.registered = None;
        if let Some(init) = self.init.take() {
            // The worker may have given up on this attempt.
            let _ = init.send(end);
        }
    }

    /// Drops everybody's ends; those who wait see them closed.
    fn drop_all(&mut self) {
        self.waiters = Waiters::default();
        self.registered = None;
        self.init = None;
        self.current = None;
        self.queued = None;
        self.shutdown = None;
    }
}

#[cfg(test)]
mod tests;
