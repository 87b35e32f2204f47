//! What can go wrong while a request is served: a refusal to tell the caller, or a fault to log.

use types::RequestId;
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

tokio::task_local! {
    /// The request that this task answers.
    static REQUEST: RequestId;
}

/// Answers a request: what is logged of its failures has its id, which its caller has been told.
pub(crate) async fn answering<T>(request: RequestId, answer: impl Future<Output = T>) -> T {
    REQUEST.scope(request, answer).await
}

/// Tells the operator what a caller is not told.
pub(crate) fn log(error: &(dyn std::error::Error + 'static), what: &'static str) {
    let request_id = REQUEST.try_with(RequestId::to_string).ok();
    tracing::error!(request_id, error, "{what}");
}
