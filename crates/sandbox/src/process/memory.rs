//! When a sandbox is out of memory.
//!
//! `/tmp` is in memory here and the kernel counts it as the sandbox's, while on Lambda it is a disk: a
//! function of 128 MB must be able to fill 512 MB of `/tmp`, and must still end when it uses more than
//! 128 MB itself. The kernel offers no limit for the one without the other, so:
//!
//! - its hard limit is memory plus the whole of `/tmp`. Nothing ever gets past that;
//! - what is the function's own is watched: all that is charged, less what `/tmp` holds, less cached
//!   files. The kernel tells when a mark is passed; whoever is over its memory by then is killed, all
//!   of it, else the mark is moved to where it could next be over.
//!
//! So a function can be over its memory for the moment that takes. Raising the hard limit as `/tmp`
//! fills was rejected: a write to `/tmp` would race the raise, and fail with "out of memory" when it
//! won.

use crate::cgroup::Memory;

/// A mark closer than this would be passed by the kernel's own batches (64 pages for each CPU).
const STEP_BYTES: u64 = 1 << 20;

/// What to do after a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It is over its memory.
    pub(super) exceeded: bool,
    /// What must be charged for it to be over (again): where to look next.
    pub(super) watch_at: u64,
}

/// What a sandbox uses itself.
pub(super) fn own_bytes(memory: Memory, tmp_bytes: u64) -> u64 {
    memory
        .used
        .saturating_sub(memory.cache)
        .saturating_sub(tmp_bytes)
}

/// Judges a reading against the memory that the function was given.
pub(super) fn judge(limit: u64, memory: Memory, tmp_bytes: u64) -> Verdict {
    let own = own_bytes(memory, tmp_bytes);
    if own > limit {
        // Passed on the way down too, as it is killed.
        return Verdict {
            exceeded: true,
            watch_at: memory.used - (own - limit),
        };
    }
    Verdict {
        exceeded: false,
        watch_at: memory.used + (limit - own).max(STEP_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn check(used: u64, cache: u64, tmp: u64, exceeded: bool, watch_at: u64) {
        let memory = Memory {
            used: used * MB,
            cache: cache * MB,
        };
        let expected = Verdict {
            exceeded,
            watch_at: watch_at * MB,
        };
        assert_eq!(judge(128 * MB, memory, tmp * MB), expected);
    }

    #[test]
    fn an_empty_sandbox_is_watched_at_its_limit() {
        check(0, 0, 0, false, 128);
    }

    #[test]
    fn what_tmp_holds_is_not_its_own() {
        check(500, 0, 480, false, 608);
        check(640, 0, 512, false, 641);
        check(641, 0, 512, true, 640);
    }

    #[test]
    fn cached_files_are_not_its_own() {
        check(300, 200, 0, false, 328);
    }

    #[test]
    fn its_own_memory_over_the_limit_is_exceeded() {
        check(129, 0, 0, true, 128);
        check(128, 0, 0, false, 129);
    }

    #[test]
    fn a_reading_that_does_not_add_up_does_not_wrap() {
        check(10, 20, 30, false, 138);
    }
}
