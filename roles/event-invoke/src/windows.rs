//! The windows of all functions over one kind of work, shared by all pollers of this process.
//!
//! The total is limited. A function may have as much as is left free: one alone gets half
//! of it, two a third each, and a new one finds room at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use types::{Clock, Timestamp};

use crate::shards::FunctionId;
use crate::window::Window;

/// What was learned about a function is forgotten after this long without an event.
const FORGET: Duration = Duration::from_secs(300);

/// See the module.
pub(crate) struct Windows {
    clock: Arc<dyn Clock>,
    /// How much is worked on at a time.
    turns: AtomicU32,
    known: Mutex<Known>,
    /// Something has ended, or there is more room.
    ended: Notify,
}

#[derive(Default)]
struct Known {
    /// When each was used last. Order never matters.
    windows: HashMap<FunctionId, (Window, Timestamp)>,
    /// What is worked on, of all functions.
    in_flight: u32,
}

/// One piece of work within a window. Dropped, it ends without having taught anything.
pub(crate) struct Slot<'w> {
    windows: &'w Windows,
    function: &'w FunctionId,
    ended: bool,
}

impl Windows {
    pub(crate) fn new(clock: Arc<dyn Clock>, turns: u32) -> Self {
        Self {
            clock,
            turns: AtomicU32::new(turns.max(1)),
            known: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// How much is worked on at once from now on. What has begun continues.
    pub(crate) fn set_turns(&self, turns: u32) {
        let before = self.turns.swap(turns.max(1), Ordering::Relaxed);
        if turns > before {
            self.ended.notify_waiters();
        }
    }

    /// How much is worked on at a time.
    pub(crate) fn turns(&self) -> u32 {
        self.turns.load(Ordering::Relaxed)
    }

    /// How much of a function may begin now.
    pub(crate) fn room(&self, function: &FunctionId) -> u32 {
        let known = self.known();
        let window = known.windows.get(function).map(|(window, _)| window);
        let window = window.unwrap_or(&Window::default()).clone();
        window.room(self.share(&known), self.clock.now())
    }

    /// Begins, or returns the back-off that is left; zero when only capacity is missing.
    pub(crate) fn try_begin<'w>(&'w self, function: &'w FunctionId) -> Result<Slot<'w>, Duration> {
        let mut known = self.known();
        let (share, now) = (self.share(&known), self.clock.now());
        let (window, used) = known.windows.entry(function.clone()).or_default();
        *used = now;
        if !window.begin(share, now) {
            return Err(window.pause_left(now));
        }
        known.in_flight += 1;
        Ok(Slot {
            windows: self,
            function,
            ended: false,
        })
    }

    /// Begins as soon as there is room.
    pub(crate) async fn begin<'w>(&'w self, function: &'w FunctionId) -> Slot<'w> {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            match self.try_begin(function) {
                Ok(slot) => return slot,
                Err(Duration::ZERO) => ended.await,
                Err(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Forgets functions that have had no event for long.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        let mut known = self.known();
        known
            .windows
            .retain(|_, (window, used)| window.in_flight() > 0 || now.since(*used) < FORGET);
    }

    /// What one function may have: as much as nobody has.
    fn share(&self, known: &Known) -> u32 {
        self.turns().saturating_sub(known.in_flight)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is whole before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// It ran, or was `throttled`.
    pub(crate) fn end(mut self, throttled: bool) {
        self.ended = true;
        let (now, turns) = (self.windows.clock.now(), self.windows.turns());
        if let Some((window, _)) = self.windows.known().windows.get_mut(self.function) {
            window.end(throttled, turns, now);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut known = self.windows.known();
        known.in_flight = known.in_flight.saturating_sub(1);
        if !self.ended
            && let Some((window, _)) = known.windows.get_mut(self.function)
        {
            window.forget();
        }
        drop(known);
        self.windows.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use types::ManualClock;

    use super::*;
    use crate::shards::tests::id;

    #[test]
    fn whoever_comes_new_finds_room_however_much_others_want() {
        let windows = Windows::new(Arc::new(ManualClock::default()), 16);
        let names: Vec<FunctionId> = ["a", "b", "c", "d", "e"].map(id).into();
        let mut slots = Vec::new();
        let counts: Vec<usize> = names
            .iter()
            .map(|function| {
                let before = slots.len();
                while let Ok(slot) = windows.try_begin(function) {
                    slots.push(slot);
                }
                slots.len() - before
            })
            .collect();
        assert_eq!(counts, [8, 4, 2, 1, 1]);
        assert_eq!(windows.room(&id("f")), 0, "it is all there is");
        drop(slots);
        assert_eq!(windows.room(&id("f")), 8);
    }

    #[test]
    fn a_function_that_was_throttled_pauses_and_others_do_not() {
        let clock = Arc::new(ManualClock::default());
        let windows = Windows::new(clock.clone(), 16);
        let (a, b) = (id("a"), id("b"));
        windows.try_begin(&a).ok().unwrap().end(true);
        let Err(pause) = windows.try_begin(&a) else {
            panic!("it pauses")
        };
        assert!(pause > Duration::ZERO && windows.room(&a) == 0);
        assert!(windows.try_begin(&b).is_ok());
        clock.advance(pause);
        assert!(windows.try_begin(&a).is_ok());
    }
}
