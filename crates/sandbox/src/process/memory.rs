//! When a sandbox is out of memory.
//!
//! `/tmp` is in memory here and the kernel counts it as the sandbox's, while on Lambda it is a disk: a
//! function of 128 MB must be able to fill 512 MB of `/tmp`, and must still end when it uses more than
//! 128 MB itself. The kernel offers no limit for the one without the other, so:
//!
//! - its hard limit is memory plus the whole of `/tmp`. Nothing ever gets past that;
//! - what is the function's own is watched: everything charged, minus what `/tmp` holds, minus cached
//!   files. A function that is over its memory is killed, all of it.
//!
//! So a function can be over its memory for the moment between two checks. Raising the hard limit as
//! `/tmp` fills was rejected: a write to `/tmp` would race the raise, and fail with "out of memory"
//! when it won.

use std::time::Duration;

use crate::cgroup::Memory;

/// How fast a function can take memory: some 1 us for each page of 4 KiB, on more than one CPU.
const BYTES_PER_MS: u64 = 8 << 20;
/// The shortest time between two checks: a function at its limit must not keep the owner busy.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// The longest: larger pages come faster than [`BYTES_PER_MS`] says.
pub(super) const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The least that sockets may buffer: a few large results in transit.
const SOCKET_BYTES_MIN: u64 = 16 << 20;

/// How much of a function's memory its sockets may buffer: a quarter, which is about what Linux gives
/// TCP and UDP together of a machine of that size. It counts as the function's memory, too.
pub(super) fn socket_bytes(memory_bytes: u64) -> u64 {
    (memory_bytes / 4).max(SOCKET_BYTES_MIN)
}

/// The most sockets that a sandbox may have, accepted or not: both ends of as many connections as
/// Lambda gives an environment descriptors. What waits in one that nobody has accepted is charged to
/// nobody.
pub(super) const SOCKETS_MAX: u64 = 2_048;

/// How many sockets there are, by the text of a network's `sockstat`.
pub(super) fn sockets(sockstat: &str) -> u64 {
    let count = |text: &str| text.trim().parse().ok();
    sockstat
        .lines()
        .find_map(|line| count(line.strip_prefix("sockets: used ")?))
        .unwrap_or(0)
}

/// What a sandbox uses itself.
fn own_bytes(memory: Memory, tmp_bytes: u64) -> u64 {
    memory
        .used
        .saturating_sub(memory.cache)
        .saturating_sub(tmp_bytes)
}

/// How much a sandbox may still take of the memory that the function was given; `None` if it has
/// taken more than that.
pub(super) fn bytes_left(limit: u64, memory: Memory, tmp_bytes: u64) -> Option<u64> {
    limit.checked_sub(own_bytes(memory, tmp_bytes))
}

/// How long to wait until the next check when this much is left.
pub(super) fn pause(bytes_left: u64) -> Duration {
    Duration::from_millis(bytes_left / BYTES_PER_MS).clamp(PAUSE_MIN, PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn check(used: u64, cache: u64, tmp: u64, left: Option<u64>) {
        let memory = Memory {
            used: used * MB,
            cache: cache * MB,
        };
        let found = bytes_left(128 * MB, memory, tmp * MB);
        assert_eq!(found, left.map(|left| left * MB));
    }

    #[test]
    fn an_empty_sandbox_has_all_of_it() {
        check(0, 0, 0, Some(128));
    }

    #[test]
    fn what_tmp_holds_is_not_its_own() {
        check(500, 0, 480, Some(108));
        check(640, 0, 512, Some(0));
        check(641, 0, 512, None);
    }

    #[test]
    fn cached_files_are_not_its_own() {
        check(300, 200, 0, Some(28));
    }

    #[test]
    fn its_own_memory_over_the_limit_is_exceeded() {
        check(129, 0, 0, None);
        check(128, 0, 0, Some(0));
    }

    #[test]
    fn the_less_is_left_the_sooner_it_is_looked() {
        assert_eq!(pause(0), PAUSE_MIN);
        assert_eq!(pause(128 * MB), Duration::from_millis(16));
        assert_eq!(pause(u64::MAX), PAUSE_MAX);
    }

    #[test]
    fn sockets_are_counted_whatever_their_kind() {
        let text =
            "sockets: used 7\nTCP: inuse 2 orphan 0 tw 0 alloc 9 mem 1\nUDP: inuse 0 mem 0\n";
        assert_eq!(sockets(text), 7);
        assert_eq!(sockets(""), 0);
    }

    #[test]
    fn sockets_buffer_a_quarter_of_the_memory() {
        assert_eq!(socket_bytes(1_024 * MB), 256 * MB);
        assert_eq!(socket_bytes(16 * MB), 16 * MB);
    }

    #[test]
    fn a_reading_that_does_not_add_up_does_not_wrap() {
        check(10, 20, 30, Some(128));
    }
}
