//! What can go wrong when a request is answered from rows: a refusal for the caller, or a fault to log.

use wire::ApiError;

use crate::quotas::Quota;
use crate::request::log;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller is told why.
    #[error("the request is refused")]
    Refused(#[from] ApiError),
    /// The table is not available or does not work.
    #[error("the metadata table does not work")]
    Table(#[source] storage::Error),
    /// A row cannot be read.
    #[error("row {key} cannot be read")]
    Row {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The account has as many as it may have.
    #[error("the account's quota of {} is reached", .0.name)]
    Quota(Quota),
    /// Others change the row so often that this change always lost the race.
    #[error("row {key} changes too often")]
    Contended {
        /// Its key.
        key: String,
    },
}

impl Failure {
    /// The caller's error. What the caller has not caused is logged here, once.
    pub fn answer(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::Quota(quota) => quota.refusal(),
            Self::Contended { .. } => ApiError::conflict(
                "The operation cannot be performed at this time. The resource is being changed by \
                 other requests. Try again.",
            ),
            Self::Table(_) => {
                log(&self, "a request failed for lack of a store");
                ApiError::unavailable()
            }
            Self::Row { .. } => {
                log(&self, "a row of the metadata table is damaged");
                ApiError::service("An internal error occurred.")
            }
        }
    }
}
