//! What can go wrong while a request is served: a refusal for the caller, or a fault to log.

use tables::log;
use wire::ApiError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The caller is told why.
    #[error("the request is refused")]
    Refused(#[from] ApiError),
    /// Rows cannot be read or written as they should.
    #[error(transparent)]
    Rows(tables::Failure),
    /// The package store is not available or does not work.
    #[error("the package store does not work")]
    Images(#[source] image::Error),
    /// A function's code could not be prepared.
    #[error("code cannot be made ready where it runs")]
    Preparation(#[source] api::preparation::Error),
    /// Who knows the workers does not answer.
    #[error("the workers cannot be asked for")]
    Placement(#[from] api::placement::Error),
    /// The store that callers name packages in does not answer.
    #[error("packages cannot be read from where callers keep them")]
    Packages(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<tables::Failure> for Failure {
    fn from(failure: tables::Failure) -> Self {
        match failure {
            tables::Failure::Refused(error) => Self::Refused(error),
            failure => Self::Rows(failure),
        }
    }
}

impl Failure {
    /// Others change the row with that key so often that this change always lost the race.
    pub(crate) fn contended(key: impl Into<String>) -> Self {
        Self::Rows(tables::Failure::Contended { key: key.into() })
    }

    /// The underlying cause, for the server's own log.
    pub(crate) fn reason_for_log(&self) -> Option<&str> {
        match self {
            Self::Preparation(error) => error.reason_for_log(),
            _ => None,
        }
    }

    /// The caller's error. What the caller has not caused is logged here, once.
    pub(crate) fn answer(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::Rows(failure) => failure.answer(),
            Self::Images(_) | Self::Preparation(_) | Self::Placement(_) | Self::Packages(_) => {
                log(&self, "a request failed for lack of a store");
                ApiError::unavailable()
            }
        }
    }
}
