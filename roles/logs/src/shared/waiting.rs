//! Events that were taken and are not stored: which are to be stored when, and how many there may be. No IO.
//!
//! ```text
//!   taken ─▶ waiting ──a second, or enough bytes──▶ on their way ─▶ stored, and forgotten here
//! ```
//!
//! Each group has one batch on its way at most, so that what one printed is stored in order. An event that does not fit is
//! dropped: no account has more than half of the room, so that what one prints while the store does not work costs
//! another nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::logs::{EventId, LogEvent, Recent, Recents, StreamName};
use tokio::time::Instant;
use types::{AccountId, Scope, Timestamp};

use super::name::TIME_MAX;
use super::segment::{CUT_BYTES, Event};

/// Events wait for others at most this long. What a worker loses that is killed is this and the time in which a blob is
/// put.
pub(super) const TOGETHER: Duration = Duration::from_secs(1);
/// Events of a group that are not kept waiting, bytes.
const ENOUGH_BYTES: usize = 1024 * 1024;
/// The bytes of events that are held, about.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Those of one account.
const ACCOUNT_BYTES_MAX: usize = BYTES_MAX / 2;
/// The bytes of events in an answer to who asks for them.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A group.
pub(super) type Group = (Scope, String);
/// Events of a group that are on their way, in the order of their places.
pub(super) type Batch = Arc<Vec<Event>>;

/// See the module.
#[derive(Default)]
pub(super) struct Waiting {
    groups: BTreeMap<Group, Of>,
    bytes: usize,
    accounts: BTreeMap<AccountId, usize>,
    /// Events taken so far.
    count: u64,
    /// What [`Waiting::next`] has said.
    alarm: Option<Instant>,
}

/// What is held of a group.
#[derive(Default)]
struct Of {
    events: Vec<Event>,
    bytes: usize,
    /// When the first of them was taken.
    since: Option<Instant>,
    shipping: Batch,
}

/// What became of events that were offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Taken {
    /// How many were not taken.
    pub(super) dropped: u64,
    /// Whether there is something to do earlier than [`Waiting::next`] has said.
    pub(super) news: bool,
}

impl Waiting {
    /// Takes events, or as many as there is room for.
    pub(super) fn take(
        &mut self,
        (stream, taker): (&StreamName, u64),
        events: Vec<LogEvent>,
        now: Instant,
    ) -> Taken {
        let account = self
            .accounts
            .entry(stream.scope.account.clone())
            .or_default();
        let key = (stream.scope.clone(), stream.group.clone());
        let of = self.groups.entry(key.clone()).or_default();
        let name: Arc<str> = stream.stream.as_str().into();
        let mut taken = Taken {
            dropped: 0,
            news: false,
        };
        for event in events {
            let bytes = event.message.len() + size_of::<Event>();
            let time = event.time.as_millis();
            let fits = self.bytes + bytes <= BYTES_MAX && *account + bytes <= ACCOUNT_BYTES_MAX;
            if !fits || time > TIME_MAX {
                taken.dropped += 1;
                continue;
            }
            self.bytes += bytes;
            *account += bytes;
            of.since.get_or_insert(now);
            of.bytes += bytes;
            let number = self.count;
            self.count += 1;
            of.events.push(Event {
                time,
                stream: Arc::clone(&name),
                id: EventId { taker, number },
                received: time,
                message: event.message,
            });
        }
        let due = of.due();
        taken.news = due.is_some_and(|due| self.alarm.is_none_or(|alarm| due < alarm));
        self.forget(&key);
        taken
    }

    /// At most `room` batches whose time has come, which are on their way from now on; whatever waits if `all`.
    pub(super) fn due(&mut self, now: Instant, all: bool, room: usize) -> Vec<(Group, Batch)> {
        let groups = self.groups.iter();
        let mut due: Vec<(Instant, Group)> = groups
            .filter_map(|(group, of)| Some((of.due()?, group.clone())))
            .filter(|(at, _)| all || *at <= now)
            .collect();
        // Who has waited for longest, so that none waits for ever.
        due.sort();
        due.truncate(room);
        let ship = |(_, group): (_, Group)| {
            let batch = self.groups.get_mut(&group)?.ship();
            Some((group, batch))
        };
        due.into_iter().filter_map(ship).collect()
    }

    /// When the next batch is due, unless what is taken from now on changes that.
    pub(super) fn next(&mut self) -> Option<Instant> {
        self.alarm = self.groups.values().filter_map(Of::due).min();
        self.alarm
    }

    /// A group's batch is stored, or given up.
    pub(super) fn done(&mut self, group: &Group) {
        let Some(of) = self.groups.get_mut(group) else {
            return;
        };
        let bytes = of.shipping.iter().map(size).sum();
        of.shipping = Batch::default();
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(account) = self.accounts.get_mut(&group.0.account) {
            *account = account.saturating_sub(bytes);
        }
        self.forget(group);
    }

    /// Of what has nothing, nothing remains.
    fn forget(&mut self, group: &Group) {
        let is_empty = |of: &Of| of.events.is_empty() && of.shipping.is_empty();
        if self.groups.get(group).is_some_and(is_empty) {
            self.groups.remove(group);
        }
        if self.accounts.get(&group.0.account) == Some(&0) {
            self.accounts.remove(&group.0.account);
        }
    }

    /// How many events are held.
    pub(super) fn held(&self) -> usize {
        let groups = self.groups.values();
        groups.map(|of| of.events.len() + of.shipping.len()).sum()
    }

    /// What is held of a group, from a time on.
    pub(super) fn recent(&self, group: &Group, since: Timestamp) -> Recents {
        let Some(of) = self.groups.get(group) else {
            return Recents::default();
        };
        let all = of.shipping.iter().chain(&of.events);
        let mut all: Vec<&Event> = all
            .filter(|event| event.time >= since.as_millis())
            .collect();
        all.sort_by_key(|event| (event.time, event.id));
        let mut recents = Recents::default();
        let mut bytes = 0;
        for event in all {
            bytes += size(event) + event.stream.len();
            if bytes > ANSWER_BYTES_MAX && !recents.events.is_empty() {
                recents.more = true;
                break;
            }
            recents.events.push(Recent {
                id: event.id,
                stream: event.stream.to_string(),
                event: LogEvent {
                    time: Timestamp::from_millis(event.time),
                    message: event.message.clone(),
                },
            });
        }
        recents
    }
}

impl Of {
    /// When what waits is to be on its way; `None` if something is already, or nothing waits.
    fn due(&self) -> Option<Instant> {
        let since = self.since.filter(|_| self.shipping.is_empty())?;
        match self.bytes >= ENOUGH_BYTES {
            true => Some(since),
            false => Some(since + TOGETHER),
        }
    }

    /// Puts what waits on its way, or as much as fits one segment.
    fn ship(&mut self) -> Batch {
        let mut bytes = 0;
        let fits = |event: &Event| {
            bytes += size(event);
            bytes <= CUT_BYTES
        };
        let count = self
            .events
            .iter()
            .map(fits)
            .take_while(|fits| *fits)
            .count();
        let rest = self.events.split_off(count.max(1).min(self.events.len()));
        let mut batch = std::mem::replace(&mut self.events, rest);
        self.bytes = self.events.iter().map(size).sum();
        if self.events.is_empty() {
            self.since = None;
        }
        batch.sort_by_cached_key(Event::place);
        self.shipping = Arc::new(batch);
        Arc::clone(&self.shipping)
    }
}

fn size(event: &Event) -> usize {
    event.message.len() + size_of::<Event>()
}
