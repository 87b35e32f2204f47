//! Preparation: unpacks code where it will run, before the first invoke needs it.
//!
//! Only the duration of the first invoke depends on it: a worker unpacks what it does not have.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{AccountId, Inner};

/// Asks for packages to be unpacked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Prepare {
    /// Whose functions will run them.
    pub account: AccountId,
    /// Their names: hex SHA-256 of each zip.
    pub packages: Vec<String>,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// A package that no worker can unpack.
    #[error("a package is not valid")]
    Invalid {
        /// Why.
        reason: Inner,
    },
    /// The content stored under a package's name is not what was uploaded.
    #[error("a package is damaged")]
    Damaged,
    /// It failed there; elsewhere, or later, it may not.
    #[error("a package could not be unpacked")]
    Failed {
        /// Why.
        reason: Inner,
    },
    /// No worker can be reached.
    #[error("no worker can be reached")]
    Unavailable,
}

impl Error {
    /// The underlying cause, for the server's own log.
    pub fn reason_for_log(&self) -> Option<&str> {
        match self {
            Self::Invalid { reason } | Self::Failed { reason } => Some(reason.for_log()),
            Self::Damaged | Self::Unavailable => None,
        }
    }
}

/// Unpacks code.
#[async_trait]
pub trait Preparation: Send + Sync {
    /// Returns when it is done. If it is called twice, the work is done once.
    async fn prepare(&self, request: Prepare) -> Result<(), Error>;
}
