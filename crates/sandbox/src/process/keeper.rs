//! Keeps a root's spawner alive: one thread that starts it, waits for its end and starts another.
//!
//! ```text
//!   start ──▶ Up ──ended──▶ Down ──pause──▶ start ...      stop: Stopped, from any
//! ```
//!
//! The kernel ends a spawner with the thread that started it, so that thread is this one and no other.
//! A caller that wants a sandbox while there is no spawner waits a little for the next.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::locked;
use super::spawning::{self, SpawnerHandle, SpawnerProcess};
use crate::error::Error;
use crate::message::Build;
use crate::sys::processes;

/// How long the making of a sandbox waits for a spawner: some restarts, and not as long as a client
/// would wait.
const PATIENCE: Duration = Duration::from_secs(3);
/// A spawner that lived for this long was healthy: its end is not counted against the next one.
const WELL_AFTER: Duration = Duration::from_secs(30);
/// The pause before the second start in a row; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// The longest pause: the host may have again what it lacked.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Keeps one root's spawner. Dropping it ends the spawner, and with it all of the root's sandboxes.
pub(super) struct Keeper {
    kept: Arc<Kept>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread and those who want sandboxes share.
pub(super) struct Kept {
    /// The root's name.
    root: String,
    /// Whose spawner it is, shown in lists of processes.
    label: String,
    build: Build,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    /// There is none, yet or any more.
    Down,
    Up(SpawnerHandle, OwnedFd),
    Stopped,
}

impl Keeper {
    /// Starts the first spawner; the receiver learns whether its root is ready.
    pub(super) fn start(
        tag: &str,
        root: String,
        build: Build,
    ) -> Result<(Self, oneshot::Receiver<Result<(), Error>>), Error> {
        let kept = Arc::new(Kept {
            label: format!("{tag}/{root}"),
            root,
            build,
            state: Mutex::new(State::Down),
            changed: Condvar::new(),
        });
        let (first, stands) = oneshot::channel();
        let keeping = Arc::clone(&kept);
        let thread = std::thread::Builder::new()
            .name("sandbox-keeper".to_owned())
            .spawn(move || keeping.keep(first))
            .map_err(Error::step("start a spawner's thread"))?;
        let thread = Mutex::new(Some(thread));
        Ok((Self { kept, thread }, stands))
    }

    /// For callers that want sandboxes.
    pub(super) fn kept(&self) -> Arc<Kept> {
        Arc::clone(&self.kept)
    }

    /// Ends the spawner and waits for that. Harmless twice.
    pub(super) fn stop(&self) {
        let before = std::mem::replace(&mut *locked(&self.kept.state), State::Stopped);
        self.kept.changed.notify_all();
        if let State::Up(_, process) = before {
            // Closing its socket would do, unless something blocks the process.
            let _ = processes::signal_handle(process.as_fd(), libc::SIGKILL);
        }
        if let Some(thread) = locked(&self.thread).take() {
            // A panic there is a bug and was reported there.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Kept {
    /// Has a sandbox's init forked. [`Error::Gone`] if the spawner ended meanwhile: nothing that was
    /// given to it may be used again.
    pub(super) fn create(&self, uid: u32, fds: &[BorrowedFd<'_>]) -> Result<OwnedFd, Error> {
        let down = |state: &mut State| matches!(state, State::Down);
        let state = self
            .changed
            .wait_timeout_while(locked(&self.state), PATIENCE, down);
        let (mut state, _) = state.unwrap_or_else(PoisonError::into_inner);
        let created = match &mut *state {
            State::Up(spawner, _) => spawner.create(uid, fds),
            State::Down | State::Stopped => Err(self.missing()),
        };
        if let Err(Error::Gone | Error::Protocol) = &created {
            // Others need not find out too. One that has not ended does so when its socket closes.
            *state = State::Down;
        }
        created
    }

    /// The error that there is no spawner.
    pub(super) fn missing(&self) -> Error {
        Error::NoSpawner {
            root: self.root.clone(),
        }
    }

    /// The thread.
    fn keep(&self, first: oneshot::Sender<Result<(), Error>>) {
        let mut spawner = match self.start() {
            Ok(process) => process,
            // The caller that waits for the first one decides what its failure means.
            Err(error) => return drop(first.send(Err(error))),
        };
        // Nobody may wait for it any more; the keeper is then dropped and this thread is told to stop.
        let _ = first.send(Ok(()));
        let mut in_a_row = 0;
        let mut began = Instant::now();
        loop {
            let how = spawner.wait();
            if !self.ended() {
                return;
            }
            tracing::warn!(
                root = self.root,
                how,
                "a spawner of sandboxes has ended, and its sandboxes with it; another is started"
            );
            in_a_row = if began.elapsed() >= WELL_AFTER {
                0
            } else {
                in_a_row
            };
            spawner = loop {
                if !self.pause(pause(in_a_row)) {
                    return;
                }
                in_a_row = in_a_row.saturating_add(1);
                match self.start() {
                    Ok(process) => break process,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(root = self.root, error, "no spawner can be started");
                    }
                }
            };
            began = Instant::now();
        }
    }

    /// Starts a spawner and makes it available.
    fn start(&self) -> Result<SpawnerProcess, Error> {
        let started = spawning::start(&self.build, &self.label);
        let (spawner, process) = started.map_err(|error| match error {
            Error::Gone => self.missing(),
            other => other,
        })?;
        let handle = process.handle()?;
        let mut state = locked(&self.state);
        // If it was told to stop meanwhile, the new one is dropped here, and ends with that.
        if !matches!(*state, State::Stopped) {
            *state = State::Up(spawner, handle);
        }
        drop(state);
        self.changed.notify_all();
        Ok(process)
    }

    /// Sends nothing more to the one that ended. False when it was meant to end.
    fn ended(&self) -> bool {
        let mut state = locked(&self.state);
        if matches!(*state, State::Stopped) {
            return false;
        }
        *state = State::Down;
        true
    }

    /// False as soon as it is told to stop.
    fn pause(&self, pause: Duration) -> bool {
        let goes_on = |state: &mut State| !matches!(state, State::Stopped);
        let state = self
            .changed
            .wait_timeout_while(locked(&self.state), pause, goes_on);
        let (state, _) = state.unwrap_or_else(PoisonError::into_inner);
        !matches!(*state, State::Stopped)
    }
}

/// How long to wait before a spawner is started in place of one that ended, after `in_a_row` that were
/// not healthy. The first is started at once: one accident is no pattern.
fn pause(in_a_row: u32) -> Duration {
    match in_a_row {
        0 => Duration::ZERO,
        n => PAUSE_FIRST
            .saturating_mul(1 << (n - 1).min(16))
            .min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_accident_is_mended_at_once_and_a_pattern_ever_more_slowly() {
        let pauses: Vec<u128> = (0..5).map(|n| pause(n).as_millis()).collect();
        assert_eq!(pauses, [0, 50, 100, 200, 400]);
        assert_eq!(pause(20), PAUSE_MAX);
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
    }
}
