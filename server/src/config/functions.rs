//! Settings for all functions, and for the runtimes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What holds for every function.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Functions {
    /// Variables each gets beneath its own.
    pub(crate) environment: BTreeMap<String, String>,
    /// A zip package that every function finds unpacked at `/opt`, as a layer of its own would be:
    /// extensions of the operator's, say. Empty for none.
    pub(crate) opt: PathBuf,
    /// Whether functions may speak to Lambent's own API, with the credentials of their roles. They
    /// find it on their loopback.
    pub(crate) api: bool,
    /// Whether functions may name roles that IAM does not know.
    pub(crate) unknown_roles: UnknownRoles,
    /// What answers call the network that functions run in, where a function asks for a VPC.
    pub(crate) vpc_id: String,
    /// Actions the credentials of execution roles may do: `lambda:InvokeFunction`, `lambda:Get*`.
    pub(crate) role_actions: Vec<String>,
    /// Seconds for which a package is kept that no function, version or layer names any more.
    pub(crate) unused_packages_seconds: u64,
}

/// What is done about roles that nobody has made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnknownRoles {
    /// They may do what `role_actions` says.
    Accept,
    /// No function has one.
    Refuse,
}

/// The languages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Runtimes {
    /// The folder with `python`, `nodejs` and `java`. Empty: `runtimes` next to the binary, or
    /// `../share/lambent/runtimes`.
    pub(crate) directory: PathBuf,
    /// Whether runtimes are refused whose true version is not the one that their name promises.
    pub(crate) strict: bool,
    /// What single runtimes use instead: `[runtimes.use."python3.12"]`.
    #[serde(rename = "use")]
    pub(crate) chosen: BTreeMap<String, Chosen>,
}

/// Where one runtime is taken from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Chosen {
    /// A folder of `directory`, `python-ric` say; empty for the usual one.
    pub(crate) folder: String,
    /// A whole root file system to run in; empty for the host's own.
    pub(crate) root: PathBuf,
}

impl Default for Functions {
    fn default() -> Self {
        Self {
            environment: BTreeMap::new(),
            opt: PathBuf::new(),
            api: false,
            unknown_roles: UnknownRoles::Accept,
            vpc_id: "vpc-00000000000000000".to_owned(),
            role_actions: Vec::new(),
            unused_packages_seconds: 3_600,
        }
    }
}
