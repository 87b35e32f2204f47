//! Freed memory goes back to the machine.
//!
//! The allocator permanently keeps what a burst of large requests has used: hundreds of MB. So it is
//! told now and then to give back what is free.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often the memory in use is measured.
const EVERY: Duration = Duration::from_secs(20);
/// Growth that is worth the walk through the allocator's memory, bytes: some milliseconds for it.
const WORTH_BYTES: u64 = 16 << 20;
const PAGE_BYTES: u64 = 4096;

/// After this many measurements it is done again even without growth: what was in use then may be free now.
const AGAIN_AFTER: u32 = 3;

/// Gives back freed memory whenever that is worth it. Never ends.
pub(super) async fn give_back() {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut growth = Growth::from(resident_bytes());
    loop {
        ticks.tick().await;
        if !growth.is_worth_it(resident_bytes()) {
            continue;
        }
        let done = tokio::task::spawn_blocking(sandbox::return_freed_memory).await;
        if done.is_err() {
            return;
        }
        growth.given_back(resident_bytes());
    }
}

/// How much the process has grown.
struct Growth {
    /// The least that it ever had, bytes.
    lowest: u64,
    /// What it had when memory was last given back, bytes.
    last: u64,
    looks: u32,
}

impl Growth {
    fn from(resident: u64) -> Self {
        let (lowest, last) = (resident, resident);
        Self {
            lowest,
            last,
            looks: 0,
        }
    }

    /// To be called at each measurement.
    fn is_worth_it(&mut self, resident: u64) -> bool {
        self.looks = self.looks.saturating_add(1);
        self.lowest = self.lowest.min(resident);
        self.last = self.last.min(resident);
        let than = if self.looks < AGAIN_AFTER {
            self.last
        } else {
            self.lowest
        };
        resident > than.saturating_add(WORTH_BYTES)
    }

    fn given_back(&mut self, resident: u64) {
        self.last = resident;
        self.lowest = self.lowest.min(resident);
        self.looks = 0;
    }
}

/// How much of this process is in memory; 0 if the kernel does not say.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1);
    let pages = pages.and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_use_when_memory_was_given_back_is_looked_at_again() {
        const MB: u64 = 1 << 20;
        let mut growth = Growth::from(10 * MB);
        assert!(!growth.is_worth_it(20 * MB));
        assert!(growth.is_worth_it(100 * MB));
        // All of it was in use.
        growth.given_back(100 * MB);
        assert!(!growth.is_worth_it(100 * MB) && !growth.is_worth_it(100 * MB));
        assert!(growth.is_worth_it(100 * MB));
        growth.given_back(12 * MB);
        assert!((0..10).all(|_| !growth.is_worth_it(12 * MB)));
    }
}
