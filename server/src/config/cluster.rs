//! Settings of a cluster: who this process is in it, where the others are, and the stores that all share.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// See the module. One file serves all processes of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cluster {
    /// The folder that `lambent cluster init` or `join` has made: this host's certificate and key, and the secrets that
    /// its roles need.
    pub(crate) directory: PathBuf,
    /// What a process is, unless the command line says it.
    pub(crate) roles: Vec<String>,
    /// Where a process listens to the others.
    pub(crate) listen: String,
    /// Where the others reach it; empty if that is where it listens.
    pub(crate) address: String,
    /// Where a process with the role control lets hosts join that have a token; empty: nowhere.
    pub(crate) join: String,
    /// Addresses of some processes with the role placement. Workers ask them first who else there is.
    pub(crate) seeds: Vec<String>,
    /// GB that the stores may keep: what shares of the disk are, in one process, are shares of this.
    pub(crate) stores_gb: u64,
    pub(crate) nats: Nats,
    pub(crate) s3: S3,
}

/// The NATS servers that keep tables, journals and queues. Workers need none of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Nats {
    /// `nats://host:port` of some or all.
    pub(crate) servers: Vec<String>,
    /// Who we are, if they ask.
    pub(crate) user: String,
    pub(crate) password: String,
    /// A user of the system account, by whom servers are asked whether they write before they acknowledge.
    pub(crate) system_user: String,
    pub(crate) system_password: String,
    /// Says that they do, where there is no such user.
    pub(crate) writes_are_synced: bool,
    /// How many servers keep each stream.
    pub(crate) replicas: usize,
    /// What the names of streams begin with.
    pub(crate) prefix: String,
}

/// The store of blobs, which speaks S3's protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct S3 {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/etc/lambent"),
            roles: Vec::new(),
            listen: "0.0.0.0:9102".to_owned(),
            address: String::new(),
            join: String::new(),
            seeds: Vec::new(),
            stores_gb: 64,
            nats: Nats::default(),
            s3: S3::default(),
        }
    }
}

impl Default for Nats {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            user: String::new(),
            password: String::new(),
            system_user: String::new(),
            system_password: String::new(),
            writes_are_synced: false,
            replicas: 3,
            prefix: "lambent".to_owned(),
        }
    }
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            bucket: "lambent".to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
        }
    }
}
