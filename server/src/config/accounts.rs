//! Settings for accounts: their keys, their regions and their rate limits.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use types::limits::{
    ACCOUNT_CODE_BYTES_MAX, ACCOUNT_CONCURRENCY, CONTROL_PLANE_PER_SECOND, GET_FUNCTION_PER_SECOND,
    GET_POLICY_PER_SECOND, PROVISIONED_PER_SECOND,
};
use types::{AccountId, Region};

/// One access key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessKey {
    /// Its id: `test`, say.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: String,
    /// The account it belongs to.
    pub(crate) account: AccountId,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.id, self.account)
    }
}

/// The account that a fresh installation makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Account {
    /// Twelve digits.
    pub(crate) id: AccountId,
    /// The region that the written credentials name. It is served.
    pub(crate) region: Region,
    /// Further regions that are served, each with limits of its own.
    pub(crate) regions: BTreeSet<Region>,
    /// Concurrent executions, for each account and region.
    pub(crate) concurrency: u32,
}

/// How often things may be done, for each account and region.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// GetFunction calls a second.
    pub(crate) get_function_per_second: u32,
    /// GetPolicy calls a second.
    pub(crate) get_policy_per_second: u32,
    /// All other calls but invokes a second, together.
    pub(crate) control_plane_per_second: u32,
    /// Environments a second that are started for one function version's provisioned concurrency.
    pub(crate) provisioned_per_second: u32,
    /// Bytes of all packages: of functions, their versions and layers.
    pub(crate) code_storage_bytes: u64,
    /// Bytes of packages that an account uploads in the time that unused ones are kept; 0 for an eighth
    /// of the disk.
    pub(crate) upload_bytes: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: AccountId::new("000000000000").expect("twelve digits"),
            region: Region::new("us-east-1").expect("a region's letters"),
            regions: BTreeSet::new(),
            concurrency: ACCOUNT_CONCURRENCY,
        }
    }
}

impl Account {
    /// All regions that are served.
    pub(crate) fn served_regions(&self) -> BTreeSet<Region> {
        let further = self.regions.iter().cloned();
        further.chain([self.region.clone()]).collect()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            get_function_per_second: GET_FUNCTION_PER_SECOND,
            get_policy_per_second: GET_POLICY_PER_SECOND,
            control_plane_per_second: CONTROL_PLANE_PER_SECOND,
            provisioned_per_second: PROVISIONED_PER_SECOND,
            code_storage_bytes: ACCOUNT_CODE_BYTES_MAX,
            upload_bytes: 0,
        }
    }
}
