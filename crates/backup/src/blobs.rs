//! Blobs: those that rows name, and some others, one by one.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use storage::{Blobs, Row};

use crate::error::at;
use crate::{Error, Meaning, Progress};

/// Blobs that are copied at a time. One is 250 MB at most, and in memory as a whole.
const AT_ONCE: usize = 3;
/// Names read at once.
const NAMES: usize = 1_000;

/// The blobs to copy, each with a row that names it, if one does.
pub(crate) async fn wanted(
    rows: &[Row],
    blobs: &dyn Blobs,
    meaning: &dyn Meaning,
) -> Result<BTreeMap<String, Option<String>>, Error> {
    let mut wanted = BTreeMap::new();
    for prefix in meaning.other_blobs() {
        let mut after: Option<String> = None;
        loop {
            let names = blobs.list(prefix, after.as_deref(), NAMES).await;
            let names = names.map_err(at("listing blobs"))?;
            let Some(last) = names.last() else {
                break;
            };
            after = Some(last.clone());
            wanted.extend(names.into_iter().map(|name| (name, None)));
        }
    }
    for row in rows {
        let named = meaning.blobs(row).map_err(|reason| Error::Row {
            key: row.key.clone(),
            reason,
        })?;
        wanted.extend(named.into_iter().map(|name| (name, Some(row.key.clone()))));
    }
    Ok(wanted)
}

/// Copies those that are still missing, and checks that all that rows name are there then.
pub(crate) async fn copy(
    wanted: &BTreeMap<String, Option<String>>,
    (from, to): (&dyn Blobs, &dyn Blobs),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<u64, Error> {
    let copy = |(name, row): (&String, &Option<String>)| {
        let (name, row) = (name.clone(), row.clone());
        async move { one(&name, row.as_deref(), from, to).await }
    };
    let jobs: Vec<_> = wanted.iter().map(copy).collect();
    let mut copied = stream::iter(jobs).buffer_unordered(AT_ONCE);
    let (mut done, mut there, all) = (0, 0, wanted.len() as u64);
    while let Some(blob) = copied.next().await {
        there += u64::from(blob?);
        done += 1;
        progress(Progress::Blobs(done, all));
    }
    Ok(there)
}

/// `false` if it is gone, and nobody names it.
async fn one(
    name: &str,
    row: Option<&str>,
    from: &dyn Blobs,
    to: &dyn Blobs,
) -> Result<bool, Error> {
    let reading = at("reading a blob");
    let Some(bytes) = from.get(name).await.map_err(reading)? else {
        return match row {
            None => Ok(false),
            Some(key) => Err(Error::Missing {
                key: key.to_owned(),
                blob: name.to_owned(),
            }),
        };
    };
    let size = Some(bytes.len() as u64);
    to.put(name, bytes).await.map_err(at("writing a blob"))?;
    match to.size(name).await.map_err(at("checking a blob"))? == size {
        true => Ok(true),
        false => Err(Error::Cropped {
            blob: name.to_owned(),
        }),
    }
}
