//! What can be wrong with a package.
//!
//! What an error says may reach the user who uploaded the package, so none has a path of this machine in
//! its text; that is in its sources, for the log.

use std::io;

/// How many characters of an entry's name are shown.
const NAME_TOLD_MAX: usize = 200;

/// A package that cannot be published or had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not a zip archive.
    #[error("the package is not a zip archive")]
    NotAZip,
    /// Unpacked, it would be larger than a function's code may be.
    #[error(
        "the unpacked package is larger than {limit} bytes, of which each entry takes at least 4096"
    )]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// An entry cannot be unpacked safely.
    #[error("entry {name:?} of the package {}", problem.words())]
    BadEntry {
        /// The entry, shortened if it is long.
        name: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// There is no such package.
    #[error("there is no package {image}")]
    NotFound {
        /// Its name.
        image: String,
    },
    /// What is kept under the package's name is not what was uploaded.
    #[error(
        "the stored package is damaged: its SHA-256 digest is not the one of the upload. Upload it again"
    )]
    Damaged,
    /// Unpacking it took too long.
    #[error("the package could not be unpacked within {seconds} seconds")]
    TooSlow {
        /// The limit.
        seconds: u64,
    },
    /// There is no room for it.
    #[error("there is no room to unpack the package")]
    NoRoom,
    /// The store does not answer.
    #[error("the package store does not answer")]
    Storage(#[from] storage::Error),
    /// The folder of unpacked packages does not work.
    #[error("the package cannot be unpacked here")]
    Cache(#[source] io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom,
            _ => Self::Cache(error),
        }
    }
}

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It would be outside of the package.
    LeadsOut,
    /// Its path has a link of the package on the way.
    ThroughLink,
    /// Another entry of the same path is of another kind.
    Clash,
    /// A link of the same path is there already.
    LinkTwice,
    /// It has no name, or one with a zero byte.
    NoName,
    /// Its name or path is too long.
    TooLong,
    /// There are too many folders within each other.
    TooDeep,
    /// It is one of too many.
    TooMany,
    /// It is encrypted.
    Encrypted,
    /// It is a link without a usable target.
    LinkTarget,
    /// Its content cannot be read.
    Damaged,
}

impl Problem {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::LeadsOut,
        Self::ThroughLink,
        Self::Clash,
        Self::LinkTwice,
        Self::NoName,
        Self::TooLong,
        Self::TooDeep,
        Self::TooMany,
        Self::Encrypted,
        Self::LinkTarget,
        Self::Damaged,
    ];

    /// After "entry so-and-so of the package".
    pub fn words(self) -> &'static str {
        match self {
            Self::LeadsOut => "leads out of the package",
            Self::ThroughLink => "leads through a link of the package",
            Self::Clash => "is both a file and a folder or link",
            Self::LinkTwice => "is a link that stands twice",
            Self::NoName => "has no usable name",
            Self::TooLong => "has too long a name",
            Self::TooDeep => "is too many folders deep",
            Self::TooMany => "is one of too many",
            Self::Encrypted => "is encrypted",
            Self::LinkTarget => "is a link without a usable target",
            Self::Damaged => "is damaged",
        }
    }
}

impl Error {
    /// Whether the package itself is at fault, so that trying again is useless.
    pub fn is_package(&self) -> bool {
        matches!(
            self,
            Self::NotAZip | Self::TooLarge { .. } | Self::BadEntry { .. } | Self::Damaged
        )
    }

    /// Names an entry and what is wrong with it.
    pub(crate) fn bad_entry(name: &str, problem: Problem) -> Self {
        Self::BadEntry {
            name: name.chars().take(NAME_TOLD_MAX).collect(),
            problem,
        }
    }
}
