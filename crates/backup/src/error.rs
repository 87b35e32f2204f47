//! Why a copy failed.

use crate::Counts;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A store failed.
    #[error("{what}")]
    Store {
        /// Which one, and at what.
        what: &'static str,
        /// How.
        #[source]
        source: storage::Error,
    },
    /// The table ended before it had told all rows.
    #[error("the table does not tell its rows")]
    Cut,
    /// A row cannot be read.
    #[error("the row {key} cannot be read: {reason}")]
    Row {
        /// The row.
        key: String,
        /// Why.
        reason: String,
    },
    /// Something that a row names is missing.
    #[error("the row {key} names the blob {blob}, which is missing")]
    Missing {
        /// The row.
        key: String,
        /// The blob.
        blob: String,
    },
    /// A blob has another size than the one that was copied.
    #[error("the blob {blob} was not copied as a whole")]
    Cropped {
        /// The blob.
        blob: String,
    },
    /// There is something where nothing may be.
    #[error("there is something already")]
    Occupied(Counts),
    /// What is there after the copy is not what was copied.
    #[error("not everything is there: {there:?} instead of {copied:?}")]
    Differs {
        /// What was copied.
        copied: Counts,
        /// What is there.
        there: Counts,
    },
}

/// What was done when a store failed.
pub(crate) fn at(what: &'static str) -> impl FnOnce(storage::Error) -> Error {
    move |source| Error::Store { what, source }
}
