//! Where a backup is: a folder, or objects of a bucket.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use jetstream::Objects;

use crate::config;
use crate::process::stores::cluster::bucket;

use super::bucket::Bucket;

/// See the module.
pub(super) enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl Place {
    /// What an operator wrote; buckets are in the store that the cluster's blobs are in.
    pub(super) fn of(text: &str, s3: &config::S3) -> anyhow::Result<Self> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        let (name, prefix) = parts(rest)?;
        let objects = Objects::open(&bucket(s3, name)?).context("cluster.s3")?;
        Ok(Self::Bucket(Bucket::new(objects, prefix)))
    }
}

/// A bucket's name, and a prefix without a slash at its end.
fn parts(rest: &str) -> anyhow::Result<(&str, &str)> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    if bucket.is_empty() || storage::blobs::check_name(prefix).is_err() {
        bail!(
            "s3://{rest}: a bucket and a prefix are needed, as in s3://backups/lambent/monday; a prefix is of words of \
             letters, digits, '.', '_' and '-' between slashes"
        );
    }
    Ok((bucket, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_needs_a_prefix() {
        assert_eq!(parts("b/x/y/").unwrap(), ("b", "x/y"));
        for wrong in ["", "b", "b/", "/x", "b//x", "b/../x", "b/x y"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_taken_or_refused(text in ".*") {
            if let Ok((bucket, prefix)) = parts(&text) {
                let begins = format!("{bucket}/{prefix}");
                proptest::prop_assert!(text.starts_with(&begins));
            }
        }
    }
}
