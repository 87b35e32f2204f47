//! What the cache holds, and how a name becomes a version. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use policy::Policy;
use records::functions::{
    ALIASES, Alias, Configuration, FUNCTIONS, Function, FunctionVersion, POLICIES, PROVISIONED,
    RECURSIONS, State, URLS, VERSIONS, alias_key, attached_key, function_key, version_key,
};
use records::policies::{ResourcePolicy, binding};
use records::recursion::{Recursion, RecursiveLoop};
use records::urls::Url;
use storage::{Change, Revision, Row};
use types::{AccountId, AliasName, FunctionArn, FunctionName, Qualifier, Region, Scope, Version};
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

/// What is needed of a [`Function`] row.
struct Known {
    /// What `$LATEST` runs.
    latest: Arc<FunctionVersion>,
    reserved: Option<u32>,
    published: u64,
    instance: String,
    tags: Arc<BTreeMap<String, String>>,
}

/// A row's place, read from its key.
struct Place<'k> {
    scope: Scope,
    name: FunctionName,
    rest: Option<&'k str>,
}

impl Functions {
    /// Takes in a change. Rows that cannot be read are left out and told of: one bad row must not
    /// take the others with it.
    pub(super) fn apply(&mut self, change: &Change) {
        let (key, row) = match change {
            Change::Put(row) => (row.key.as_str(), Some(row)),
            Change::Delete { key } => (key.as_str(), None),
            Change::Current => return,
        };
        let applied = if let Some(rest) = key.strip_prefix(FUNCTIONS) {
            place(rest).and_then(|place| self.apply_function(place, row))
        } else if let Some(rest) = key.strip_prefix(VERSIONS) {
            place(rest).and_then(|place| self.apply_version(place, row))
        } else if let Some(rest) = key.strip_prefix(ALIASES) {
            place(rest).and_then(|place| self.apply_alias(place, row))
        } else if key.starts_with(URLS) {
            self.urls.apply(key, row)
        } else if let Some(rest) = key.strip_prefix(POLICIES) {
            place(rest).and_then(|place| self.apply_policy(place, row))
        } else if let Some(rest) = key.strip_prefix(PROVISIONED) {
            place(rest).and_then(|place| self.apply_provisioned(place, row))
        } else if let Some(rest) = key.strip_prefix(RECURSIONS) {
            place(rest).and_then(|place| self.apply_recursion(place, row))
        } else {
            None
        };
        if applied.is_none() {
            tracing::error!(key, "skipping a metadata row that cannot be read");
        }
    }

    fn apply_function(&mut self, place: Place<'_>, row: Option<&Row>) -> Option<()> {
        let known = match row {
            None => None,
            Some(row) => {
                let function: Function = serde_json::from_slice(&row.value).ok()?;
                Some((row.revision, known(function)))
            }
        };
        let scope = place.scope.clone();
        let entry = self.functions.entry((place.scope, place.name)).or_default();
        if is_older(
            known.as_ref().map(|k| k.0),
            entry.function.as_ref().map(|k| k.0),
        ) {
            return Some(());
        }
        let before = entry.aside();
        entry.function = known;
        let after = entry.aside();
        self.count_aside(scope, before, after);
        Some(())
    }

    fn apply_provisioned(&mut self, place: Place<'_>, row: Option<&Row>) -> Option<()> {
        let qualifier = place.rest?;
        let scope = place.scope.clone();
        let entry = self.functions.entry((place.scope, place.name)).or_default();
        let before = entry.aside();
        entry.provisioned.apply(qualifier, row)?;
        let after = entry.aside();
        self.count_aside(scope, before, after);
        Some(())
    }

    fn apply_recursion(&mut self, place: Place<'_>, row: Option<&Row>) -> Option<()> {
        let recursion = match row {
            None => None,
            Some(row) => {
                let recursion: Recursion = serde_json::from_slice(&row.value).ok()?;
                Some((row.revision, recursion.recursive_loop))
            }
        };
        let entry = self.functions.entry((place.scope, place.name)).or_default();
        if !is_older(
            recursion.map(|(revision, _)| revision),
            entry.recursion.map(|(revision, _)| revision),
        ) {
            entry.recursion = recursion;
        }
        Some(())
    }

    fn count_aside(&mut self, scope: Scope, before: u32, after: u32) {
        let total = self.reserved.entry(scope).or_default();
        *total = total.saturating_add(after).saturating_sub(before);
    }

    fn apply_version(&mut self, place: Place<'_>, row: Option<&Row>) -> Option<()> {
        let number: u64 = place.rest?.parse().ok()?;
        let version = match row {
            None => None,
            Some(row) => {
                let configuration: Configuration = serde_json::from_slice(&row.value).ok()?;
                Some((
                    row.revision,
                    version(&place.scope, &place.name, configuration.into()),
                ))
            }
        };
        let versions = &mut self
            .functions
            .entry((place.scope, place.name))
            .or_default()
            .versions;
        let present = versions.get(&number).map(|(revision, _)| *revision);
        if !is_older(version.as_ref().map(|v| v.0), present) {
            match version {
                Some(version) => versions.insert(number, version),
                None => versions.remove(&number),
            };
        }
        Some(())
    }

    fn apply_alias(&mut self, place: Place<'_>, row: Option<&Row>) -> Option<()> {
        let name = AliasName::new(place.rest?).ok()?;
        let alias: Option<(Revision, Alias)> = match row {
            None => None,
            Some(row) => Some((row.revision, serde_json::from_slice(&row.value).ok()?)),
        };
        let aliases = &mut self
            .functions
            .entry((place.scope, place.name))
            .or_default()
            .aliases;
        let present = aliases.get(&name).map(|(revision, _)| *revision);
        if !is_older(alias.as_ref().map(|a| a.0), present) {
            match alias {
                Some(alias) => aliases.insert(name, alias),
                None => aliases.remove(&name),
            };
        }
        Some(())
    }

    fn apply_policy(&mut self, place: Place<'_>, row: Option<&Row>) -> Option<()> {
        let qualifier = place.rest?.to_owned();
        let attached = match row {
            None => None,
            Some(row) => {
                let policy: ResourcePolicy = serde_json::from_slice(&row.value).ok()?;
                let attached = Attached {
                    policy: policy.compile().map(Arc::new),
                    bound_to: policy.bound_to,
                };
                Some((row.revision, attached))
            }
        };
        let policies = &mut self
            .functions
            .entry((place.scope, place.name))
            .or_default()
            .policies;
        let present = policies.get(&qualifier).map(|(revision, _)| *revision);
        if !is_older(attached.as_ref().map(|a| a.0), present) {
            match attached {
                Some(attached) => policies.insert(qualifier, attached),
                None => policies.remove(&qualifier),
            };
        }
        Some(())
    }

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

fn place(key: &str) -> Option<Place<'_>> {
    let mut parts = key.splitn(4, '/');
    let account = AccountId::new(parts.next()?).ok()?;
    let region = Region::new(parts.next()?).ok()?;
    let name = FunctionName::new(parts.next()?).ok()?;
    Some(Place {
        scope: Scope { account, region },
        name,
        rest: parts.next(),
    })
}

fn known(function: Function) -> Known {
    let configuration = function
        .serving
        .unwrap_or_else(|| Arc::new(function.latest));
    Known {
        latest: version(&function.scope, &function.name, configuration),
        reserved: function.reserved_concurrency,
        published: function.published,
        instance: function.instance,
        tags: Arc::new(function.tags),
    }
}

fn version(
    scope: &Scope,
    name: &FunctionName,
    configuration: Arc<Configuration>,
) -> Arc<FunctionVersion> {
    Arc::new(FunctionVersion {
        scope: scope.clone(),
        name: name.clone(),
        configuration,
    })
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
