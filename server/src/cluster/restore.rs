//! `lambent cluster restore`: a backup, or the data folder of a stopped server, into an empty cluster.
//!
//! ```text
//!   nobody lives ─▶ nothing is there ─▶ mark ─▶ copy ─▶ counts agree ─▶ secrets ─▶ mark gone
//! ```
//!
//! No process of the cluster starts while the mark is there. A restore that finds one removes what the earlier one has
//! brought, and begins again.

use std::time::Duration;

use anyhow::{Context as _, bail};
use backup::{Counts, Error, Stores};
use bytes::Bytes;
use storage::{Consistency, Expect, Revision, Table};
use types::SystemRandom;

use super::meaning::Lambent;
use super::place::Place;
use super::saved::{Saved, Scratch};
use super::{secrets, telling};
use crate::cli::Restore;
use crate::config::Config;
use crate::process::stores::cluster::{UNFINISHED, cluster_stores};
use crate::terminal::say;

/// Longer than any process that lives is silent.
const SILENCE: Duration = Duration::from_secs(3);
/// Members read at once.
const MEMBERS: usize = 10_000;

pub(super) async fn restore(options: &Restore) -> anyhow::Result<()> {
    let config = Config::load(options.stores.config.as_deref(), std::env::vars())?;
    let host = &config.cluster.directory;
    if !host.is_dir() {
        bail!(
            "cluster.directory: {} is no folder; the backup's master keys belong there",
            host.display()
        );
    }
    // The last to be dropped is the temporary folder.
    let (scratch, saved, from, expected) = match Place::of(&options.from, &config.cluster.s3)? {
        Place::Folder(path) => {
            let saved = Saved::existing(&path)?;
            let from = saved.stores();
            (None, saved, from, None)
        }
        Place::Bucket(bucket) => {
            let (scratch, folder) = Scratch::new(&SystemRandom)?;
            let expected = bucket.get(folder.path()).await?;
            let saved = Saved::open(folder)?;
            let from = Stores {
                blobs: bucket.in_time(),
                ..saved.stores()
            };
            (Some(scratch), saved, from, Some(expected))
        }
    };
    let cluster = cluster_stores(&config.cluster).await?;
    nobody_lives(cluster.leases.as_ref()).await?;
    let to = cluster.stores();
    let counts = bring(&from, &to, expected).await?;
    secrets::take_in(saved.path(), host, &SystemRandom)?;
    let ended = to.table.delete(UNFINISHED, Expect::Any).await;
    ended.context("the end of the restore cannot be noted")?;
    telling::table(&counts);
    say!("Restored from {}.", options.from);
    drop(from);
    saved.close().await?;
    drop(scratch);
    Ok(())
}

/// Copies, or says what is in the way.
async fn bring(from: &Stores, to: &Stores, expected: Option<Counts>) -> anyhow::Result<Counts> {
    // Whatever was stored is restored, logs too.
    let lambent = Lambent::new(true);
    let mark = to.table.get(UNFINISHED, Consistency::Strong).await;
    if mark.context("the cluster cannot be read")?.is_some() {
        say!("An earlier restore did not come to its end: what it has brought is removed.");
        let cleared = backup::clear(to, &lambent).await;
        cleared.context("what an earlier restore has brought cannot be removed")?;
    } else {
        let there = backup::found(to, &lambent).await;
        let there = there.context("the cluster cannot be read")?;
        if !there.is_empty() {
            say!("The cluster is not empty:");
            telling::table(&there);
            bail!("a backup is restored into an empty cluster only");
        }
        let put = to.table.put(UNFINISHED, Bytes::new(), Expect::Absent).await;
        put.context("the beginning of the restore cannot be noted")?;
    }
    let counts = backup::restore(from, to, &lambent, &telling::progress()).await;
    let counts = match counts {
        // What was not stopped has written meanwhile.
        Err(Error::Occupied(_)) => bail!("something else writes to the cluster: stop it"),
        counts => counts.context("the backup cannot be restored")?,
    };
    match expected {
        Some(expected) if expected != counts => bail!(
            "the backup does not have what it had when it was made: {counts:?} instead of {expected:?}"
        ),
        _ => Ok(counts),
    }
}

/// Refuses a cluster whose processes run: they would begin with what is there before all is.
async fn nobody_lives(leases: &dyn Table) -> anyhow::Result<()> {
    let rows = async || -> anyhow::Result<Vec<(String, Revision)>> {
        let rows = leases.list(membership::MEMBER, None, MEMBERS).await;
        let rows = rows.context("the cluster's members cannot be read")?;
        Ok(rows
            .into_iter()
            .map(|row| (row.key, row.revision))
            .collect())
    };
    let before = rows().await?;
    if before.is_empty() {
        return Ok(());
    }
    tokio::time::sleep(SILENCE).await;
    let lives = rows()
        .await?
        .iter()
        .filter(|row| !before.contains(row))
        .count();
    match lives {
        0 => Ok(()),
        lives => bail!("processes of the cluster run: {lives}; stop all of them first"),
    }
}
