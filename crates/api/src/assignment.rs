//! The assignment service: which environment runs this invoke?

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{EnvironmentId, Inner, Timestamp, WorkerId};

use crate::Kind;
use crate::worker::{FileSystemError, Unsupported};
use records::functions::{FunctionKey, FunctionVersion};

/// Asks for an environment of a function version.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Assign {
    /// The version to run, with all that is needed to make a new environment for it.
    pub function: Arc<FunctionVersion>,
    /// The caller's availability zone; warm environments there are preferred.
    pub zone: Option<String>,
}

/// Asks for an environment that is idle now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lend {
    /// The version to run.
    pub function: FunctionKey,
    /// The caller's availability zone; environments there are preferred.
    pub zone: Option<String>,
}

/// An environment lent to one invoke. It comes back by [`Report`]s of its worker, not by the borrower.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// The environment.
    pub environment: EnvironmentId,
    /// Where it is.
    pub worker: WorkerId,
    /// Which lease of it this is.
    pub number: LeaseNumber,
    /// Whether it was made for this request.
    pub cold: bool,
}

/// Tells an environment's leases apart: each has a higher number than all before it, whoever gave them out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct LeaseNumber {
    /// Which leader of the partition gave it out: where its claim stands in the journal.
    pub term: u64,
    /// How many leases it had given out, this one included.
    pub count: u64,
}

/// What a worker says about an environment of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The environment.
    pub environment: EnvironmentId,
    /// Whose it is.
    pub function: FunctionKey,
    /// What happened.
    pub event: Event,
}

/// See [`Report`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// No invoke is under way, it takes the next one.
    Idle {
        /// The highest lease that the worker has seen of it. A newer one is still to be used.
        seen: LeaseNumber,
    },
    /// It is no more, or will take no further invoke.
    Gone,
}

/// Environments of a function version that are to be kept ready ahead of invokes: provisioned
/// concurrency.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Provision {
    /// The version to run, with all that is needed to make environments for it.
    pub function: Arc<FunctionVersion>,
    /// How many.
    pub count: u32,
    /// Whether they are kept from invokes for now.
    pub held: bool,
    /// When they were asked for. A later time clears a recorded failure.
    pub asked: Timestamp,
}

/// How a [`Provision`] stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Environments that are there, lent or not.
    pub ready: u32,
    /// Why the last one to be made could not be; it is tried again.
    pub failure: Option<Error>,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// No worker has room.
    #[error("no worker has room for function {function}")]
    NoCapacity {
        /// The function.
        function: String,
    },
    /// The new environment could not be made.
    #[error("the environment could not be made")]
    Create {
        /// Why.
        reason: Inner,
    },
    /// No worker has what the function asks for.
    #[error("{what}")]
    Unsupported {
        /// For what.
        what: Unsupported,
        /// What is missing.
        reason: Inner,
    },
    /// Lambda may not become the function's role, or there is no such role.
    #[error("the role {role} cannot be assumed")]
    Role {
        /// Its ARN.
        role: String,
    },
    /// A file system of the function's could not be shown to it.
    #[error("{0}")]
    FileSystem(FileSystemError),
    /// Its init phase failed. Only told of environments made ahead of invokes: others run it again
    /// within the first.
    #[error("the init phase failed: {error_type}")]
    Init {
        /// `Runtime.ExitError`, `Sandbox.Timedout` …
        error_type: String,
    },
    /// This replica does not lead the partition, or its journal cannot be reached.
    #[error("the partition has no leader here")]
    Unavailable,
}

impl Error {
    /// What lies beneath, for the server's own log.
    pub fn reason_for_log(&self) -> Option<&str> {
        match self {
            Self::Create { reason } | Self::Unsupported { reason, .. } => Some(reason.for_log()),
            _ => None,
        }
    }

    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoCapacity { .. } | Self::Unavailable => Kind::Unavailable,
            Self::Create { .. } | Self::Init { .. } => Kind::Internal,
            Self::Unsupported { .. } | Self::Role { .. } => Kind::Invalid,
            Self::FileSystem(error) => error.kind(),
        }
    }
}

/// Lends environments.
#[async_trait]
pub trait Assignment: Send + Sync {
    /// Lends an idle environment if there is one, and has none made. Asked twice, it lends two; see [`Assignment::assign`].
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, Error>;

    /// Lends an idle environment, or has one made and lends that; whichever is first. Dropping the
    /// call gives up the place in line. Asked twice, it lends two; one whose borrower never comes is
    /// taken for lost when it has been lent for longer than any invoke lasts.
    async fn assign(&self, request: Assign) -> Result<Lease, Error>;

    /// Takes back an environment that its borrower does not use: nothing was run in it. Said late or twice, when it may
    /// have been lent again, this changes nothing.
    async fn give_back(&self, lease: Lease, function: FunctionKey) -> Result<(), Error>;

    /// Tells all that is to be kept ready, and asks how it stands, in the same order. What is not
    /// among it any more is let go. To be said again and again: what is known of it does not
    /// survive a restart, environments do.
    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Standing>, Error>;

    /// A worker's words, in the order in which they were said, to be said again until they are heard: an environment
    /// whose report is lost is lent to nobody. Late or repeated reports are harmless: what is gone stays gone, and an
    /// environment that has been lent again since stays lent.
    async fn report(&self, reports: Vec<Report>) -> Result<(), Error>;
}
