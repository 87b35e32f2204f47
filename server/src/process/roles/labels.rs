//! Which process a metric is of: in a cluster, every metric says it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use prometheus_client::registry::Registry;
use types::Role;

use crate::process::what::What;

/// What the names of all metrics begin with.
const PREFIX: &str = "lambent";

/// The registry of a process.
pub(super) fn registry(what: &What) -> Registry {
    let Some(member) = &what.member else {
        return Registry::with_prefix(PREFIX);
    };
    let labels = [
        ("roles", words(&what.roles)),
        ("host", member.peer.host.clone()),
        ("zone", member.peer.zone.clone()),
    ];
    let labels = labels.map(|(name, value)| (Cow::Borrowed(name), Cow::Owned(value)));
    Registry::with_prefix_and_labels(PREFIX, labels.into_iter())
}

/// In the order of their names, so that equal sets are equal labels.
fn words(roles: &BTreeSet<Role>) -> String {
    let mut words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    words.sort_unstable();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_of_roles_are_equal_labels() {
        let roles = [Role::Worker, Role::Control, Role::Frontend].into();
        assert_eq!(words(&roles), "control,frontend,worker");
        assert_eq!(words(&BTreeSet::new()), "");
    }
}
