//! The processes that wait for an event: the runtime and extensions, each at most once.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::InvokeEvent;
use crate::machine::ShutdownReason;

/// An event for an extension.
#[derive(Clone, Debug)]
pub(crate) enum ExtensionEvent {
    /// An invoke begins.
    Invoke(InvokeEvent),
    /// The environment ends.
    Shutdown {
        /// Why.
        reason: ShutdownReason,
        /// Until when, milliseconds since 1970.
        deadline_ms: u64,
    },
}

#[derive(Default)]
pub(super) struct Waiters {
    runtime: Option<oneshot::Sender<InvokeEvent>>,
    extensions: BTreeMap<Uuid, oneshot::Sender<ExtensionEvent>>,
}

impl Waiters {
    pub(super) fn runtime_waits(&mut self) -> oneshot::Receiver<InvokeEvent> {
        let (sender, receiver) = oneshot::channel();
        self.runtime = Some(sender);
        receiver
    }

    pub(super) fn extension_waits(&mut self, id: Uuid) -> oneshot::Receiver<ExtensionEvent> {
        let (sender, receiver) = oneshot::channel();
        self.extensions.insert(id, sender);
        receiver
    }

    /// If the runtime has hung up meanwhile, it has exited or is about to: the invoke then ends by
    /// the process's exit, or by its timeout.
    pub(super) fn deliver_to_runtime(&mut self, event: InvokeEvent) {
        if let Some(waiter) = self.runtime.take() {
            let _ = waiter.send(event);
        }
    }

    /// As [`Waiters::deliver_to_runtime`]. False if nobody took it.
    pub(super) fn deliver_to_extension(&mut self, id: Uuid, event: ExtensionEvent) -> bool {
        let waiter = self.extensions.remove(&id);
        waiter.is_some_and(|waiter| waiter.send(event).is_ok())
    }
}
