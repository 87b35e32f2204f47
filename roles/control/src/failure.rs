//! What can go wrong while a request is served: a refusal to tell the caller, or a fault to log.

use wire::ApiError;

use crate::rows::Quota;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The caller is told why.
    #[error("the request is refused")]
    Refused(#[from] ApiError),
    /// The table does not do as it should.
    #[error("the metadata table does not work")]
    Table(#[source] storage::Error),
    /// The package store does not do as it should.
    #[error("the package store does not work")]
    Images(#[source] image::Error),
    /// The store that callers name packages in does not answer.
    #[error("packages cannot be read from where callers keep them")]
    Packages(#[source] Box<dyn std::error::Error + Send + Sync>),
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
    pub(crate) fn answer(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::Quota(quota) => quota.refusal(),
            Self::Contended { .. } => ApiError::conflict(
                "The operation cannot be performed at this time. The resource is being changed by \
                 other requests. Try again.",
            ),
            Self::Table(_) | Self::Images(_) | Self::Packages(_) => {
                tracing::error!(error = %chain(&self), "a request failed for want of a store");
                ApiError::unavailable()
            }
            Self::Row { .. } => {
                tracing::error!(error = %chain(&self), "a row of the metadata table is damaged");
                ApiError::service("An internal error occurred.")
            }
        }
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += ": ";
        text += &cause.to_string();
        source = cause.source();
    }
    text
}
