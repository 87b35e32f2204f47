//! Leads a partition while its lease is held: again and again, each time from its journal.
//!
//! ```text
//!   lease had ──▶ replay, claim, ask the workers ──▶ lend, write ──▶ lease lost, or hand-over
//!       ▲              │ cannot be read, or fenced       │ fenced         │ refuse, flush
//!       └──── pause ◀──┴─────────────────────────────────┘                ▼
//!                                                                    lease let go
//! ```
//!
//! A lease only keeps processes from getting in each other's way. What decides who writes is the journal's position, and who
//! runs, the worker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use types::Backoff;

use super::partition::Partition;
use super::{Shared, bootstrap, writer};
use crate::leads::partition_name;

/// The pause before a partition that could not be gained is tried again, at first and at most. Also after it was
/// fenced: a holder that was stuck learns in that time that its lease is another's.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long the last records of a partition may take that is let go. What the journal does not have by then, the next
/// leader ends.
const FLUSH_WITHIN: Duration = Duration::from_secs(15);

/// Whether this process is to lead a partition.
pub(super) struct Wanted {
    name: String,
    held: watch::Receiver<BTreeSet<String>>,
    /// Whether the service ends.
    ending: watch::Receiver<bool>,
}

impl Wanted {
    pub(super) fn new(shared: &Shared, number: u32) -> Self {
        Self {
            name: partition_name(number),
            held: shared.leads.held.clone(),
            ending: shared.ending.subscribe(),
        }
    }

    pub(super) fn now(&self) -> bool {
        !self.is_closed() && self.held.borrow().contains(&self.name)
    }

    /// Whether nobody is left to say what is held.
    fn is_closed(&self) -> bool {
        self.held.has_changed().is_err()
    }

    /// Waits until the partition is to be led. False if that will never be.
    async fn begins(&mut self) -> bool {
        let had = tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending) => return false,
            had = self.held.wait_for(|held| held.contains(&self.name)) => had.is_ok(),
        };
        had && !self.is_closed()
    }

    /// Waits until the partition is not to be led.
    async fn ends(&mut self) {
        tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending) => {}
            _ = self.held.wait_for(|held| !held.contains(&self.name)) => {}
        }
    }
}

/// Leads a partition whenever it is wanted, until the service ends. `led` is already led.
pub(super) async fn run(shared: Arc<Shared>, number: u32, led: Option<Arc<Partition>>) {
    let mut wanted = Wanted::new(&shared, number);
    let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
    let mut next = led;
    loop {
        let partition = match next.take() {
            Some(partition) => partition,
            None => {
                if !wanted.begins().await {
                    return;
                }
                shared.led.begin(number);
                let gained = tokio::select! {
                    biased;
                    () = wanted.ends() => None,
                    gained = bootstrap::gain(&shared, number) => Some(gained),
                };
                match gained {
                    Some(Ok(partition)) => partition,
                    Some(Err(error)) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "a partition cannot be led; it is tried again"
                        );
                        shared.led.end(number);
                        pause(&mut wanted, &mut pauses).await;
                        continue;
                    }
                    None => {
                        shared.led.end(number);
                        continue;
                    }
                }
            }
        };
        let fenced = lead(&shared, &partition, &mut wanted).await;
        shared.led.end(number);
        if fenced {
            pause(&mut wanted, &mut pauses).await;
        } else {
            pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        }
    }
}

/// Leads a partition until it is fenced, which is `true`, or is not wanted any more.
async fn lead(shared: &Arc<Shared>, partition: &Arc<Partition>, wanted: &mut Wanted) -> bool {
    let mut writing = std::pin::pin!(writer::run(shared, partition));
    tokio::select! {
        biased;
        written = &mut writing => written.is_err(),
        () = wanted.ends() => {
            partition.let_go();
            let name = &partition.name;
            match timeout(FLUSH_WITHIN, writing).await {
                Ok(Ok(())) => tracing::info!(partition = name, "a partition is let go"),
                Ok(Err(writer::Fenced)) => {}
                Err(_) => {
                    partition.resign();
                    tracing::warn!(partition = name,
                        "a partition is let go before its last records are in its journal");
                }
            }
            false
        }
    }
}

async fn pause(wanted: &mut Wanted, pauses: &mut Backoff) {
    tokio::select! {
        biased;
        () = wanted.ends() => {}
        () = tokio::time::sleep(pauses.pause()) => {}
    }
}
