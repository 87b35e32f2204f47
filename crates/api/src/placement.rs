//! The placement service: which worker gets a new environment, and for how long?

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{Timestamp, WorkerId};

use crate::Kind;
use records::functions::FunctionKey;

/// Asks for room.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// For whom.
    pub function: FunctionKey,
    /// Its memory, MB.
    pub memory_mb: u32,
    /// The zone to prefer.
    pub zone: Option<String>,
    /// Workers that have just refused this environment, or drain: none of them is picked.
    pub avoid: Vec<WorkerId>,
}

/// Room on a worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Placed {
    /// The worker.
    pub worker: WorkerId,
    /// The zone it is in.
    pub zone: String,
    /// When the environment must have ended.
    pub lease_end: Timestamp,
}

/// What a worker reports about itself, every second.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Which worker.
    pub worker: WorkerId,
    /// Its host. Empty if its version does not say.
    #[serde(default)]
    pub host: String,
    /// Its availability zone.
    pub zone: String,
    /// The version of its program. Empty if it does not say.
    #[serde(default)]
    pub version: String,
    /// Memory it may give to environments, MB.
    pub memory_mb: u64,
    /// Memory its environments are entitled to now, MB.
    pub committed_mb: u64,
    /// Memory its environments use now, MB.
    pub used_mb: u64,
    /// Whether it takes no new ones.
    pub draining: bool,
    /// Environments that wait for an invoke.
    #[serde(default)]
    pub idle: u32,
    /// All others: they run an invoke, are being created, or end.
    #[serde(default)]
    pub busy: u32,
}

/// A worker, as placement knows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WorkerView {
    /// What it said last.
    pub last: Heartbeat,
    /// How long ago it said that, ms.
    pub silent_ms: u64,
    /// Whether that is too long for a worker that lives.
    pub silent: bool,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// No healthy worker has that much memory left.
    #[error("no worker has {memory_mb} MB left")]
    NoCapacity {
        /// What was asked for.
        memory_mb: u32,
    },
    /// Placement cannot be reached.
    #[error("placement cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        Kind::Unavailable
    }
}

/// Knows the workers.
#[async_trait]
pub trait Placement: Send + Sync {
    /// Picks a worker. The room is reserved for a short time only; a worker may still refuse.
    async fn place(&self, request: Place) -> Result<Placed, Error>;

    /// A worker's heartbeat. The last one counts; a worker that is silent too long is unhealthy. A
    /// heartbeat that is lost is followed by the next, so it is not repeated.
    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), Error>;

    /// The workers, by their ids; those that have been silent for some minutes no more.
    async fn workers(&self) -> Result<Vec<WorkerView>, Error>;
}
