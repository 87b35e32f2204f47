//! Settings for Lambent's own calls to other AWS services.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::AccountId;

/// Where other AWS services are, for Lambent's own calls to them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Aws {
    /// Default endpoint for every service; a service with neither this nor its own is not called.
    pub(crate) endpoint_url: String,
    /// Accounts whose queues, topics and buses functions of every account may use by `keys`.
    pub(crate) shared_accounts: BTreeSet<AccountId>,
    /// Endpoints of single services: `sqs = "http://…"`.
    pub(crate) services: BTreeMap<String, String>,
    /// Accounts whose functions may use which bucket by `keys`.
    pub(crate) buckets: BTreeMap<String, BTreeSet<AccountId>>,
    pub(crate) keys: AwsKeys,
}

/// The access key of Lambent's own calls to other services; none without an id.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AwsKeys {
    /// Its id.
    pub(crate) access_key_id: String,
    /// Its secret.
    pub(crate) secret_access_key: String,
}

impl std::fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.access_key_id)
    }
}
