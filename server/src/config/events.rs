//! Settings for asynchronous invokes.

use serde::{Deserialize, Serialize};
use storage::queue::Usage;

/// Asynchronous invokes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// A second address, for balancers that send them there; empty for none. Both answer all requests.
    pub(crate) listen: String,
    /// Threads that work on them and on nothing else; 0 for half of the processors.
    pub(crate) threads: usize,
    /// Events that are invoked at a time; of one function half of it at most.
    pub(crate) concurrency: u32,
    /// MB of events that are on their way into the queues at a time; beyond it they are refused.
    pub(crate) accepting_mb: usize,
    /// MB of unfinished events of all functions, including failed ones; 0 for a quarter of the
    /// disk. Beyond it, they are refused.
    pub(crate) stored_mb_max: u64,
    /// MB of one account's; 0 for half of all.
    pub(crate) account_stored_mb_max: u64,
    /// MB of one function's; 0 for half of its account's.
    pub(crate) function_stored_mb_max: u64,
    /// Unfinished events of all functions,
    pub(crate) stored_max: u64,
    /// of one account,
    pub(crate) account_stored_max: u64,
    /// and of one function.
    pub(crate) function_stored_max: u64,
    /// Failed events without a destination that are kept, for each function.
    pub(crate) failed_max: u64,
    /// Their MB, for each function.
    pub(crate) failed_mb_max: u64,
    /// For how many hours.
    pub(crate) failed_hours: u64,
}

impl Events {
    /// How much is kept on a disk of that size.
    pub(crate) fn kept(&self, disk: u64) -> event_invoke::Kept {
        const MB: u64 = 1024 * 1024;
        let or = |given: u64, usual: u64| match given {
            0 => usual,
            given => given.saturating_mul(MB),
        };
        let all = or(self.stored_mb_max, disk / 4);
        let account = or(self.account_stored_mb_max, all / 2);
        let function = or(self.function_stored_mb_max, account / 2);
        let of = |messages, bytes| Usage { messages, bytes };
        event_invoke::Kept {
            all: of(self.stored_max, all),
            account: of(self.account_stored_max, account),
            function: of(self.function_stored_max, function),
            // What is too many is removed now and then, the oldest first.
            failed: of(
                self.failed_max.saturating_mul(2),
                self.failed_mb_max.saturating_mul(MB),
            ),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            listen: String::new(),
            threads: 0,
            concurrency: 64,
            accepting_mb: 64,
            stored_mb_max: 0,
            account_stored_mb_max: 0,
            function_stored_mb_max: 0,
            stored_max: 2_000_000,
            account_stored_max: 1_000_000,
            function_stored_max: 500_000,
            failed_max: 1_000,
            failed_mb_max: 64,
            failed_hours: 336,
        }
    }
}
