//! Why a store could not be opened.

use std::io;
use std::path::PathBuf;

/// A store that does not open. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or file cannot be made or read.
    #[error("{} cannot be used", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is damaged or no database at all.
    #[error("{} is damaged, or no database", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is a database, but of another program.
    #[error("{} is a database, but not one of Lambent's", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// A newer Lambent has written it.
    #[error(
        "{} is of schema version {found}; this Lambent knows versions up to {known}: use the newer one",
        path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
}

/// What a store in use answers when SQLite, the disk or a thread of ours fails.
pub(crate) fn unavailable(
    source: impl std::error::Error + Send + Sync + 'static,
) -> storage::Error {
    storage::Error::Unavailable(Box::new(source))
}

/// The writer has ended: the store is being closed, or its thread has panicked.
#[derive(Debug, thiserror::Error)]
#[error("the store is closed")]
pub(crate) struct Closed;
