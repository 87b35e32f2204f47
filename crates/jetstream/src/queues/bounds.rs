//! What is kept for whom. The servers count it, by subject, whatever crashes; here is a copy of it that is a second old
//! at most, with what was sent from here since.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use storage::queue::{Bound, Charge, Usage, beginnings};
use tokio::time::Instant;

/// After which time it is counted again.
const OLD: Duration = Duration::from_secs(1);

/// What was kept for each owner when it was last counted.
#[derive(Default)]
pub(super) struct Bounds(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    at: Option<Instant>,
    owners: HashMap<String, Usage>,
}

impl Bounds {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// Whether it must be counted before anybody is believed.
    pub(super) fn are_old(&self) -> bool {
        self.lock().at.is_none_or(|at| at.elapsed() > OLD)
    }

    /// It has been counted, beginning at `began`.
    pub(super) fn count(&self, began: Instant, owners: &BTreeMap<String, Usage>) {
        let mut counted = self.lock();
        if counted.at.is_none_or(|at| at < began) {
            counted.at = Some(began);
            counted.owners = owners.clone().into_iter().collect();
        }
    }

    /// Takes room for a message; `false` if there is none, as far as is known.
    pub(super) fn take(&self, charge: &Charge, bytes: u64) -> bool {
        let mut counted = self.lock();
        let fits = |bound: &Bound| {
            let of_it = counted
                .owners
                .iter()
                .filter(|(owner, _)| beginnings(owner).any(|part| part == bound.of));
            let kept = of_it.fold(Usage::default(), |sum, (_, usage)| Usage {
                messages: sum.messages + usage.messages,
                bytes: sum.bytes + usage.bytes,
            });
            kept.with(bytes).fits(bound.most)
        };
        let fits = charge.bounds.iter().all(fits);
        if fits {
            let usage = counted.owners.entry(charge.owner.clone()).or_default();
            *usage = usage.with(bytes);
        }
        fits
    }
}
