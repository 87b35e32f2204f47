//! What a caller may say of itself: not more than its certificate does.
//!
//! A worker runs what is hostile. An attacker who takes one over has its certificate, and must not speak for another host
//! with it: not announce, report or end what is elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::assignment::{self, Report};
use api::enrolment::{self, Renew};
use api::membership::{self, Member, View};
use api::placement::{self, Heartbeat};
use tokio::sync::watch;
use types::{ProcessId, Role, Seldom, WorkerId};

use crate::roles::Peer;

/// On which hosts processes and workers are, as the cluster's members say.
pub trait Hosts: Send + Sync {
    /// The host of a process, if it is known.
    fn of_process(&self, process: ProcessId) -> Option<String>;

    /// The host of a worker, if it is known.
    fn of_worker(&self, worker: WorkerId) -> Option<String>;
}

impl Hosts for watch::Receiver<Arc<View>> {
    fn of_process(&self, process: ProcessId) -> Option<String> {
        let view = self.borrow();
        let mut members = view.members.iter();
        let member = members.find(|member| member.process == process)?;
        Some(member.host.clone())
    }

    fn of_worker(&self, worker: WorkerId) -> Option<String> {
        Some(self.borrow().worker(worker)?.host.clone())
    }
}

/// Of nobody.
pub(crate) struct NoHosts;

impl Hosts for NoHosts {
    fn of_process(&self, _: ProcessId) -> Option<String> {
        None
    }

    fn of_worker(&self, _: WorkerId) -> Option<String> {
        None
    }
}

/// Who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Arc<Peer>,
    pub(crate) hosts: Arc<dyn Hosts>,
    pub(crate) refusals: Arc<Refusals>,
}

/// Refused calls in the log: one a second at most, since a caller that is refused may go on for as long as it likes.
pub(crate) struct Refusals(Mutex<Seldom>);

impl Refusals {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Seldom::every(Duration::from_secs(1))))
    }

    /// Tells of one.
    pub(crate) fn tell(&self, peer: &Peer, what: &str, why: &str) {
        let mut seldom = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seldom.is_due() {
            let Peer {
                host,
                serial,
                roles,
                ..
            } = peer;
            tracing::warn!(host, serial, ?roles, what, why, "a call was refused");
        }
    }
}

impl Caller {
    fn has_worker(&self, worker: WorkerId) -> bool {
        // One that is not known has only just announced itself, or has been silent.
        match self.hosts.of_worker(worker) {
            Some(host) if host == self.peer.host => true,
            Some(_) => {
                tell(self, "worker");
                false
            }
            None => false,
        }
    }
}

/// Tells that a caller says of itself what is not so: it is broken, or taken over.
fn tell(caller: &Caller, what: &str) {
    let why = "the caller's certificate says otherwise";
    caller.refusals.tell(&caller.peer, what, why);
}

/// Why a call is not passed on.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal<E> {
    /// It is refused as a call of a wrong role is.
    Denied(&'static str),
    /// It is answered.
    Answered(E),
}

/// A member says of itself what its certificate says, and takes no other host's process or worker.
pub(crate) fn own_member(
    caller: &Caller,
    (member,): &(Member,),
) -> Result<(), Refusal<membership::Error>> {
    let forged = |what: &str| {
        tell(caller, what);
        let what = what.to_owned();
        Err(Refusal::Answered(membership::Error::Forged { what }))
    };
    let (peer, hosts) = (&caller.peer, &caller.hosts);
    let of_another = |host: Option<String>| host.is_some_and(|host| host != peer.host);
    if member.host != peer.host {
        return forged("host");
    }
    if member.zone != peer.zone {
        return forged("zone");
    }
    if !member.roles.iter().all(|role| peer.roles.contains(role)) {
        return forged("roles");
    }
    if of_another(hosts.of_process(member.process)) {
        return forged("process");
    }
    if member
        .worker
        .is_some_and(|worker| of_another(hosts.of_worker(worker)))
    {
        return forged("worker");
    }
    Ok(())
}

/// A certificate is renewed by its holder.
pub(crate) fn own_certificate(
    caller: &Caller,
    (renew,): &(Renew,),
) -> Result<(), Refusal<enrolment::Error>> {
    let (peer, holder) = (&caller.peer, &renew.holder);
    let roles = peer.roles.iter().copied().collect();
    let forged = [
        ("host", holder.host != peer.host),
        ("zone", holder.zone != peer.zone),
        ("roles", holder.roles != roles),
        ("serial", renew.serial != peer.serial),
    ];
    match forged.iter().find(|(_, forged)| *forged) {
        None => Ok(()),
        Some((what, _)) => {
            tell(caller, what);
            let what = (*what).to_owned();
            Err(Refusal::Answered(enrolment::Error::Forged { what }))
        }
    }
}

/// A process is ended by its own host.
pub(crate) fn own_process(
    caller: &Caller,
    (process,): &(ProcessId,),
) -> Result<(), Refusal<membership::Error>> {
    match caller.hosts.of_process(*process) {
        Some(host) if host != caller.peer.host => {
            tell(caller, "process");
            Err(Refusal::Denied("a process of another host"))
        }
        _ => Ok(()),
    }
}

/// A worker's heartbeat comes from its own host.
pub(crate) fn own_worker(
    caller: &Caller,
    (heartbeat,): &(Heartbeat,),
) -> Result<(), Refusal<placement::Error>> {
    if !caller.has_worker(heartbeat.worker) {
        return Err(Refusal::Denied("not a worker of this host"));
    }
    if heartbeat.zone != caller.peer.zone {
        return Err(Refusal::Denied("not the zone of this host"));
    }
    // A version that does not say its host says nothing wrong.
    match heartbeat.host.is_empty() || heartbeat.host == caller.peer.host {
        true => Ok(()),
        false => Err(Refusal::Denied("not the name of this host")),
    }
}

/// A worker's reports come from its own host; those of nobody, from a frontend.
pub(crate) fn own_reports(
    caller: &Caller,
    (from, _): &(Option<WorkerId>, Vec<Report>),
) -> Result<(), Refusal<assignment::Error>> {
    let allowed = match from {
        Some(worker) => caller.has_worker(*worker),
        None => caller.peer.roles.contains(&Role::Frontend),
    };
    match allowed {
        true => Ok(()),
        false => Err(Refusal::Denied("not a worker of this host")),
    }
}
