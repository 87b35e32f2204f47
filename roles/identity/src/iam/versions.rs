//! The versions of a managed policy: at most five, one of which is the default.

use records::iam::{ManagedPolicy, PolicyVersion};
use wire::query::QueryError;

use super::call::Call;
use super::paging::Page;
use super::references::Managed;
use super::rules::managed as said;
use super::xml::{document, group, member, version, version_id};
use super::{Answer, Iam, in_use, limit, no_such};

/// Versions of a managed policy (AWS).
const VERSIONS_MAX: usize = 5;

impl Iam {
    pub(super) async fn create_version(&self, call: &Call<'_>) -> Answer {
        self.own_policy(call).await?;
        let (text, set) = (said(call)?, call.flag("SetAsDefault")?);
        let now = self.clock.now();
        let create = |policy: &mut ManagedPolicy| {
            if policy.versions.len() >= VERSIONS_MAX {
                let message = format!(
                    "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a \
                     new version, you must delete an existing version."
                );
                return Err(limit(message));
            }
            policy.last += 1;
            let made = PolicyVersion {
                document: text.clone(),
                created: now,
            };
            policy.versions.insert(policy.last, made.clone());
            if set {
                policy.default = policy.last;
                policy.updated = now;
            }
            Ok(made)
        };
        let (policy, made) = self.change_policy(call, create).await?;
        Ok(group("PolicyVersion", &version(policy.last, &made, set)))
    }

    pub(super) async fn get_version(&self, call: &Call<'_>) -> Answer {
        let found = self.policy(call).await?;
        let id = call.required("VersionId")?;
        let shown = match &found {
            Managed::Own(policy, _) => {
                let number = number(id).filter(|number| policy.versions.contains_key(number));
                let number = number.ok_or_else(|| no_version(call, id))?;
                let one = &policy.versions[&number];
                document("Document", &one.document)
                    + &version(number, one, number == policy.default)
            }
            Managed::Aws(policy) if number(id) == Some(policy.version) => {
                document("Document", &policy.document)
                    + &member("VersionId", id)
                    + &member("IsDefaultVersion", "true")
                    + &member("CreateDate", &policy.updated)
            }
            Managed::Aws(_) => return Err(no_version(call, id)),
        };
        Ok(group("PolicyVersion", &shown))
    }

    pub(super) async fn list_versions(&self, call: &Call<'_>) -> Answer {
        let listed: Vec<(u32, String)> = match self.policy(call).await? {
            Managed::Own(policy, _) => {
                let shown = policy.versions.iter().map(|(number, one)| {
                    let default = *number == policy.default;
                    (*number, version(*number, one, default))
                });
                shown.collect()
            }
            Managed::Aws(policy) => {
                let shown = member("VersionId", &version_id(policy.version))
                    + &member("IsDefaultVersion", "true")
                    + &member("CreateDate", &policy.updated);
                vec![(policy.version, shown)]
            }
        };
        // The newest first.
        let key = |(number, _): &(u32, String)| format!("{:010}", u32::MAX - number);
        let page = Page::of(call, listed, key)?;
        Ok(page.xml("Versions", |(_, shown)| shown.clone()))
    }

    pub(super) async fn set_default_version(&self, call: &Call<'_>) -> Answer {
        let id = call.required("VersionId")?;
        let now = self.clock.now();
        let set = |policy: &mut ManagedPolicy| {
            let number = number(id).filter(|number| policy.versions.contains_key(number));
            policy.default = number.ok_or_else(|| no_version(call, id))?;
            policy.updated = now;
            Ok(())
        };
        self.change_policy(call, set).await?;
        Ok(String::new())
    }

    pub(super) async fn delete_version(&self, call: &Call<'_>) -> Answer {
        let id = call.required("VersionId")?;
        let delete = |policy: &mut ManagedPolicy| {
            let number = number(id).ok_or_else(|| no_version(call, id))?;
            if number == policy.default {
                return Err(in_use("Cannot delete the default version of a policy."));
            }
            let had = policy.versions.remove(&number);
            had.map(|_| ()).ok_or_else(|| no_version(call, id))
        };
        self.change_policy(call, delete).await?;
        Ok(String::new())
    }
}

fn number(id: &str) -> Option<u32> {
    id.strip_prefix('v')?.parse().ok()
}

fn no_version(call: &Call<'_>, id: &str) -> QueryError {
    let arn = call.given("PolicyArn").unwrap_or_default();
    no_such(format!(
        "Policy {arn} version {id} does not exist or is not attachable."
    ))
}
