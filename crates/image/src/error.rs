//! What can be wrong with a package.

use std::io;

/// A package that cannot be published or had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no zip archive.
    #[error("the package is not a zip archive")]
    NotAZip(#[source] zip::result::ZipError),
    /// Unpacked, it would be larger than a function's code may be.
    #[error("the unpacked package is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// An entry cannot be unpacked safely.
    #[error("entry {name:?} of the package {problem}")]
    BadEntry {
        /// The entry.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such package.
    #[error("there is no package {image}")]
    NotFound {
        /// Its name.
        image: String,
    },
    /// The store does not answer.
    #[error("the package store does not answer")]
    Storage(#[from] storage::Error),
    /// The cache folder does not work.
    #[error("the package cache at {path} does not work")]
    Cache {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether the package itself is at fault, so that trying again is useless.
    pub fn is_package(&self) -> bool {
        matches!(
            self,
            Self::NotAZip(_) | Self::TooLarge { .. } | Self::BadEntry { .. }
        )
    }
}
