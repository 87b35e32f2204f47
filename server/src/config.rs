//! The settings, where they are read from, and in which order they count.
//!
//! ```text
//!   defaults  <  --config FILE (TOML)  <  LAMBENT_… variables  <  command line
//! ```
//!
//! Every field has a variable: `[sandbox] pool` is `LAMBENT_SANDBOX_POOL`. A variable whose field
//! is not a string is read as TOML: `LAMBENT_FUNCTIONS_ENVIRONMENT='{ A = "1" }'`.

mod accounts;
mod arrows;
mod aws;
mod cluster;
mod disk;
mod environments;
mod events;
mod file_systems;
mod functions;
mod http;
mod load;
mod placement;
mod tracing;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use accounts::{AccessKey, Account, Limits};
pub(crate) use aws::Aws;
pub(crate) use cluster::{Cluster, Nats, S3};
pub(crate) use disk::{Disk, Logs};
pub(crate) use environments::{Assignment, Sandbox, Worker};
pub(crate) use events::Events;
pub(crate) use file_systems::FileSystem;
pub(crate) use functions::{Functions, Runtimes, UnknownRoles};
use http::Urls;
pub(crate) use http::{Admin, Requests, Streaming};
pub(crate) use placement::Placement;

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where the AWS APIs are served.
    pub(crate) listen: String,
    /// Where everything is kept.
    pub(crate) data_dir: PathBuf,
    /// Further access keys, each the root of its account.
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) admin: Admin,
    pub(crate) requests: Requests,
    pub(crate) account: Account,
    pub(crate) limits: Limits,
    pub(crate) aws: Aws,
    pub(crate) functions: Functions,
    /// By the ARN of their access point.
    pub(crate) file_systems: BTreeMap<String, FileSystem>,
    pub(crate) runtimes: Runtimes,
    pub(crate) streaming: Streaming,
    pub(crate) urls: Urls,
    pub(crate) sandbox: Sandbox,
    pub(crate) worker: Worker,
    pub(crate) logs: Logs,
    pub(crate) assignment: Assignment,
    pub(crate) placement: Placement,
    pub(crate) events: Events,
    pub(crate) disk: Disk,
    pub(crate) arrows: arrows::Arrows,
    pub(crate) cluster: Cluster,
    pub(crate) tracing: tracing::Tracing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9100".to_owned(),
            data_dir: PathBuf::from("./lambent-data"),
            access_keys: Vec::new(),
            admin: Admin::default(),
            requests: Requests::default(),
            account: Account::default(),
            limits: Limits::default(),
            aws: Aws::default(),
            functions: Functions::default(),
            file_systems: BTreeMap::new(),
            runtimes: Runtimes::default(),
            streaming: Streaming::default(),
            urls: Urls::default(),
            sandbox: Sandbox::default(),
            worker: Worker::default(),
            logs: Logs::default(),
            assignment: Assignment::default(),
            placement: Placement::default(),
            events: Events::default(),
            disk: Disk::default(),
            arrows: arrows::Arrows::default(),
            cluster: Cluster::default(),
            tracing: tracing::Tracing::default(),
        }
    }
}

#[cfg(test)]
mod tests;
