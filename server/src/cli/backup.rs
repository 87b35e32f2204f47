//! `lambent cluster backup` and `lambent cluster restore`.

use clap::Args;

use super::Stores;

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// Where to: a folder, which is made, or s3://BUCKET/PREFIX in the cluster's own store.
    #[arg(value_name = "DIR|s3://BUCKET/PREFIX")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) stores: Stores,
    /// Leave the master keys and the root access key out. Without them users' access keys cannot be used: keep them
    /// elsewhere.
    #[arg(long)]
    pub(crate) without_secrets: bool,
    /// Copy the stored logs of functions, too.
    #[arg(long)]
    pub(crate) with_logs: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// Where from: a backup, or the data folder of a server that is stopped.
    #[arg(value_name = "DIR|s3://BUCKET/PREFIX")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) stores: Stores,
}
