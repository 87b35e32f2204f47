//! The counting service: may this function run once more right now?
//!
//! Counting keeps soft state only. The frontend sends the limits with every request, from its cached
//! metadata, so counting never reads a store.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{FunctionName, PermitId, Scope, Version};

use crate::Kind;

/// Asks for one concurrent execution.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Acquire {
    /// The id that the permit gets, made by the caller: if the answer is lost, it can still give the
    /// permit back.
    pub permit: PermitId,
    /// The account and region whose limit it counts against.
    pub scope: Scope,
    /// The function; all versions count together.
    pub function: FunctionName,
    /// The version to run.
    pub version: Version,
    /// Provisioned environments of this version that are ready and may be used.
    pub provisioned: u32,
    /// Those requested for all versions of the function together, ready or not.
    pub provisioned_total: u32,
    /// The function's reserved concurrency, if it has one.
    pub reserved: Option<u32>,
    /// The account's limit of concurrent executions in this region.
    pub account_limit: u32,
    /// All reservations of the account in this region together, this function's included, and the
    /// provisioned concurrency of functions without one.
    pub reserved_total: u32,
    /// How long the execution may last, milliseconds. The permit expires some time later, so that a
    /// frontend that dies does not hold it forever.
    pub lasts_ms: u64,
    /// Permits of the same scope that their holders no longer need: they are taken back first, so that
    /// a caller that invokes one after the other within its limit is never refused. Each may be given
    /// back again by [`Counting::release`].
    pub returned: Vec<PermitId>,
}

/// One concurrent execution, granted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Permit {
    /// Which one.
    pub id: PermitId,
    /// Whether it counts as provisioned concurrency.
    pub provisioned: bool,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// The function's reservation is fully used.
    #[error("function {function} is at its reserved concurrency of {limit}")]
    FunctionConcurrency {
        /// The function.
        function: FunctionName,
        /// Its reservation.
        limit: u32,
    },
    /// What the account's reservations leave is fully used.
    #[error("the account is at its unreserved concurrency of {limit}")]
    AccountConcurrency {
        /// The unreserved pool.
        limit: u32,
    },
    /// More requests a second than ten times the function's reservation.
    #[error("function {function} is over {per_second} requests a second")]
    FunctionRate {
        /// The function.
        function: FunctionName,
        /// Ten times its reservation.
        per_second: u32,
    },
    /// More requests a second than ten times the account's concurrency.
    #[error("the account is over {per_second} requests a second")]
    AccountRate {
        /// Ten times the account's limit.
        per_second: u32,
    },
    /// The function grows faster than 1 000 environments in 10 seconds.
    #[error("function {function} grows faster than its scaling rate")]
    ScalingRate {
        /// The function.
        function: FunctionName,
    },
    /// Counting cannot be reached.
    #[error("counting cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unavailable => Kind::Unavailable,
            _ => Kind::Throttled,
        }
    }
}

/// Grants and takes back concurrent executions.
#[async_trait]
pub trait Counting: Send + Sync {
    /// Reserves one concurrent execution. A repeated call with one id grants once. If a call arrives
    /// after its permit was given back, the permit is granted again, used by nobody, and expires.
    async fn acquire(&self, request: Acquire) -> Result<Permit, Error>;

    /// Gives permits of one scope back. Releasing twice, or after they expired, is harmless.
    async fn release(&self, scope: Scope, permits: Vec<PermitId>) -> Result<(), Error>;
}
