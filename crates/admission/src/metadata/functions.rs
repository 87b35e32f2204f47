//! What the cache holds, and how a name becomes a version. Pure.

mod changes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use policy::Policy;
use records::functions::{
    Alias, FunctionVersion, POLICIES, State, alias_key, attached_key, function_key, version_key,
};
use records::policies::binding;
use records::recursion::RecursiveLoop;
use records::urls::Url;
use storage::Revision;
use types::{AliasName, FunctionArn, FunctionName, Qualifier, Scope, Version};
use wire::ApiError;

use super::Found;
use super::provisioned::ProvisionedRows;
use super::urls::Urls;

/// All functions. The order of the map never matters.
#[derive(Default)]
pub(super) struct Functions {
    functions: HashMap<(Scope, FunctionName), Entry>,
    /// What functions of a scope have for themselves alone, summed.
    reserved: HashMap<Scope, u32>,
    urls: Urls,
}

#[derive(Default)]
struct Entry {
    function: Option<(Revision, Known)>,
    versions: BTreeMap<u64, (Revision, Arc<FunctionVersion>)>,
    aliases: BTreeMap<AliasName, (Revision, Alias)>,
    provisioned: ProvisionedRows,
    recursion: Option<(Revision, RecursiveLoop)>,
    /// By qualifier, as [`attached_key`] writes it.
    policies: BTreeMap<String, (Revision, Attached)>,
}

/// A resource policy.
struct Attached {
    bound_to: String,
    policy: Option<Arc<Policy>>,
}

/// What decides who may use a function under one of its names.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) policy: Option<Arc<Policy>>,
    pub(super) tags: Option<Arc<BTreeMap<String, String>>>,
}

/// What is needed of a function's row.
struct Known {
    /// What `$LATEST` runs.
    latest: Arc<FunctionVersion>,
    reserved: Option<u32>,
    published: u64,
    instance: String,
    tags: Arc<BTreeMap<String, String>>,
}

impl Functions {
    /// What is known about using the function as `arn` names it. A policy that was made for
    /// another function, or for another alias of this name, is none.
    pub(super) fn standing(&self, arn: &FunctionArn) -> Standing {
        let key = (arn.scope.clone(), arn.name.clone());
        let Some(entry) = self.functions.get(&key) else {
            return Standing::default();
        };
        let Some((_, known)) = &entry.function else {
            return Standing::default();
        };
        let tags = Some(Arc::clone(&known.tags)).filter(|tags| !tags.is_empty());
        let alias = match &arn.qualifier {
            Some(Qualifier::Alias(name)) => match entry.aliases.get(name) {
                Some((_, alias)) => Some(alias),
                None => return Standing { policy: None, tags },
            },
            _ => None,
        };
        let attached = match &arn.qualifier {
            _ if entry.policies.is_empty() => None,
            None => entry.policies.get("$LATEST"),
            Some(qualifier) => entry.policies.get(&qualifier.to_string()),
        };
        let policy = attached
            .filter(|(_, attached)| attached.bound_to == binding(&known.instance, alias))
            .and_then(|(_, attached)| attached.policy.clone());
        Standing { policy, tags }
    }

    /// The function URL with this id, unless it was made for another function, or for another alias,
    /// of the name. Of a function that is not known here nothing is said: it is looked for later.
    pub(super) fn url(&self, id: &str) -> Option<Arc<Url>> {
        let url = self.urls.get(id)?;
        let arn = &url.function;
        let entry = self.functions.get(&(arn.scope.clone(), arn.name.clone()));
        let Some((entry, (_, known))) =
            entry.and_then(|entry| Some((entry, entry.function.as_ref()?)))
        else {
            return Some(url);
        };
        let alias = match &arn.qualifier {
            Some(Qualifier::Alias(name)) => match entry.aliases.get(name) {
                Some((_, alias)) => Some(alias),
                None => return Some(url),
            },
            _ => None,
        };
        let binding = binding(&known.instance, alias);
        url.is_bound_to(&binding).then_some(url)
    }

    /// The version `arn` means; `None` if it is not known here. `fraction` gives a random number
    /// in `[0, 1)`, for aliases with weights.
    pub(super) fn resolve(
        &self,
        arn: &FunctionArn,
        fraction: impl FnOnce() -> f64,
    ) -> Result<Option<Found>, ApiError> {
        // The key's parts are shared texts: cloning them copies no text.
        let key = (arn.scope.clone(), arn.name.clone());
        let Some(entry) = self.functions.get(&key) else {
            return Ok(None);
        };
        let Some((_, known)) = &entry.function else {
            return Ok(None);
        };
        let version = match &arn.qualifier {
            None => Version::Latest,
            Some(Qualifier::Version(version)) => *version,
            Some(Qualifier::Alias(name)) => match entry.aliases.get(name) {
                Some((_, alias)) => choose(alias, fraction),
                None => return Ok(None),
            },
        };
        let function = match version {
            Version::Latest => &known.latest,
            Version::Published(number) if number <= known.published => {
                match entry.versions.get(&number) {
                    Some((_, version)) => version,
                    None => return Ok(None),
                }
            }
            Version::Published(_) => return Ok(None),
        };
        check_state(&function.configuration.state)?;
        Ok(Some(Found {
            function: Arc::clone(function),
            reserved: known.reserved,
            reserved_total: self.reserved_total(&arn.scope),
            provisioned: entry.provisioned.available(version),
            provisioned_total: entry.provisioned.requested(),
            recursive_loop: entry.recursion.map_or_else(Default::default, |row| row.1),
        }))
    }

    pub(super) fn reserved_total(&self, scope: &Scope) -> u32 {
        self.reserved.get(scope).copied().unwrap_or(0)
    }
}

impl Entry {
    /// What the function has for itself alone: its reservation, of which provisioned concurrency is
    /// a part, or else that.
    fn aside(&self) -> u32 {
        let Some((_, known)) = &self.function else {
            return 0;
        };
        known
            .reserved
            .unwrap_or_else(|| self.provisioned.requested())
    }
}

/// The keys of the rows that decide what `arn` means, published versions' excepted: a version that
/// an alias names is looked up under its own number.
pub(super) fn keys(arn: &FunctionArn) -> Vec<String> {
    let mut keys = vec![
        function_key(&arn.scope, &arn.name),
        attached_key(POLICIES, arn),
    ];
    match &arn.qualifier {
        Some(Qualifier::Alias(alias)) => keys.push(alias_key(&arn.scope, &arn.name, alias)),
        Some(Qualifier::Version(Version::Published(number))) => {
            keys.push(version_key(&arn.scope, &arn.name, *number));
        }
        Some(Qualifier::Version(Version::Latest)) | None => {}
    }
    keys
}

/// A change that a later one has overtaken: the watch and a look-up may cross.
pub(super) fn is_older(change: Option<Revision>, present: Option<Revision>) -> bool {
    matches!((change, present), (Some(change), Some(present)) if change < present)
}

/// By weight, if the alias has two versions.
fn choose(alias: &Alias, fraction: impl FnOnce() -> f64) -> Version {
    match alias.additional {
        Some((version, weight)) if fraction() < weight => version,
        _ => alias.version,
    }
}

fn check_state(state: &State) -> Result<(), ApiError> {
    let name = match state {
        State::Active => return Ok(()),
        State::Pending => "Pending",
        State::Failed { .. } => "Failed",
    };
    Err(ApiError::conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the \
         following state: {name}"
    )))
}

#[cfg(test)]
pub(super) mod tests;
