//! The state of an environment's conversation: which calls are allowed, and who has asked for the next event.
//!
//! ```text
//!            begin_init            all asked for next          begin_invoke
//!   Stopped ───────────▶ Init ─────────────────────▶ Idle ◀───────────────────▶ Invoke
//!      ▲                                                     answered, and all
//!      └──────────────── stop (from any phase) ◀── Shutdown  asked for next
//! ```
//!
//! Invariants: an invoke is delivered to the runtime at most once, and only when the runtime waits
//! for it; an invoke has at most one answer; after `stop` nothing of the old processes counts.
//! Deliberately absent: HTTP, tasks, clocks. [`crate::session`] carries out the [`Effect`]s.

use std::collections::{BTreeMap, BTreeSet};

use types::RequestId;
use types::limits::EXTENSIONS_MAX;
use uuid::Uuid;

/// Where the environment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No process runs.
    Stopped,
    /// Processes were started and have not all asked for their first event.
    Init,
    /// All wait for an event.
    Idle,
    /// An invoke runs, or its runtime or extensions have not asked for the next one yet.
    Invoke,
    /// Extensions are told to end.
    Shutdown,
}

/// One party that asks for events: the runtime or an extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Party {
    /// Has not asked for its next event.
    Running,
    /// Waits for it.
    Waiting,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answering {
    Awaited,
    Arriving,
    Given,
}

#[derive(Debug)]
struct Extension {
    name: String,
    external: bool,
    on_invoke: bool,
    on_shutdown: bool,
    party: Party,
    /// It has the shutdown event, of which there is one.
    told: bool,
}

/// What the session must do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Every external extension has registered: the runtime may be started.
    AllRegistered,
    /// Init is complete.
    InitDone,
    /// Hand the current invoke to the waiting runtime.
    DeliverToRuntime,
    /// Hand the current invoke to this waiting extension.
    DeliverToExtension(Uuid),
    /// Tell this waiting extension to shut down.
    ShutExtensionDown(Uuid),
    /// The invoke is over; everybody waits again.
    InvokeDone,
}

/// Why a call is refused; the words are those of the Runtime API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Not in this phase, or not twice.
    WrongState,
    /// Not the invoke that runs.
    WrongRequest,
    /// Registration is for the init phase only.
    RegistrationClosed,
    /// That name is taken, or there are ten already.
    TooManyExtensions,
    /// Internal extensions cannot have the shutdown event.
    ShutdownForInternal,
    /// No extension has this identifier.
    UnknownExtension,
}

/// An invoke that cannot begin: one is running, or nothing is there to run it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotReady;

/// Why extensions are told to shut down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShutdownReason {
    /// The environment's end.
    Spindown,
    /// The invoke ran out of time.
    Timeout,
    /// The runtime or an extension failed.
    Failure,
}

#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    runtime: Party,
    /// External extensions that were started and have not registered yet.
    unregistered: BTreeSet<String>,
    extensions: BTreeMap<Uuid, Extension>,
    invoke: Option<(RequestId, Answering)>,
    /// An invoke that waits for the runtime to ask for it, see [`Machine::begin_invoke`].
    queued: Option<RequestId>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Stopped,
            runtime: Party::Running,
            unregistered: BTreeSet::new(),
            extensions: BTreeMap::new(),
            invoke: None,
            queued: None,
        }
    }

    /// Processes are being started: the runtime and these external extensions.
    pub(crate) fn begin_init(&mut self, externals: impl IntoIterator<Item = String>) {
        *self = Self::new();
        self.phase = Phase::Init;
        self.unregistered.extend(externals);
    }

    /// All processes are gone or being killed.
    pub(crate) fn stop(&mut self) {
        *self = Self::new();
    }

    /// An invoke is to run. It may begin when everybody waits; and it may be given early, when the
    /// running one is answered and only the runtime has yet to ask for the next: a runtime does so
    /// within microseconds, and a caller that comes back at once must not find it busy.
    pub(crate) fn begin_invoke(&mut self, request: RequestId) -> Result<Vec<Effect>, NotReady> {
        match self.phase {
            Phase::Idle => Ok(self.start(request)),
            Phase::Invoke if self.is_answered() && self.queued.is_none() => {
                self.queued = Some(request);
                Ok(Vec::new())
            }
            _ => Err(NotReady),
        }
    }

    /// Takes back an invoke given early that has not started. False if it has.
    pub(crate) fn cancel_queued(&mut self, request: RequestId) -> bool {
        let queued = self.queued == Some(request);
        if queued {
            self.queued = None;
        }
        queued
    }

    /// Extensions that subscribed to it are told to shut down; those that do not wait are told
    /// when they ask, and all of them once. Returns how many there are to wait for.
    pub(crate) fn begin_shutdown(&mut self) -> (Vec<Effect>, usize) {
        self.phase = Phase::Shutdown;
        let subscribed = self.extensions.iter_mut().filter(|(_, e)| e.on_shutdown);
        let mut effects = Vec::new();
        let mut count = 0;
        for (id, extension) in subscribed {
            count += 1;
            if extension.party == Party::Waiting && !extension.told {
                extension.party = Party::Running;
                extension.told = true;
                effects.push(Effect::ShutExtensionDown(*id));
            }
        }
        (effects, count)
    }

    /// The shutdown event found nobody: the extension's connection had broken. It is told when it asks again.
    pub(crate) fn shutdown_missed(&mut self, id: Uuid) {
        if let Some(extension) = self.extensions.get_mut(&id) {
            extension.told = false;
        }
    }

    /// `GET /runtime/invocation/next`. A runtime that already waits may ask again: its connection
    /// may have broken meanwhile. During a shutdown it waits for what does not come.
    pub(crate) fn runtime_next(&mut self) -> Result<Vec<Effect>, Refusal> {
        let allowed = match self.phase {
            Phase::Init | Phase::Idle | Phase::Shutdown => true,
            Phase::Invoke => self.is_answered(),
            Phase::Stopped => false,
        };
        if !allowed {
            return Err(Refusal::WrongState);
        }
        self.runtime = Party::Waiting;
        Ok(self.settle())
    }

    /// The runtime begins to post the answer to an invoke.
    pub(crate) fn answer_begins(&mut self, request: RequestId) -> Result<(), Refusal> {
        match &mut self.invoke {
            Some((current, answering)) if *current == request => match answering {
                Answering::Awaited => {
                    *answering = Answering::Arriving;
                    Ok(())
                }
                Answering::Arriving | Answering::Given => Err(Refusal::WrongState),
            },
            _ => Err(Refusal::WrongRequest),
        }
    }

    /// The answer is complete. False if that invoke does not run any more.
    pub(crate) fn answer_ends(&mut self, request: RequestId) -> bool {
        match &mut self.invoke {
            Some((current, answering))
                if *current == request && *answering == Answering::Arriving =>
            {
                *answering = Answering::Given;
                true
            }
            _ => false,
        }
    }

    /// The runtime reports that its init failed.
    pub(crate) fn init_error(&mut self) -> Result<(), Refusal> {
        match self.phase {
            Phase::Init if self.runtime == Party::Running => Ok(()),
            _ => Err(Refusal::WrongState),
        }
    }

    /// An extension registers. One that was started from `/opt/extensions` under this name is
    /// external, any other lives in the runtime's process.
    pub(crate) fn register(
        &mut self,
        id: Uuid,
        name: &str,
        on_invoke: bool,
        on_shutdown: bool,
    ) -> Result<Vec<Effect>, Refusal> {
        if self.phase != Phase::Init || self.runtime == Party::Waiting {
            return Err(Refusal::RegistrationClosed);
        }
        let external = self.unregistered.contains(name);
        let taken = self.extensions.values().any(|e| e.name == name);
        if taken || self.extensions.len() + self.unregistered.len() >= EXTENSIONS_MAX && !external {
            return Err(Refusal::TooManyExtensions);
        }
        if on_shutdown && !external {
            return Err(Refusal::ShutdownForInternal);
        }
        self.unregistered.remove(name);
        let last = external && self.unregistered.is_empty();
        let name = name.to_owned();
        let party = Party::Running;
        let extension = Extension {
            name,
            external,
            on_invoke,
            on_shutdown,
            party,
            told: false,
        };
        self.extensions.insert(id, extension);
        Ok(if last {
            vec![Effect::AllRegistered]
        } else {
            Vec::new()
        })
    }

    /// `GET /extension/event/next`. Nothing follows the shutdown event: an extension that asks for more waits until it is killed.
    pub(crate) fn extension_next(&mut self, id: Uuid) -> Result<Vec<Effect>, Refusal> {
        let phase = self.phase;
        let extension = self
            .extensions
            .get_mut(&id)
            .ok_or(Refusal::UnknownExtension)?;
        if phase == Phase::Stopped {
            return Err(Refusal::WrongState);
        }
        if phase == Phase::Shutdown && extension.on_shutdown && !extension.told {
            extension.told = true;
            return Ok(vec![Effect::ShutExtensionDown(id)]);
        }
        extension.party = Party::Waiting;
        Ok(self.settle())
    }

    /// An extension reports an error of its own.
    pub(crate) fn extension_error(&mut self, id: Uuid) -> Result<&str, Refusal> {
        match self.extensions.get(&id) {
            Some(extension) => Ok(&extension.name),
            None => Err(Refusal::UnknownExtension),
        }
    }

    /// An extension subscribes to telemetry, which is for the init phase only.
    pub(crate) fn subscribe(&mut self, id: Uuid) -> Result<&str, Refusal> {
        let extension = self.extensions.get(&id).ok_or(Refusal::UnknownExtension)?;
        match self.phase {
            Phase::Init => Ok(&extension.name),
            _ => Err(Refusal::WrongState),
        }
    }

    /// Names, kinds and subscriptions of the registered extensions.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = (&str, bool, bool, bool)> {
        let all = self.extensions.values();
        all.map(|e| (e.name.as_str(), e.external, e.on_invoke, e.on_shutdown))
    }

    /// Whether the invoke that runs has its whole answer.
    fn is_answered(&self) -> bool {
        matches!(self.invoke, Some((_, Answering::Given)))
    }

    /// If everybody waits, the phase is over.
    fn settle(&mut self) -> Vec<Effect> {
        let all_wait = self.runtime == Party::Waiting
            && self.unregistered.is_empty()
            && self.extensions.values().all(|e| e.party == Party::Waiting);
        match self.phase {
            Phase::Init if all_wait => {
                self.phase = Phase::Idle;
                vec![Effect::InitDone]
            }
            Phase::Invoke if all_wait && self.is_answered() => {
                self.phase = Phase::Idle;
                self.invoke = None;
                let mut effects = vec![Effect::InvokeDone];
                if let Some(request) = self.queued.take() {
                    effects.extend(self.start(request));
                }
                effects
            }
            _ => Vec::new(),
        }
    }

    fn start(&mut self, request: RequestId) -> Vec<Effect> {
        self.phase = Phase::Invoke;
        self.invoke = Some((request, Answering::Awaited));
        self.runtime = Party::Running;
        let mut effects = vec![Effect::DeliverToRuntime];
        for (id, extension) in self.extensions.iter_mut().filter(|(_, e)| e.on_invoke) {
            extension.party = Party::Running;
            effects.push(Effect::DeliverToExtension(*id));
        }
        effects
    }
}

#[cfg(test)]
mod tests;
