//! What a message in a queue is, for those who copy queues and must not know more of events. Pure.

use types::RequestId;

use crate::event::{Item, Stage};
use crate::shards::{ALL, FAILED, UNREADABLE};

/// What is still to be done about an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// It is to be invoked.
    Pending,
    /// It was invoked, and its outcome is to be delivered.
    Delivering,
    /// Nothing: it finally failed, and is kept to be inspected.
    Failed,
    /// Nothing: nobody can read it.
    Unreadable,
    /// It is in a queue that is none of ours.
    Foreign,
}

/// A message, as far as others may know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// What is to be done about it.
    pub kind: Kind,
    /// The request whose event it is. No two events have the same; one that moves to another queue is for a moment in
    /// both.
    pub request: Option<RequestId>,
}

/// Reads a message of a queue.
pub fn told(queue: &str, body: &[u8]) -> Told {
    let head = Item::decode_head(body).ok();
    let request = head.as_ref().map(|(state, _)| state.request);
    let kind = match head {
        _ if !queue.starts_with(ALL) => Kind::Foreign,
        None => Kind::Unreadable,
        Some(_) if queue == UNREADABLE => Kind::Unreadable,
        Some(_) if queue.starts_with(FAILED) => Kind::Failed,
        Some((_, Stage::Deliver(_))) => Kind::Delivering,
        Some((_, Stage::Invoke)) => Kind::Pending,
    };
    Told { kind, request }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;
    use crate::shards::tests::id;

    #[test]
    fn a_message_is_told_by_its_queue_and_its_head() {
        let item = event("{}", 0);
        let (body, request) = (item.encode(), Some(item.event.state.request));
        for (queue, kind) in [
            ("events/shared/3", Kind::Pending),
            (id("f").failed().as_str(), Kind::Failed),
            (UNREADABLE, Kind::Unreadable),
            ("others", Kind::Foreign),
        ] {
            assert_eq!(told(queue, &body), Told { kind, request });
        }
        let unreadable = told("events/shared/3", b"?");
        assert_eq!(
            (unreadable.kind, unreadable.request),
            (Kind::Unreadable, None)
        );
    }
}
