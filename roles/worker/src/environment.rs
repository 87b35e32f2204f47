//! One execution environment: its sandbox, its conversation, its log, and whose turn it is.
//!
//! ```text
//!   Starting ─▶ Ready (turns: none, one, or one that is answered and one that waits) ─▶ Ending
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::assignment::LeaseNumber;
use environment::Session;
use image::Unpacked;
use records::functions::FunctionVersion;
use sandbox::{CpuWeight, Exit, Instance};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::task::TaskTracker;
use types::{Clock, EnvironmentId, Timestamp};

use crate::log::EnvironmentLog;
use crate::outcome::Failure;
use crate::runtimes::Launch;
use crate::turns::{NoTurn, TurnEnd, Turns};

/// One execution environment.
pub(crate) struct Environment {
    pub(crate) id: EnvironmentId,
    pub(crate) function: Arc<FunctionVersion>,
    /// Whether it is for provisioned concurrency.
    pub(crate) ahead: bool,
    /// When it must be gone.
    pub(crate) lease_end: Timestamp,
    pub(crate) launch: Launch,
    pub(crate) variables: BTreeMap<String, String>,
    /// Stays on disk for as long as it is mounted.
    pub(crate) _task: Unpacked,
    pub(crate) opt: Option<Unpacked>,
    pub(crate) sandbox: Arc<dyn Instance>,
    /// What it was last weighed at, see [`crate::weights`].
    pub(crate) weight: Mutex<CpuWeight>,
    pub(crate) session: Arc<Session>,
    pub(crate) log: EnvironmentLog,
    pub(crate) clock: Arc<dyn Clock>,
    /// The turns of connections beyond its own, which all environments share.
    pub(crate) lines: Arc<Semaphore>,
    /// The tasks that serve this environment; they end when `ended` is set.
    pub(crate) tasks: TaskTracker,
    pub(crate) ended: watch::Sender<bool>,
    /// Which processes of the present attempt live.
    pub(crate) alive: watch::Sender<Alive>,
    pub(crate) state: Mutex<State>,
    /// Told when no invoke is under way any more.
    pub(crate) turns_over: Notify,
}

/// The processes of an attempt that still run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Alive {
    pub(crate) runtime: bool,
    pub(crate) extensions: u32,
}

/// Who a process is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Runtime,
    Extension(String),
}

pub(crate) struct State {
    pub(crate) life: Life,
    /// Goes up with every start of the processes, so that late reports of an old one can be told apart.
    pub(crate) attempt: u64,
    pub(crate) initialised: bool,
    /// How long the init phase took, until the first `REPORT` has told it.
    pub(crate) init: Option<Duration>,
    /// The runtime's process inside the sandbox.
    pub(crate) runtime: Option<u32>,
    /// The first process that ended in this attempt.
    pub(crate) exit: Option<(Who, Exit)>,
    turns: Turns,
    frozen: bool,
}

/// Where an environment is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    Starting,
    Ready,
    Ending,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            life: Life::Starting,
            attempt: 0,
            initialised: false,
            init: None,
            runtime: None,
            exit: None,
            turns: Turns::default(),
            frozen: false,
        }
    }
}

impl Environment {
    /// Takes the turn for the invoke of a lease. Thaws.
    pub(crate) fn begin_turn(&self, lease: LeaseNumber) -> Result<u64, NoTurn> {
        let mut state = self.lock();
        if state.life != Life::Ready {
            return Err(NoTurn::Busy);
        }
        let turn = state.turns.begin(lease)?;
        if state.frozen {
            if let Err(error) = self.sandbox.thaw() {
                // The invoke then ends by its timeout, and the environment is reset.
                tracing::error!(environment = %self.id, %error, "an environment cannot be thawed");
            }
            state.frozen = false;
            self.log.telemetry().set_frozen(false);
        }
        Ok(turn)
    }

    /// The turn's invoke has its answer; another may wait behind it now. Only the last turn to
    /// have begun can say so.
    pub(crate) fn answer_turn(&self, turn: u64) {
        self.lock().turns.answer(turn);
    }

    /// The turn is over; `refused` if its invoke never ran.
    pub(crate) fn end_turn(&self, refused: bool) -> TurnEnd {
        let end = self.lock().turns.end(refused);
        if end.idle {
            self.turns_over.notify_waiters();
        }
        end
    }

    /// Returns when no invoke is under way.
    pub(crate) async fn turns_over(&self) {
        loop {
            let told = self.turns_over.notified();
            if !self.is_busy() {
                return;
            }
            told.await;
        }
    }

    /// Freezes it if nothing has happened since `turn`.
    pub(crate) fn freeze_after(&self, turn: u64) {
        let mut state = self.lock();
        let idle = state.turns.is_idle_since(turn);
        if state.life == Life::Ready && idle && !state.frozen {
            match self.sandbox.freeze() {
                Ok(()) => {
                    state.frozen = true;
                    self.log.telemetry().set_frozen(true);
                }
                Err(error) => {
                    tracing::warn!(environment = %self.id, %error, "an environment cannot be frozen");
                }
            }
        }
    }

    /// Its sandbox has ended: what is under way ends too, and nothing is begun any more.
    pub(crate) fn lose(&self) {
        self.lock().initialised = false;
        self.session.stop();
    }

    /// Lets it take invokes.
    pub(crate) fn ready(&self) {
        let mut state = self.lock();
        if state.life == Life::Starting {
            state.life = Life::Ready;
        }
    }

    /// Whether it takes no more invokes.
    pub(crate) fn is_ending(&self) -> bool {
        self.lock().life == Life::Ending
    }

    /// Takes no more invokes. False if it was ending already. Thaws, so that processes can be notified.
    pub(crate) fn begin_ending(&self) -> bool {
        let mut state = self.lock();
        let first = state.life != Life::Ending;
        state.life = Life::Ending;
        if state.frozen {
            // What cannot be thawed can still be killed.
            let _ = self.sandbox.thaw();
            state.frozen = false;
            self.log.telemetry().set_frozen(false);
        }
        first
    }

    /// Whether its sandbox has ended, and so nothing can run in it any more.
    pub(crate) fn is_dead(&self) -> bool {
        *self.sandbox.dead().borrow()
    }

    /// Whether its processes are frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        self.lock().frozen
    }

    /// The highest lease by which it was to be used.
    pub(crate) fn seen(&self) -> LeaseNumber {
        self.lock().turns.seen()
    }

    /// How many invokes have begun in it.
    pub(crate) fn begun(&self) -> u64 {
        self.lock().turns.begun()
    }

    /// Whether an invoke is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().turns.is_busy()
    }

    /// Whether an invoke could begin now.
    pub(crate) fn takes_invokes(&self) -> bool {
        let state = self.lock();
        state.life == Life::Ready && !state.turns.is_busy()
    }

    /// Why the conversation was closed: by a process's end, or else by ours.
    pub(crate) fn failure(&self) -> Failure {
        let out_of_memory = *self.sandbox.out_of_memory().borrow();
        match &self.lock().exit {
            Some((Who::Runtime, exit)) => Failure::exit(*exit, out_of_memory),
            Some((Who::Extension(name), exit)) if !out_of_memory => {
                Failure::extension_exit(name, *exit)
            }
            _ => Failure::exit(Exit::Signal(9), out_of_memory),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.function.configuration.timeout_seconds))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds an environment's state")
    }
}
