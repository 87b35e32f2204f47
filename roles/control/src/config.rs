//! What an operator can configure for the control plane.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use authn::Regions;
use authn::operator_key::OperatorKey;
use tokio::sync::watch;
use types::limits::{
    ACCOUNT_CODE_BYTES_MAX, ACCOUNT_CONCURRENCY, CONTROL_PLANE_PER_SECOND, GET_FUNCTION_PER_SECOND,
    GET_POLICY_PER_SECOND,
};
use types::{AccountId, Region};

use settings::functions::RuntimesHere;

use crate::shares::Shares;

/// See the module.
#[derive(Clone, Debug)]
pub struct Config {
    /// The regions that are served.
    pub regions: Regions,
    /// Concurrent executions of each account and region.
    pub account_concurrency: u32,
    /// Calls a second of each account and region.
    pub rates: Rates,
    /// How much of [`Config::rates`] and [`Config::upload_bytes_max`] this control plane grants.
    pub shares: Shares,
    /// The account of the operator, who may see and drain workers.
    pub operator: AccountId,
    /// How function URLs are written.
    pub urls: Urls,
    /// The runtimes of this installation, as workers come and go.
    pub runtimes: watch::Receiver<RuntimesHere>,
    /// The architecture of functions that name none. AWS's is `x86_64`; where no worker has that, the
    /// default would only create functions that cannot run.
    pub architecture: String,
    /// Bytes of all packages that an account keeps in a region.
    pub code_bytes_max: u64,
    /// The most bytes of packages that an account uploads within the time for which unused packages are
    /// kept.
    pub upload_bytes_max: u64,
    /// How long packages are kept after the last reference to them is gone. Longer than any request to
    /// the control plane and any invoke takes.
    pub unused_packages_kept: Duration,
    /// Packages that are used though no function and no layer names them.
    pub operators_packages: BTreeSet<String>,
    /// Whether functions may name roles that IAM does not know.
    pub unknown_roles_accepted: bool,
    /// The operator's key, if it signs in place of roles what their functions' settings send.
    pub operator_key: Option<Arc<OperatorKey>>,
    /// The `VpcId` that answers name for the network that functions run in: there is one for all.
    pub vpc_id: String,
    /// ARNs of the access points whose file systems functions can have.
    pub access_points: BTreeSet<String>,
}

impl Config {
    /// Whether an access point is one of the installation's that functions of this account can have:
    /// only those of their own account.
    pub(crate) fn has_folder(&self, account: &types::AccountId, access_point: &str) -> bool {
        access_point.split(':').nth(4) == Some(account.as_str())
            && self.access_points.contains(access_point)
    }
}

/// How the address of a function URL is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Urls {
    /// `http`, or `https` if a proxy in front of us terminates TLS.
    pub scheme: String,
    /// What follows `<id>.lambda-url.<region>.`, with the port if it is not the scheme's own.
    pub domain: String,
}

impl Urls {
    /// The address of the URL with this id.
    pub(crate) fn text(&self, id: &str, region: &types::Region) -> String {
        let Self { scheme, domain } = self;
        format!("{scheme}://{id}.lambda-url.{region}.{domain}/")
    }
}

impl Default for Urls {
    fn default() -> Self {
        Self {
            scheme: "http".to_owned(),
            domain: "localhost".to_owned(),
        }
    }
}

/// Calls a second of one account in one region; the same number may arrive at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// GetFunction.
    pub get_function: u32,
    /// GetPolicy.
    pub get_policy: u32,
    /// All other operations together.
    pub others: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            get_function: GET_FUNCTION_PER_SECOND,
            get_policy: GET_POLICY_PER_SECOND,
            others: CONTROL_PLANE_PER_SECOND,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            regions: Regions::from_iter([Region::new("us-east-1").expect("a region's letters")]),
            account_concurrency: ACCOUNT_CONCURRENCY,
            rates: Rates::default(),
            shares: Shares::default(),
            operator: AccountId::new("000000000000").expect("twelve digits"),
            urls: Urls::default(),
            runtimes: watch::channel(RuntimesHere::default()).1,
            architecture: "x86_64".to_owned(),
            code_bytes_max: ACCOUNT_CODE_BYTES_MAX,
            upload_bytes_max: ACCOUNT_CODE_BYTES_MAX,
            unused_packages_kept: Duration::from_secs(60 * 60),
            operators_packages: BTreeSet::new(),
            unknown_roles_accepted: true,
            operator_key: None,
            vpc_id: "vpc-00000000000000000".to_owned(),
            access_points: BTreeSet::new(),
        }
    }
}
