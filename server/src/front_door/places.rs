//! How many connections there may be, in all and from one address. Balancers, which speak for many, may have any number.
//!
//! When all places are taken, connections on which nothing is being answered are closed: those of
//! the address that has most, and of these the ones that have been idle longest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conversation::Conversation;

/// When room must be made, one in this many is closed at once: finding them means scanning all.
const CUT_AT_ONCE: usize = 64;

/// The connections that there are.
pub(super) struct Places {
    max: usize,
    of_one_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    total: usize,
    by_party: BTreeMap<IpAddr, BTreeMap<u64, Arc<Conversation>>>,
}

/// A place that is taken until this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    party: IpAddr,
    number: u64,
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoPlace {
    /// That address has all that it may have, and all are answering.
    Party,
    /// All are answering.
    Any,
}

impl Places {
    pub(super) fn new(max: usize, of_one_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            of_one_max,
            taken: Mutex::default(),
        })
    }

    /// Whether one more can come, perhaps after another was told to go.
    pub(super) fn have_room(&self) -> bool {
        let mut taken = self.lock();
        if taken.total < self.max {
            return true;
        }
        let mut parties: Vec<_> = taken
            .by_party
            .iter()
            .map(|(party, has)| (has.len(), *party))
            .collect();
        parties.sort_unstable_by_key(|(count, _)| Reverse(*count));
        let wanted = self.max / CUT_AT_ONCE + 1;
        let cut = parties
            .iter()
            .map(|(_, party)| taken.cut_idle(*party, wanted));
        cut.into_iter().any(|cut| cut > 0)
    }

    /// Takes a place.
    pub(super) fn take(
        self: &Arc<Self>,
        conversation: &Arc<Conversation>,
    ) -> Result<Place, NoPlace> {
        let party = conversation.party;
        let mut taken = self.lock();
        if taken.total >= self.max {
            return Err(NoPlace::Any);
        }
        let has = taken.by_party.get(&party).map_or(0, BTreeMap::len);
        let is_full = has >= self.of_one_max && !conversation.for_many;
        if is_full && taken.cut_idle(party, self.of_one_max / CUT_AT_ONCE + 1) == 0 {
            return Err(NoPlace::Party);
        }
        let number = taken.next;
        taken.next += 1;
        taken.total += 1;
        let of_party = taken.by_party.entry(party).or_default();
        of_party.insert(number, Arc::clone(conversation));
        Ok(Place {
            places: Arc::clone(self),
            party,
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // A panic between two whole operations leaves the table as it should be.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Closes up to `wanted` idle connections of a party, and frees their places at once.
    fn cut_idle(&mut self, party: IpAddr, wanted: usize) -> usize {
        let Some(has) = self.by_party.get(&party) else {
            return 0;
        };
        let mut idle: Vec<_> = has
            .iter()
            .filter_map(|(number, conversation)| Some((conversation.idle_since()?, *number)))
            .collect();
        idle.sort_unstable();
        idle.truncate(wanted);
        for (_, number) in &idle {
            if let Some(conversation) = self.leave(party, *number) {
                conversation.cut();
            }
        }
        idle.len()
    }

    fn leave(&mut self, party: IpAddr, number: u64) -> Option<Arc<Conversation>> {
        let of_party = self.by_party.get_mut(&party)?;
        let left = of_party.remove(&number)?;
        if of_party.is_empty() {
            self.by_party.remove(&party);
        }
        self.total -= 1;
        Some(left)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may have been given away already.
        self.places.lock().leave(self.party, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn come(places: &Arc<Places>, last: u8) -> (Arc<Conversation>, Result<Place, NoPlace>) {
        let conversation = Conversation::new([192, 0, 2, last].into());
        let room = places.have_room();
        let place = places.take(&conversation);
        assert!(room || place.is_err());
        (conversation, place)
    }

    async fn is_cut(conversation: &Conversation) -> bool {
        let cut = tokio::time::timeout(Duration::from_millis(1), conversation.is_cut());
        cut.await.is_ok()
    }

    #[tokio::test]
    async fn when_all_places_are_taken_the_longest_idle_of_who_has_most_gives_way() {
        let places = Places::new(4, 10);
        let mut kept = Vec::new();
        for last in [1, 2, 2, 2] {
            kept.push(come(&places, last));
        }
        // The longest idle of the second is busy now.
        let _answering = kept[1].0.answering();
        let (_, third) = come(&places, 3);
        assert!(third.is_ok());
        assert!(is_cut(&kept[2].0).await);
        for other in [0, 1, 3] {
            assert!(!is_cut(&kept[other].0).await, "{other}");
        }
    }

    #[tokio::test]
    async fn nobody_who_is_being_answered_gives_way() {
        let places = Places::new(2, 10);
        let (first, _place) = come(&places, 1);
        let (second, _other) = come(&places, 1);
        let guards = (first.answering(), second.answering());
        assert_eq!(come(&places, 2).1.err(), Some(NoPlace::Any));
        drop(guards.0);
        assert!(come(&places, 2).1.is_ok());
        assert!(is_cut(&first).await);
    }

    #[tokio::test]
    async fn one_address_has_no_more_than_its_share() {
        let places = Places::new(10, 2);
        let (first, _place) = come(&places, 1);
        let (second, _other) = come(&places, 1);
        let (_first, _second) = (first.answering(), second.answering());
        assert_eq!(come(&places, 1).1.err(), Some(NoPlace::Party));
        let (_, other) = come(&places, 2);
        assert!(other.is_ok());
        drop(_place);
        assert!(come(&places, 1).1.is_ok());
    }

    #[tokio::test]
    async fn a_balancer_has_as_many_as_there_are() {
        let places = Places::new(3, 1);
        let mut kept = Vec::new();
        for expected in [None, None, None, Some(NoPlace::Any)] {
            let conversation = Conversation::for_many([192, 0, 2, 1].into());
            let (answering, place) = (conversation.answering(), places.take(&conversation));
            assert_eq!(place.as_ref().err().copied(), expected);
            kept.push((answering, place));
        }
    }
}
