//! Freed memory goes back to the machine.
//!
//! The allocator keeps what a burst of large requests has had: hundreds of MB, for good. Now and then
//! it is told to give back what is free.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(20);
/// Growth that is worth the walk through the allocator's memory, bytes: some milliseconds for it.
const WORTH_BYTES: u64 = 16 << 20;
const PAGE_BYTES: u64 = 4096;

/// Gives back freed memory whenever the process has grown since the last time. Never ends.
pub(super) async fn give_back() {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut least = resident_bytes();
    loop {
        ticks.tick().await;
        let resident = resident_bytes();
        if resident > least.saturating_add(WORTH_BYTES) {
            let done = tokio::task::spawn_blocking(sandbox::return_freed_memory).await;
            if done.is_err() {
                return;
            }
            // What is in use by now is not looked through again.
            least = resident_bytes();
        }
        least = least.min(resident);
    }
}

/// What of this process is in memory; 0 if the kernel does not say.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1);
    let pages = pages.and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(PAGE_BYTES)
}
