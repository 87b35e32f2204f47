//! What can be set, where it is read from, and in which order it counts.
//!
//! ```text
//!   defaults  <  --config FILE (TOML)  <  LAMBENT_… variables  <  command line
//! ```
//!
//! Every field has a variable: `[sandbox] pool` is `LAMBENT_SANDBOX_POOL`. A variable whose field
//! is no text is read as TOML: `LAMBENT_FUNCTIONS_ENVIRONMENT='{ A = "1" }'`.

mod arrows;
mod events;
mod file_systems;
mod placement;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use types::limits::{
    ACCOUNT_CODE_BYTES_MAX, ACCOUNT_CONCURRENCY, CONTROL_PLANE_PER_SECOND, GET_FUNCTION_PER_SECOND,
    GET_POLICY_PER_SECOND, PROVISIONED_PER_SECOND, STREAM_BURST_BYTES, STREAM_BYTES_PER_SECOND,
};
use types::{AccountId, Region};

pub(crate) use events::Events;
pub(crate) use file_systems::FileSystem;
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
}

/// The disk that everything is kept on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Disk {
    /// MB that are kept for the system itself: with less room nothing new is taken of anybody. 0 for a
    /// twentieth of the disk, at most 1 GB.
    pub(crate) reserve_mb: u64,
}

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

/// The operator's own address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where `/metrics` and `/health` are served; port 0 takes a free one, an empty text none at all.
    pub(crate) listen: String,
}

impl Admin {
    /// Where it is unless somebody says otherwise. Only this one gives way where it is taken: a second
    /// server of a machine must not fail for want of an address that nobody asked for.
    pub(crate) const DEFAULT: &str = "127.0.0.1:9101";

    /// Whether a free port will do as well.
    pub(crate) fn gives_way(&self) -> bool {
        self.listen == Self::DEFAULT
    }
}

/// What requests may take before anybody knows who sent them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Requests {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Connections of one address at a time; of IPv6, of one network of 64 bits.
    pub(crate) connections_per_address: usize,
    /// MB of heads and bodies that are being read or wait for their answers, beside the first
    /// 24 KB of each; 0 for an eighth of the machine's memory, from 128 to 1 024.
    pub(crate) memory_mb: u64,
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
    /// Environments a second that are made ahead for one function version's provisioned concurrency.
    pub(crate) provisioned_per_second: u32,
    /// Bytes of all packages: of functions, their versions and layers.
    pub(crate) code_storage_bytes: u64,
    /// Bytes of packages that an account uploads in the time that unused ones are kept; 0 for an eighth
    /// of the disk.
    pub(crate) upload_bytes: u64,
}

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
    /// The folder with `python`, `nodejs` and `java`. Empty: `runtimes` beside the binary, or
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

/// Results that are streamed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Streaming {
    /// Bytes of each that go as fast as they come.
    pub(crate) burst_bytes: u64,
    /// Bytes a second of the rest; 0 for no bound.
    pub(crate) bytes_per_second: u64,
}

/// Function URLs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Urls {
    /// `http`, or `https` where a proxy in front ends TLS.
    pub(crate) scheme: String,
    /// What follows `<id>.lambda-url.<region>.` in their addresses, with the port if need be. Empty:
    /// `localhost` and the port listened on.
    pub(crate) domain: String,
}

/// The sandboxes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sandbox {
    /// Network namespaces and cgroups kept ready.
    pub(crate) pool: usize,
    /// The first of the host's user numbers that belong to sandboxes; 65 536 are taken. 0 chooses
    /// a range by the data folder, so that servers beside each other keep apart.
    pub(crate) first_uid: u32,
    /// What functions reach: `none`, or `nat` for the world by address translation.
    pub(crate) network: String,
    pub(crate) nat: Nat,
}

/// The way out of sandboxes, where `network` is `nat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Nat {
    /// The first address of a `/15` net that is used nowhere else.
    pub(crate) subnet: Ipv4Addr,
    /// TCP ports of this machine that functions may reach: Lambent's own, say, if it listens on
    /// more than the loopback.
    pub(crate) allow_host_ports: Vec<u16>,
    /// Whether they may reach private networks.
    pub(crate) allow_private: bool,
}

/// The worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Worker {
    /// Memory for environments, MB; 0 for what the machine has.
    pub(crate) memory_mb: u64,
    /// The availability zone.
    pub(crate) zone: String,
    /// Milliseconds after which an idle environment is frozen.
    pub(crate) freeze_after_ms: u64,
    /// Megabytes that unpacked code takes at most while nothing runs it; 0 for a tenth of the disk.
    pub(crate) code_cache_mb: u64,
}

/// What functions print.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Logs {
    /// Days that log groups keep what they have, unless one's own policy says otherwise; 0 for ever.
    pub(crate) retention_days: u32,
    /// MB that one log group may take on disk. What was written longest ago goes first.
    pub(crate) group_mb_max: u64,
    /// MB that the log groups of one account may take; 0 for half of what all may.
    pub(crate) account_mb_max: u64,
    /// MB that the functions of one account may print in a second; whoever prints more waits. 0 for four
    /// for each processor.
    pub(crate) account_mb_per_second: u64,
    /// MB that all log groups together may take.
    pub(crate) total_mb_max: u64,
}

/// Assignment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Assignment {
    /// Partitions of functions.
    pub(crate) partitions: u32,
    /// Seconds after which an idle environment is ended.
    pub(crate) idle_seconds: u64,
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
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT.to_owned(),
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 5_000,
            memory_mb: 0,
        }
    }
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

impl Default for Streaming {
    fn default() -> Self {
        Self {
            burst_bytes: STREAM_BURST_BYTES,
            bytes_per_second: STREAM_BYTES_PER_SECOND,
        }
    }
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

impl Default for Urls {
    fn default() -> Self {
        Self {
            scheme: "http".to_owned(),
            domain: String::new(),
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            pool: 64,
            first_uid: 0,
            network: "none".to_owned(),
            nat: Nat::default(),
        }
    }
}

impl Default for Nat {
    fn default() -> Self {
        Self {
            subnet: Ipv4Addr::new(10, 212, 0, 0),
            allow_host_ports: Vec::new(),
            allow_private: false,
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            memory_mb: 0,
            zone: "local-1a".to_owned(),
            freeze_after_ms: 10,
            code_cache_mb: 0,
        }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            retention_days: 0,
            group_mb_max: 1_024,
            account_mb_max: 0,
            account_mb_per_second: 0,
            total_mb_max: 10_240,
        }
    }
}

impl Default for Assignment {
    fn default() -> Self {
        Self {
            partitions: 8,
            idle_seconds: 600,
        }
    }
}

impl Config {
    /// Reads the file, if there is one, and the variables.
    pub(crate) fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table = Table::try_from(Self::default()).context("the defaults are no TOML")?;
        let fields = fields(&table);
        if let Some(file) = file {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
            let given: Table = text
                .parse()
                .with_context(|| format!("{} is no TOML", file.display()))?;
            merge(&mut table, given);
        }
        // The log's level is not of the configuration.
        let ours = |name: &str| name.starts_with("LAMBENT_") && name != "LAMBENT_LOG";
        for (name, text) in variables.filter(|(name, _)| ours(name)) {
            let Some(path) = fields.get(&name) else {
                bail!("{name} names no setting")
            };
            set(&mut table, path, &name, &text)?;
        }
        table.try_into().context("the configuration is wrong")
    }
}

/// The variable of every field, and the field's path.
fn fields(defaults: &Table) -> BTreeMap<String, Vec<String>> {
    fn walk(table: &Table, path: &[String], found: &mut BTreeMap<String, Vec<String>>) {
        for (key, value) in table {
            let mut path = path.to_vec();
            path.push(key.clone());
            match value {
                // An empty table is a map that people fill, a field of its own.
                Value::Table(inner) if !inner.is_empty() => walk(inner, &path, found),
                _ => {
                    let name = path.join("_").to_uppercase();
                    found.insert(format!("LAMBENT_{name}"), path);
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(defaults, &[], &mut found);
    found
}

fn merge(table: &mut Table, given: Table) {
    for (key, value) in given {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(given)) => merge(inner, given),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn set(table: &mut Table, path: &[String], name: &str, text: &str) -> anyhow::Result<()> {
    let (last, above) = path.split_last().expect("a field has a name");
    let mut table = table;
    for key in above {
        let inner = table
            .entry(key)
            .or_insert_with(|| Value::Table(Table::new()));
        table = inner
            .as_table_mut()
            .with_context(|| format!("{key} is no table"))?;
    }
    let value = match table.get(last) {
        Some(Value::String(_)) => Value::String(text.to_owned()),
        _ => {
            let parsed: Table = format!("value = {text}")
                .parse()
                .with_context(|| format!("{name} is not of its setting's kind"))?;
            parsed
                .get("value")
                .cloned()
                .with_context(|| format!("{name} is empty"))?
        }
    };
    table.insert(last.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests;
