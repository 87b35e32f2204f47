//! When users' access keys were last used, until that is stored.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use records::iam::KeyUse;
use types::Timestamp;

/// The most keys that are remembered. Uses of more keys are not noted until these have been taken: that
/// is ten thousand users at work within a minute.
const KEYS_MAX: usize = 10_000;

/// The last use of each key since they were last taken.
#[derive(Default)]
pub(super) struct Uses(Mutex<BTreeMap<String, KeyUse>>);

impl Uses {
    /// Notes a use. If a key repeats the same use, only the time is updated, in memory.
    pub(super) fn note(&self, id: &str, service: &str, region: &str, at: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = uses.get_mut(id) {
            known.at = at;
            for (held, now) in [(&mut known.service, service), (&mut known.region, region)] {
                if held != now {
                    now.clone_into(held);
                }
            }
        } else if uses.len() < KEYS_MAX {
            let (service, region) = (service.to_owned(), region.to_owned());
            let new = KeyUse {
                at,
                service,
                region,
            };
            uses.insert(id.to_owned(), new);
        }
    }

    /// Returns what was noted, and forgets it.
    pub(super) fn take(&self) -> Vec<(String, KeyUse)> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *uses).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_counts_and_is_taken_once() {
        let uses = Uses::default();
        uses.note("AKIA1", "lambda", "us-east-1", Timestamp::from_millis(1));
        uses.note("AKIA1", "iam", "us-east-1", Timestamp::from_millis(2));
        let taken = uses.take();
        let [(id, last)] = taken.as_slice() else {
            panic!("{taken:?}");
        };
        assert_eq!((id.as_str(), last.service.as_str()), ("AKIA1", "iam"));
        assert_eq!(last.at, Timestamp::from_millis(2));
        assert!(uses.take().is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let uses = Uses::default();
        for number in 0..KEYS_MAX + 5 {
            uses.note(&number.to_string(), "iam", "r", Timestamp::default());
        }
        assert_eq!(uses.take().len(), KEYS_MAX);
    }
}
