//! Why a cluster's stores could not be opened, or do not answer.

/// A cluster that cannot be used. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server can be reached, or none lets us in.
    #[error("no NATS server of {servers} can be used")]
    Connect {
        /// Those that were tried.
        servers: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + std::marker::Sync>,
    },
    /// The cluster is not as it must be.
    #[error("NATS cannot be used as it is: {finding}. {remedy}")]
    Unfit {
        /// What is wrong.
        finding: String,
        /// What to change.
        remedy: &'static str,
    },
    /// The cluster does not answer.
    #[error("NATS does not answer")]
    Silent(#[source] storage::Error),
}

/// Why a question was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server says no.
    #[error("NATS refuses: {description} ({code})")]
    Refused { code: u64, description: String },
    /// Nobody is there to answer: nothing was done.
    #[error("no NATS server answers for this stream")]
    Nobody,
    /// No answer came: it may have been done.
    #[error("NATS has not answered in time")]
    Silence,
    /// The stream exists on fewer servers than are asked for, or cannot be made on that number.
    #[error("{wanted} copies of a stream are asked for, and there are fewer")]
    TooFew { has: Option<usize>, wanted: usize },
    /// The message is larger than the server takes.
    #[error("the message is larger than the max_payload of NATS")]
    TooLarge,
    /// The answer makes no sense.
    #[error("NATS answers in a way that is not understood: {0}")]
    Odd(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooFew { has, wanted } => crate::checks::too_few(has, wanted),
            failure => Self::Silent(failure.into()),
        }
    }
}

impl From<Failure> for storage::Error {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(Box::new(failure))
    }
}
