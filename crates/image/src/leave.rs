//! What unpacking leaves of the disk: room for others, and for what the system writes itself.
//!
//! Checked repeatedly while a package is unpacked: what a package says about its size is only a claim, and
//! several are unpacked at once.

use std::fmt;
use std::io;

use beneath::Folder;

/// Unpacking leaves one in fifty inodes of the file system free.
const FILES_SHARE: u64 = 50;

/// Bytes that are left of a file system, at least. And of its files one in fifty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leave {
    bytes: u64,
}

impl Leave {
    /// Leaves a reserve below which nothing new is taken of anybody, and a quarter of it above that: for
    /// what others bring while something is unpacked that turns out too large.
    pub(crate) fn of_reserve(reserve: u64) -> Self {
        Self {
            bytes: reserve.saturating_add(reserve / 4),
        }
    }

    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self { bytes: 0 }
    }

    /// Reads what its `Display` has written.
    pub(crate) fn read(text: &str) -> io::Result<Self> {
        let bytes = text.parse();
        let bytes = bytes.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Self { bytes })
    }

    /// `StorageFull` where the folder's file system has no more than is to be left.
    pub(crate) fn check(self, folder: &Folder) -> io::Result<()> {
        let room = folder.room()?;
        let few = |(free, all): (u64, u64)| free < all / FILES_SHARE;
        match room.bytes < self.bytes || room.files.is_some_and(few) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_and_some_more_is_left() {
        let leave = Leave::of_reserve(4_000);
        assert_eq!(leave.to_string(), "5000");
        assert_eq!(Leave::read("5000").unwrap(), leave);
        assert!(Leave::read("-1").is_err());
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        assert!(Leave::nothing().check(&folder).is_ok());
        let refused = Leave::of_reserve(u64::MAX).check(&folder).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    }
}
