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
    #[error("{} is damaged, or not a database", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is a database, and part of it is damaged.
    #[error("{} is damaged: {finding}", path.display())]
    DamagedInside {
        /// Which.
        path: PathBuf,
        /// What SQLite says of the first place.
        finding: String,
    },
    /// The file cannot be read or written: the disk is read-only, say, or fails.
    #[error("{} cannot be written or read", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The file cannot be written, and its disk has no room.
    #[error("{} cannot be written: the disk is full", path.display())]
    DiskFull {
        /// Which.
        path: PathBuf,
        /// What SQLite says, which depends on what it was about to write.
        #[source]
        source: rusqlite::Error,
    },
    /// The file has less than was acknowledged, or is another.
    #[error(
        "{} is {how}. Put the latest file back; or, to go on with what there is and without the rest, \
         start once with --accept-older-data",
        path.display()
    )]
    NotTheLatest {
        /// Which.
        path: PathBuf,
        /// What is known of it.
        how: String,
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

impl Error {
    /// What SQLite's refusal of the file at `path` means.
    pub(crate) fn of(path: &std::path::Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(
                CannotOpen | DatabaseBusy | DiskFull | PermissionDenied | ReadOnly
                | SystemIoFailure,
            ) => match crate::space::is_full(&path) {
                true => Self::DiskFull { path, source },
                false => Self::Unusable { path, source },
            },
            _ => Self::Damaged { path, source },
        }
    }
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
