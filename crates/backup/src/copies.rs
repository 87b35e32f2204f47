//! The two copies, each in its order; the crate's documentation says why.

use crate::messages::Seen;
use crate::{Counts, Error, Meaning, Progress, Stores};
use crate::{blobs, messages, rows};

/// Copies everything from stores that are in use to others that are not, and have nothing.
pub async fn save(
    from: &Stores,
    to: &Stores,
    meaning: &dyn Meaning,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Counts, Error> {
    let (sources, targets) = (from.queue.as_ref(), to.queue.as_ref());
    let mut seen = Seen::default();
    for _ in 0..2 {
        messages::copy((sources, targets), meaning, &mut seen, progress).await?;
    }
    let found = rows::read(from.table.as_ref(), meaning).await?;
    let counts = copy_rows(found, from, to, meaning, progress).await?;
    Ok(Counts {
        messages: seen.counts,
        ..counts
    })
}

/// Copies everything from stores that nobody uses to others that have nothing, and checks that it is there.
pub async fn restore(
    from: &Stores,
    to: &Stores,
    meaning: &dyn Meaning,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Counts, Error> {
    let occupied = found(to, meaning).await?;
    if !occupied.is_empty() {
        return Err(Error::Occupied(occupied));
    }
    let found_rows = rows::read(from.table.as_ref(), meaning).await?;
    let counts = copy_rows(found_rows, from, to, meaning, progress).await?;
    let (sources, targets) = (from.queue.as_ref(), to.queue.as_ref());
    let mut seen = Seen::default();
    messages::copy((sources, targets), meaning, &mut seen, progress).await?;
    let copied = Counts {
        messages: seen.counts,
        ..counts
    };
    let there = Counts {
        blobs: copied.blobs,
        ..found(to, meaning).await?
    };
    match there == copied {
        true => Ok(copied),
        false => Err(Error::Differs { copied, there }),
    }
}

/// Blobs, then the rows that name them.
async fn copy_rows(
    found: Vec<storage::Row>,
    from: &Stores,
    to: &Stores,
    meaning: &dyn Meaning,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Counts, Error> {
    let wanted = blobs::wanted(&found, from.blobs.as_ref(), meaning).await?;
    let stores = (from.blobs.as_ref(), to.blobs.as_ref());
    let blobs = blobs::copy(&wanted, stores, progress).await?;
    let counts = rows::count(&found, meaning);
    rows::write(found, to.table.as_ref(), progress).await?;
    Ok(Counts {
        rows: counts,
        blobs,
        ..Counts::default()
    })
}

/// The rows and messages that there are.
pub async fn found(stores: &Stores, meaning: &dyn Meaning) -> Result<Counts, Error> {
    let found = rows::read(stores.table.as_ref(), meaning).await?;
    Ok(Counts {
        rows: rows::count(&found, meaning),
        messages: messages::count(stores.queue.as_ref(), meaning).await?,
        blobs: 0,
    })
}

/// Removes all rows and messages that would be copied: what a copy that did not come to its end has left.
pub async fn clear(stores: &Stores, meaning: &dyn Meaning) -> Result<(), Error> {
    messages::clear(stores.queue.as_ref()).await?;
    rows::clear(stores.table.as_ref(), meaning).await
}
