//! How much room the disk has, as the kernel reports it from time to time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::Room;

use crate::Error;

/// How long the kernel's answer is reused. What is written meanwhile comes out of the reserve.
const HOLDS: Duration = Duration::from_millis(100);
/// The reserve, if nothing is said: this share of the disk,
const RESERVE_SHARE: u64 = 20;
/// and no more than this many bytes.
const RESERVE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The disk of a folder, with a reserve that is kept for the system.
pub struct Space {
    folder: PathBuf,
    reserve: u64,
    total: u64,
    seen: Mutex<Option<(Instant, bool)>>,
}

impl Space {
    /// Of the disk that `folder` is on. `reserve` are bytes; `None` for a twentieth of the disk, at most
    /// 1 GiB.
    pub fn of(folder: &Path, reserve: Option<u64>) -> Result<Self, Error> {
        let (total, _) = ask(folder).map_err(|source| Error::Io {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            reserve: reserve.unwrap_or((total / RESERVE_SHARE).min(RESERVE_BYTES_MAX)),
            total,
            seen: Mutex::new(None),
        })
    }

    /// How large the disk is, bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What is kept for the system, bytes.
    pub fn reserve(&self) -> u64 {
        self.reserve
    }

    fn look(&self) -> bool {
        match ask(&self.folder) {
            Ok((_, free)) => free > self.reserve,
            // If the disk does not respond, the next write to it reports that.
            Err(_) => true,
        }
    }
}

impl Room for Space {
    fn is_there(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, there)) = *seen
            && at.elapsed() < HOLDS
        {
            return there;
        }
        let there = self.look();
        if !there && seen.is_none_or(|(_, before)| before) {
            tracing::warn!(
                folder = %self.folder.display(),
                reserve_mb = self.reserve / (1024 * 1024),
                "the disk is full except for its reserve: nothing new is stored until there is room"
            );
        }
        *seen = Some((Instant::now(), there));
        there
    }
}

/// Whether the disk of a file has no room for what a database needs to be opened: its index of the log
/// alone begins with 32 KiB.
pub(crate) fn is_full(file: &Path) -> bool {
    const NEEDED_BYTES: u64 = 128 * 1024;
    let folder = file.parent().unwrap_or(file);
    ask(folder).is_ok_and(|(_, free)| free < NEEDED_BYTES)
}

/// Bytes of the disk, and those that may still be written.
fn ask(folder: &Path) -> std::io::Result<(u64, u64)> {
    let disk = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok((bytes(disk.f_blocks), bytes(disk.f_bavail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_room_down_to_its_reserve() {
        let folder = tempfile::tempdir().unwrap();
        let of = |reserve| Space::of(folder.path(), Some(reserve)).unwrap();
        assert!(of(0).is_there());
        assert!(!of(u64::MAX).is_there());
        let usual = Space::of(folder.path(), None).unwrap();
        assert!(usual.reserve <= RESERVE_BYTES_MAX && usual.reserve <= usual.total / 10);
    }
}
