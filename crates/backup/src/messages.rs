//! Messages: read without being taken, and put into queues of the same names.
//!
//! Body, owner and the time until they can be received come along. How often a message was received does not: its new
//! queue has delivered it never. A held message can be received when its holder's time would have run out, or at once
//! where the store does not tell that time: nobody holds it in the new queue.

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use storage::Queue;
use storage::queue::{Charge, Kept, RECEIVE_MAX, Receipt};

use crate::error::at;
use crate::{Error, Meaning, Progress};

/// Writes that share a commit.
const AT_ONCE: usize = 64;

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    identities: HashSet<String>,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Seen {
    /// Those of a page that were not seen yet.
    fn fresh(&mut self, queue: &str, page: Vec<Kept>, meaning: &dyn Meaning) -> Vec<Kept> {
        let is_fresh = |kept: &Kept| {
            let message = meaning.message(queue, &kept.body);
            let identity = message.identity;
            // No queue's name has a space in it.
            let identity = identity.unwrap_or_else(|| format!("{queue} {}", kept.message));
            let fresh = self.identities.insert(identity);
            if fresh {
                *self.counts.entry(message.kind.to_owned()).or_default() += 1;
            }
            fresh
        };
        page.into_iter().filter(is_fresh).collect()
    }
}

/// Each page of each queue.
async fn each(
    queues: &dyn Queue,
    mut work: impl AsyncFnMut(&str, Vec<Kept>) -> Result<(), Error>,
) -> Result<(), Error> {
    for queue in queues.queues("").await.map_err(at("listing queues"))? {
        let mut after = None;
        loop {
            let page = queues.browse(&queue, after, RECEIVE_MAX).await;
            let page = page.map_err(at("reading a queue"))?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.message);
            work(&queue, page).await?;
        }
    }
    Ok(())
}

/// Reads all queues once, and copies what was not seen before.
pub(crate) async fn copy(
    (from, to): (&dyn Queue, &dyn Queue),
    meaning: &dyn Meaning,
    seen: &mut Seen,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), Error> {
    each(from, async |queue, page| {
        let put = |kept: Kept| async move {
            let charge = Charge {
                owner: kept.owner,
                bounds: Vec::new(),
            };
            to.send_for(queue, kept.body, kept.delay, &charge).await
        };
        let fresh = seen.fresh(queue, page, meaning);
        // In the order in which they were sent, as far as the store keeps one.
        let written = stream::iter(fresh).map(put).buffered(AT_ONCE);
        let written: Result<Vec<()>, _> = written.try_collect().await;
        written.map_err(at("writing to a queue"))?;
        progress(Progress::Messages(seen.counts.values().sum()));
        Ok(())
    })
    .await
}

/// How many there are of each kind.
pub(crate) async fn count(
    queues: &dyn Queue,
    meaning: &dyn Meaning,
) -> Result<BTreeMap<String, u64>, Error> {
    let mut seen = Seen::default();
    each(queues, async |queue, page| {
        seen.fresh(queue, page, meaning);
        Ok(())
    })
    .await?;
    Ok(seen.counts)
}

/// Removes all messages, held or not.
pub(crate) async fn clear(queues: &dyn Queue) -> Result<(), Error> {
    each(queues, async |queue, page| {
        let remove = |kept: Kept| async move {
            let receipt = Receipt {
                message: kept.message,
                receives: 0,
            };
            queues.ack(queue, receipt).await
        };
        let removed = stream::iter(page).map(remove).buffer_unordered(AT_ONCE);
        let removed: Result<Vec<()>, _> = removed.try_collect().await;
        removed.map(drop).map_err(at("emptying a queue"))
    })
    .await
}
