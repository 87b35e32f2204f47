//! The windows of all functions, shared by all pollers of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use types::{Clock, Timestamp};

use crate::shards::FunctionId;
use crate::window::Window;

/// What was learned about a function is forgotten after so long without an event.
const FORGET: Duration = Duration::from_secs(300);

/// See the module.
pub(crate) struct Windows {
    clock: Arc<dyn Clock>,
    /// Invokes at a time of one function, at most.
    max: u32,
    /// Order never matters.
    windows: Mutex<HashMap<FunctionId, (Window, Timestamp)>>,
    /// An invoke has ended.
    ended: Notify,
}

/// One invoke within a window. Dropped, it ends without having taught anything.
pub(crate) struct Slot<'w> {
    windows: &'w Windows,
    function: &'w FunctionId,
    ended: bool,
}

impl Windows {
    pub(crate) fn new(clock: Arc<dyn Clock>, max: u32) -> Self {
        Self {
            clock,
            max,
            windows: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// How many invokes of a function may begin now.
    pub(crate) fn room(&self, function: &FunctionId) -> u32 {
        let windows = self.windows();
        let window = windows.get(function).map(|(window, _)| window);
        window.unwrap_or(&Window::default()).room(self.max)
    }

    /// Begins an invoke, if there is room.
    pub(crate) fn try_begin<'w>(&'w self, function: &'w FunctionId) -> Option<Slot<'w>> {
        let mut windows = self.windows();
        let (window, used) = windows.entry(function.clone()).or_default();
        *used = self.clock.now();
        // A slot that is not given away must not be made: it would end here, under the lock.
        window.begin(self.max).then(|| Slot {
            windows: self,
            function,
            ended: false,
        })
    }

    /// Begins an invoke as soon as there is room.
    pub(crate) async fn begin<'w>(&'w self, function: &'w FunctionId) -> Slot<'w> {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            if let Some(slot) = self.try_begin(function) {
                return slot;
            }
            ended.await;
        }
    }

    /// Forgets functions that have had no event for long.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.windows()
            .retain(|_, (window, used)| !window.is_idle() || now.since(*used) < FORGET);
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<FunctionId, (Window, Timestamp)>> {
        // Each change is whole before anything can panic.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// It ran, or was `throttled`.
    pub(crate) fn end(mut self, throttled: bool) {
        self.ended = true;
        let now = self.windows.clock.now();
        if let Some((window, _)) = self.windows.windows().get_mut(self.function) {
            window.end(throttled, self.windows.max, now);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if !self.ended
            && let Some((window, _)) = self.windows.windows().get_mut(self.function)
        {
            window.forget();
        }
        self.windows.ended.notify_waiters();
    }
}
