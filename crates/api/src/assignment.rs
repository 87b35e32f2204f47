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
    /// The version to run, with everything needed to create an environment for it.
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

/// An environment lent to one invoke. [`Report`]s of its worker return it, not the borrower.
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

/// Orders the leases of an environment: each has a higher number than all before it, no matter who
/// issued them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct LeaseNumber {
    /// Which leader of the partition issued it: the position of its claim in the journal.
    pub term: u64,
    /// How many leases that leader had issued, including this one.
    pub count: u64,
}

/// What a worker reports about one of its environments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The environment.
    pub environment: EnvironmentId,
    /// The function version it belongs to.
    pub function: FunctionKey,
    /// What happened.
    pub event: Event,
}

/// See [`Report`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// No invoke is running; it can take the next one.
    Idle {
        /// The highest lease that the worker has seen for it. A newer one is still to be used.
        seen: LeaseNumber,
    },
    /// It has ended, or accepts no further invokes.
    Gone,
}

/// How many environments of a function version are to be kept ready: provisioned concurrency.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Provision {
    /// The version to run, with all that is needed to make environments for it.
    pub function: Arc<FunctionVersion>,
    /// How many.
    pub count: u32,
    /// Whether invokes may not use them for now.
    pub held: bool,
    /// When they were requested. A later time clears a recorded failure.
    pub asked: Timestamp,
}

/// The state of a [`Provision`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Environments that exist, lent or not.
    pub ready: u32,
    /// Why the last attempt to create one failed; it is retried.
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
    /// The environment could not be created.
    #[error("the environment could not be created")]
    Create {
        /// Why.
        reason: Inner,
    },
    /// No worker has what the function requires.
    #[error("{what}")]
    Unsupported {
        /// Which requirement.
        what: Unsupported,
        /// What is missing.
        reason: Inner,
    },
    /// Lambda may not assume the function's role, or the role does not exist.
    #[error("the role {role} cannot be assumed")]
    Role {
        /// Its ARN.
        role: String,
    },
    /// A file system of the function could not be mounted.
    #[error("{0}")]
    FileSystem(FileSystemError),
    /// Its init phase failed. Only reported for provisioned environments: others repeat it within the
    /// first invoke.
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
    /// The underlying cause, for the server's own log.
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
    /// Lends an idle environment if there is one, and never creates one. A repeated call lends two; see
    /// [`Assignment::assign`].
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, Error>;

    /// Lends an idle environment, or has one created and lends that; whichever is first. Dropping the
    /// call gives up the place in the queue. A repeated call lends two; one whose borrower never comes
    /// counts as lost once it has been lent for longer than any invoke lasts.
    async fn assign(&self, request: Assign) -> Result<Lease, Error>;

    /// Takes back an environment that its borrower does not use: nothing ran in it. A late or repeated
    /// call, when it may have been lent again, changes nothing.
    async fn give_back(&self, lease: Lease, function: FunctionKey) -> Result<(), Error>;

    /// Sets everything that is to be kept ready, and returns the state of each, in the same order: `None`
    /// if its partition is not led here. What is no longer in the list is released. Always the whole list:
    /// the callee takes from it what is of the partitions that it leads. To be repeated all the time: this
    /// knowledge does not survive a restart, environments do.
    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Option<Standing>>, Error>;

    /// Reports of a worker, or of a frontend that has lost one (`from` is `None`), in the order in which they
    /// were made, to be repeated until they are acknowledged: an environment whose report is lost is lent to nobody. Late or repeated reports
    /// are harmless: what has ended stays ended, and an environment that has been lent again since
    /// stays lent. What a worker says about an environment of another worker changes nothing.
    async fn report(&self, from: Option<WorkerId>, reports: Vec<Report>) -> Result<(), Error>;
}
