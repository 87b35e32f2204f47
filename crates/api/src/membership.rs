//! Membership: which processes the cluster has, what they are, and where they are reached.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{ProcessId, Role, WorkerId};

use crate::Kind;

/// A process of the cluster, as it describes itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Which process, for one run of it.
    pub process: ProcessId,
    /// The host it runs on.
    pub host: String,
    /// The availability zone of that host.
    pub zone: String,
    /// What it is.
    pub roles: BTreeSet<Role>,
    /// Where the others reach it.
    pub address: SocketAddr,
    /// The version of its program.
    pub version: String,
    /// Its worker, if it is one.
    pub worker: Option<WorkerId>,
    /// The runtimes of its worker. None, if its version does not say.
    #[serde(default)]
    pub runtimes: Runtimes,
    /// Whether it can be called.
    pub state: State,
}

/// What a worker runs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Runtimes {
    /// Families, such as `python`: every runtime of AWS's of that family.
    pub families: BTreeSet<String>,
    /// Runtimes by name.
    pub exact: BTreeSet<String>,
    /// Those of both that are refused nevertheless, and why.
    pub refused: BTreeMap<String, String>,
}

/// How far a process is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum State {
    /// It answers no calls yet.
    Starting,
    /// It answers calls.
    Ready,
    /// It finishes what it has, and is to be given nothing new.
    Draining,
}

/// The processes that are alive, as one of them sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct View {
    /// In the order of their ids.
    pub members: Vec<Member>,
    /// Hosts whose workers an operator has told to drain.
    pub draining_hosts: BTreeSet<String>,
    /// Serial numbers, in hex, of certificates that are valid no more.
    pub revoked: BTreeSet<String>,
    /// Which process leads a partition of assignment, by the partition's name.
    pub leaders: BTreeMap<String, ProcessId>,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// The caller is not what it says.
    #[error("{what} is not what the caller's certificate says")]
    Forged {
        /// What it said of itself: `host`, `zone`, `roles`.
        what: String,
    },
    /// No process that keeps the members can be reached.
    #[error("membership cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Forged { .. } => Kind::Invalid,
            Self::Unavailable => Kind::Unavailable,
        }
    }
}

/// Takes processes in that do not reach the cluster's stores: workers, which run what is hostile.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Says that a process is alive, and how it is. To be repeated every second; the last call counts. Answers who else
    /// is.
    async fn announce(&self, member: Member) -> Result<Arc<View>, Error>;

    /// Says that a process ends. Harmless if it is not known.
    async fn leave(&self, process: ProcessId) -> Result<(), Error>;
}

impl View {
    /// The ready members with a role.
    pub fn ready(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(move |member| member.state == State::Ready && member.roles.contains(&role))
    }

    /// The member whose worker this is.
    pub fn worker(&self, id: WorkerId) -> Option<&Member> {
        self.members.iter().find(|member| member.worker == Some(id))
    }
}
