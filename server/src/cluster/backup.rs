//! `lambent cluster backup`: a copy of a cluster, while it runs, as a data folder. Why it is consistent is said in the
//! crate `backup`.

use anyhow::Context as _;
use backup::{Counts, Stores};
use types::SystemRandom;

use super::meaning::Lambent;
use super::place::Place;
use super::saved::{Saved, Scratch, Unfinished};
use super::{secrets, telling};
use crate::cli::Backup;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::process::stores::cluster::{cluster_stores, refuse_half};
use crate::terminal::say;

pub(super) async fn backup(options: &Backup) -> anyhow::Result<()> {
    let config = Config::load(options.stores.config.as_deref(), std::env::vars())?;
    let place = Place::of(&options.to, &config.cluster.s3)?;
    match place {
        Place::Folder(name) => {
            let (name, folder) = Unfinished::begin(&name)?.parts();
            let from = whole(&config).await?;
            let saved = Saved::open(folder)?;
            let to = saved.stores();
            let counts = save(options, &config, (&from, &to), &saved).await?;
            drop(to);
            let folder = saved.close().await?;
            let finished = Unfinished::finish(&name, folder);
            finished.with_context(|| format!("{} cannot get its name", name.display()))?;
            telling::table(&counts);
        }
        Place::Bucket(bucket) => {
            bucket.check_free().await?;
            let from = whole(&config).await?;
            // Databases are files: they are made here, and then put there. Packages are not.
            let (_scratch, folder): (_, DataDir) = Scratch::new(&SystemRandom)?;
            let saved = Saved::open(folder)?;
            let to = Stores {
                blobs: bucket.in_time(),
                ..saved.stores()
            };
            let counts = save(options, &config, (&from, &to), &saved).await?;
            drop(to);
            let folder = saved.close().await?;
            bucket.put(folder.path(), &counts).await?;
            telling::table(&counts);
        }
    }
    say!("The backup is {}.", options.to);
    Ok(())
}

/// The cluster's stores; not those of one that is half restored.
async fn whole(config: &Config) -> anyhow::Result<Stores> {
    let stores = cluster_stores(&config.cluster).await?.stores();
    refuse_half(stores.table.as_ref()).await?;
    Ok(stores)
}

async fn save(
    options: &Backup,
    config: &Config,
    (from, to): (&Stores, &Stores),
    saved: &Saved,
) -> anyhow::Result<Counts> {
    if !options.without_secrets {
        secrets::copy(&config.cluster.directory, saved.path(), &SystemRandom)?;
    }
    let lambent = Lambent::new(options.with_logs);
    let counts = backup::save(from, to, &lambent, &telling::progress()).await;
    counts.context("the cluster cannot be backed up")
}
