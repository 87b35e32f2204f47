//! How the rows' changes come into the cache.

use std::sync::Arc;

use records::functions::{
    ALIASES, Alias, Configuration, FUNCTIONS, Function, FunctionVersion, POLICIES, PROVISIONED,
    RECURSIONS, URLS, VERSIONS,
};
use records::policies::ResourcePolicy;
use records::recursion::Recursion;
use storage::{Change, Revision, Row};
use types::{AccountId, AliasName, FunctionName, Region, Scope};

use super::{Attached, Functions, Known, is_older};

/// A row's place, read from its key.
struct Place<'k> {
    scope: Scope,
    name: FunctionName,
    rest: Option<&'k str>,
}

impl Functions {
    /// Takes in a change. A row that cannot be read is logged and skipped, so that it does not
    /// take the others with it.
    pub(in crate::metadata) fn apply(&mut self, change: &Change) {
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
