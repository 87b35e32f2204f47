//! A process with the role in it, that can be stopped, killed and frozen: then nothing it asks of others
//! reaches them, nor does an answer reach it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::credentials::Credentials;
use api::events::{Accept, Events as _};
use api::invoke::{Error as InvokeError, Invoke, Invoker, Outcome, Target};
use async_trait::async_trait;
use bytes::Bytes;
use prometheus_client::registry::Registry;
use storage::queue::{Charge, Depth, Kept, Message, Receipt, Usage};
use storage::{Consistency, Error, Expect, Queue, Revision, Row, Table, Watch};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use types::FunctionArn;

use crate::service::EventInvoke;

/// See the module.
pub(super) struct Process {
    pub(super) service: Arc<EventInvoke>,
    pub(super) registry: Registry,
    pub(super) gate: Gate,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Process {
    /// Takes an event.
    pub(super) async fn accept(&self, event: Accept) {
        self.service.accept(event).await.unwrap();
    }

    /// Ends as a process does that was asked to.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends as a process does that was killed.
    pub(super) fn kill(self) {
        self.freeze(true);
        self.task.abort();
    }

    /// Freezes it, or lets it continue.
    pub(super) fn freeze(&self, frozen: bool) {
        self.gate.frozen.send_replace(frozen);
    }

    /// Has the stores fail this process from now on.
    pub(super) fn fail(&self, fault: Fault) {
        *self.gate.fault.lock().unwrap() = fault;
    }

    /// A counter or gauge, as it is exported.
    pub(super) fn metric(&self, line: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let found = text.lines().find_map(|told| told.strip_prefix(line));
        let found = found.unwrap_or_else(|| panic!("{line} is not in\n{text}"));
        found.trim().parse().unwrap()
    }
}

/// What stores do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// What they should.
    None,
    /// Nothing, and say so.
    Refuse,
    /// What they should, and say that they do not know.
    Lie,
    /// Panic at the next question, and then what they should.
    Panic,
    /// Nothing, and never answer what they are asked meanwhile.
    Swallow,
    /// What they should, and never answer what they are asked meanwhile.
    Forget,
}

/// Between a process and everything else. Closed while the process is frozen.
#[derive(Clone)]
pub(super) struct Gate {
    frozen: watch::Sender<bool>,
    fault: Arc<Mutex<Fault>>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            frozen: watch::Sender::new(false),
            fault: Arc::new(Mutex::new(Fault::None)),
        }
    }

    async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        let mut frozen = self.frozen.subscribe();
        let _ = frozen.wait_for(|frozen| !*frozen).await;
        let done = work.await;
        let _ = frozen.wait_for(|frozen| !*frozen).await;
        done
    }

    async fn store<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let fault = {
            let mut fault = self.fault.lock().unwrap();
            let now = *fault;
            if now == Fault::Panic {
                *fault = Fault::None;
            }
            now
        };
        match fault {
            Fault::None => self.around(work).await,
            Fault::Refuse => Err(Error::Unavailable("it is broken".into())),
            Fault::Lie => {
                let _ = self.around(work).await;
                Err(Error::Unavailable("nobody knows".into()))
            }
            Fault::Panic => panic!("a test has a store panic"),
            Fault::Swallow => std::future::pending().await,
            Fault::Forget => {
                let _ = self.around(work).await;
                std::future::pending().await
            }
        }
    }
}

/// Something outside of the process.
pub(super) struct Outside<T: ?Sized>(pub(super) Gate, pub(super) Arc<T>);

#[async_trait]
impl Queue for Outside<dyn Queue> {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), Error> {
        let sent = self.1.send_for(queue, body, delay, charge);
        self.0.store(sent).await
    }
    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error> {
        self.0.store(self.1.usage()).await
    }
    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, Error> {
        self.0.store(self.1.show(owner, beyond)).await
    }
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        let receive = self.1.receive(queue, max, visibility, wait);
        self.0.store(receive).await
    }
    async fn extend(&self, queue: &str, receipt: Receipt, by: Duration) -> Result<bool, Error> {
        self.0.store(self.1.extend(queue, receipt, by)).await
    }
    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, Error> {
        let replace = self.1.replace(queue, receipt, body, delay);
        self.0.store(replace).await
    }
    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error> {
        self.0.store(self.1.ack(queue, receipt)).await
    }
    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        self.0.store(self.1.depth(queue)).await
    }
    async fn peek(&self, queue: &str, limit: usize, bytes: usize) -> Result<Vec<Bytes>, Error> {
        self.0.store(self.1.peek(queue, limit, bytes)).await
    }
    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, Error> {
        self.0.store(self.1.browse(queue, after, limit)).await
    }
    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.store(self.1.queues(prefix)).await
    }
    async fn delete_if_empty(&self, queue: &str) -> Result<bool, Error> {
        self.0.store(self.1.delete_if_empty(queue)).await
    }
}

#[async_trait]
impl Table for Outside<dyn Table> {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        self.0.store(self.1.get(key, consistency)).await
    }
    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        self.0.store(self.1.put(key, value, expect)).await
    }
    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        self.0.store(self.1.delete(key, expect)).await
    }
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.0.store(self.1.list(prefix, after, limit)).await
    }
    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.0.store(self.1.watch(prefix)).await
    }
}

#[async_trait]
impl Invoker for Outside<dyn Invoker> {
    async fn target(&self, arn: &FunctionArn) -> Result<Target, InvokeError> {
        self.0.around(self.1.target(arn)).await
    }
    async fn may_invoke(&self, keys: &Credentials, arn: &FunctionArn) -> Result<(), InvokeError> {
        self.0.around(self.1.may_invoke(keys, arn)).await
    }
    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, InvokeError> {
        self.0.around(self.1.invoke(invoke)).await
    }
}
