//! Why a call had no answer.

use std::time::Duration;

use hyper_util::client::legacy;

/// Why a call had no answer. Answers that are refusals are answers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that should be where a service is.
    #[error("invalid endpoint {text:?}: expected http://host:port or https://host")]
    Endpoint {
        /// The text.
        text: String,
    },
    /// A header's value that cannot be sent.
    #[error("header {name} has a value that cannot be sent")]
    Header {
        /// Its name.
        name: &'static str,
    },
    /// No connection, or it broke.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// Where.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing came for too long.
    #[error("{host} does not answer within {within:?}")]
    Timeout {
        /// Where.
        host: String,
        /// How long was waited.
        within: Duration,
    },
    /// The answer is larger than asked for.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

impl Error {
    /// Whether nothing of the request was sent, since there was no connection to send it on.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => source
                .downcast_ref::<legacy::Error>()
                .is_some_and(legacy::Error::is_connect),
            Self::Endpoint { .. } | Self::Header { .. } => true,
            Self::Timeout { .. } | Self::TooLarge { .. } => false,
        }
    }
}
