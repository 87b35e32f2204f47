//! A data folder whose files are objects of a bucket, each under the prefix and the file's path. Copied as they are, they
//! are a data folder.
//!
//! ```text
//!   PREFIX/metadata.db  PREFIX/queues.db  PREFIX/remembered  PREFIX/secret  PREFIX/credentials
//!   PREFIX/blobs/4f/code%…
//!   PREFIX/backup.json        last: what has none is no backup
//! ```

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use backends::blob_file;
use backup::Counts;
use bytes::Bytes;
use jetstream::Objects;
use serde::{Deserialize, Serialize};
use storage::blobs::check_name;
use storage::{Blobs, Error, Timely};

use super::saved::{FILES, create_file};

/// The object that makes the others a backup.
const SUMMARY: &str = "backup.json";
/// The form of backups that is written here.
const FORM: u32 = 1;
/// A store that has not taken or given a blob by then does not answer. One is of 250 MB at most.
const BLOB_WITHIN: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Clone)]
pub(super) struct Bucket {
    objects: Objects,
    prefix: String,
}

/// What a backup has.
#[derive(PartialEq, Debug, Serialize, Deserialize)]
struct Summary {
    form: u32,
    rows: std::collections::BTreeMap<String, u64>,
    messages: std::collections::BTreeMap<String, u64>,
    blobs: u64,
}

impl Bucket {
    pub(super) fn new(objects: Objects, prefix: &str) -> Self {
        Self {
            objects,
            prefix: prefix.to_owned(),
        }
    }

    fn key(&self, file: &str) -> String {
        format!("{}/{file}", self.prefix)
    }

    /// Refuses a prefix with objects of somebody else, and a backup. What a backup that did not come to its end has left
    /// is written over.
    pub(super) async fn check_free(&self) -> anyhow::Result<()> {
        let keys = self
            .objects
            .list(&self.prefix)
            .await
            .context("the bucket cannot be read")?;
        let ours = |key: &String| {
            let file = key.strip_prefix(&self.key("")).unwrap_or_default();
            FILES.contains(&file) || file.starts_with("blobs/")
        };
        match keys.iter().find(|key| !ours(key)) {
            None => Ok(()),
            Some(key) => bail!("there is something already: {key}; give another prefix"),
        }
    }

    /// Puts the files of a folder there, then the summary.
    pub(super) async fn put(&self, folder: &Path, counts: &Counts) -> anyhow::Result<()> {
        for name in FILES {
            let key = self.key(name);
            match File::open(folder.join(name)) {
                Ok(file) => self.objects.put_file(&key, file).await,
                // Another backup may have left one.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.objects.delete(&key).await
                }
                Err(error) => return Err(error).with_context(|| format!("{name} cannot be read")),
            }
            .with_context(|| format!("{key} cannot be written"))?;
        }
        let summary = Summary {
            form: FORM,
            rows: counts.rows.clone(),
            messages: counts.messages.clone(),
            blobs: counts.blobs,
        };
        let summary = serde_json::to_vec(&summary).context("the summary")?;
        let put = self.objects.put(&self.key(SUMMARY), summary.into()).await;
        put.with_context(|| format!("{} cannot be written", self.key(SUMMARY)))
    }

    /// Brings the files into a folder, and says what the backup has.
    pub(super) async fn get(&self, folder: &Path) -> anyhow::Result<Counts> {
        let summary = self.objects.get(&self.key(SUMMARY)).await;
        let Some(summary) = summary.context("the bucket cannot be read")? else {
            bail!(
                "there is no backup here, or one that did not come to its end: no {}",
                self.key(SUMMARY)
            );
        };
        let summary: Summary = serde_json::from_slice(&summary).context("backup.json")?;
        if summary.form != FORM {
            bail!(
                "the backup has form {}, which this version does not know",
                summary.form
            );
        }
        for name in FILES {
            let path = folder.join(name);
            let there = self
                .objects
                .get_file(&self.key(name), create_file(&path)?)
                .await;
            if !there.with_context(|| format!("{} cannot be read", self.key(name)))? {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(Counts {
            rows: summary.rows,
            messages: summary.messages,
            blobs: summary.blobs,
        })
    }

    /// Its blobs, none of which is waited for without an end.
    pub(super) fn in_time(&self) -> Arc<dyn Blobs> {
        Arc::new(Timely::new(Arc::new(self.clone()), BLOB_WITHIN))
    }

    fn blob(&self, name: &str) -> Result<String, Error> {
        check_name(name)?;
        Ok(self.key(&format!("blobs/{}", blob_file(name))))
    }
}

#[async_trait]
impl Blobs for Bucket {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.objects.put(&self.blob(name)?, bytes).await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.objects.get(&self.blob(name)?).await
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        self.objects.size(&self.blob(name)?).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = self.objects.list(&self.key("blobs")).await?;
        for name in &mut names {
            let file = name.rsplit('/').next().unwrap_or_default();
            *name = file.replace('%', "/");
        }
        names.retain(|name| {
            let later = after.is_none_or(|after| name.as_str() > after);
            name.starts_with(prefix) && later && check_name(name).is_ok()
        });
        names.sort();
        names.truncate(limit);
        Ok(names)
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.objects.delete(&self.blob(name)?).await
    }
}
