//! What can go wrong where a request is answered from rows: a refusal to tell the caller, or a fault to log.

use wire::ApiError;

use crate::quotas::Quota;
use crate::request::log;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller is told why.
    #[error("the request is refused")]
    Refused(#[from] ApiError),
    /// The table does not do as it should.
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
    /// Others change the row so often that this change found no room.
    #[error("row {key} changes too often")]
    Contended {
        /// Its key.
        key: String,
    },
}

impl Failure {
    /// What the caller is told. What is no fault of theirs is logged here, once.
    pub fn answer(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::Quota(quota) => quota.refusal(),
            Self::Contended { .. } => ApiError::conflict(
                "The operation cannot be performed at this time. The resource is being changed by \
                 other requests. Try again.",
            ),
            Self::Table(_) => {
                log(&self, "a request failed for want of a store");
                ApiError::unavailable()
            }
            Self::Row { .. } => {
                log(&self, "a row of the metadata table is damaged");
                ApiError::service("An internal error occurred.")
            }
        }
    }
}
