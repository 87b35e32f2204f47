//! Managed policies: an account's own, and AWS's, which are read-only.

use std::collections::BTreeMap;

use records::iam::{Entity, EntityKind, ManagedPolicy, PolicyVersion, policies_prefix, policy_key};
use storage::Expect;
use tables::TRIES_MAX;
use wire::query::QueryError;

use super::call::Call;
use super::managed::{self, AwsPolicy};
use super::paging::Page;
use super::references::{Managed, has, is_limited_by, not_found, uses};
use super::rules::{add_tags, given_tags, managed as said};
use super::xml::{self, Uses, group, member};
use super::{Answer, Iam, contended, fault, in_use, taken, title};

impl Iam {
    pub(super) async fn create_policy(&self, call: &Call<'_>) -> Answer {
        let document = said(call)?;
        let created = self.clock.now();
        let version = PolicyVersion { document, created };
        let mut made = ManagedPolicy {
            account: call.account().clone(),
            name: call.required("PolicyName")?.to_owned(),
            path: call.given("Path").unwrap_or("/").to_owned(),
            id: self.new_id("ANPA"),
            description: call.given("Description").unwrap_or_default().to_owned(),
            created,
            updated: created,
            tags: BTreeMap::new(),
            versions: BTreeMap::from([(1, version)]),
            default: 1,
            last: 1,
        };
        add_tags(&mut made.tags, &given_tags(call)?, "Policy")?;
        call.may_to_policy(&made)?;
        let key = policy_key(call.account(), &made.name);
        let written = self.rows.put(&key, &made, Expect::Absent).await;
        if written.map_err(fault)?.is_none() {
            let name = &made.name;
            let message =
                format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(taken(message));
        }
        Ok(group("Policy", &whole(&made, Uses::default())))
    }

    pub(super) async fn get_policy(&self, call: &Call<'_>) -> Answer {
        let found = self.policy(call).await?;
        let everybody = self.everybody(call.account()).await?;
        let uses = uses(&everybody);
        let of = |arn: &str, id: &str| uses.get(&(arn, id)).copied().unwrap_or_default();
        let shown = match &found {
            Managed::Own(policy, _) => whole(policy, of(&policy.arn(), &policy.id)),
            Managed::Aws(policy) => xml::aws_policy(policy, of(&policy.arn, "")),
        };
        Ok(group("Policy", &shown))
    }

    pub(super) async fn list_policies(&self, call: &Call<'_>) -> Answer {
        call.may("policy path /")?;
        let scope = call.given("Scope").unwrap_or("All");
        let (prefix, attached) = (
            call.given("PathPrefix").unwrap_or("/"),
            call.flag("OnlyAttached")?,
        );
        let usage = call.given("PolicyUsageFilter");
        let everybody = self.everybody(call.account()).await?;
        let uses = uses(&everybody);
        let mut listed: Vec<Listed> = Vec::new();
        if scope != "AWS" {
            let own = self.all(&policies_prefix(call.account())).await?;
            listed.extend(own.into_iter().map(Listed::Own));
        }
        if scope != "Local" {
            listed.extend(managed::all().map(Listed::Aws));
        }
        let of = |policy: &Listed| {
            let (arn, id) = policy.reference();
            uses.get(&(arn.as_str(), id)).copied().unwrap_or_default()
        };
        listed.retain(|policy| {
            let uses = of(policy);
            let used = match usage {
                Some("PermissionsPolicy") => uses.attached > 0,
                Some("PermissionsBoundary") => uses.boundary > 0,
                _ => !attached || uses.attached + uses.boundary > 0,
            };
            used && policy.path().starts_with(prefix)
        });
        let page = Page::of(call, listed, Listed::key)?;
        Ok(page.xml("Policies", |policy| match policy {
            Listed::Own(own) => xml::policy(own, of(policy)),
            Listed::Aws(aws) => xml::aws_policy(aws, of(policy)),
        }))
    }

    pub(super) async fn delete_policy(&self, call: &Call<'_>) -> Answer {
        let named = self.own_policy(call).await?;
        let (arn, key) = (named.arn(), policy_key(&named.account, &named.name));
        for _ in 0..TRIES_MAX {
            let found = self.managed(call, &arn).await?;
            let Some(Managed::Own(policy, revision)) = found else {
                return Err(not_found(&arn));
            };
            if policy.versions.len() > 1 {
                return Err(in_use(
                    "This policy has more than one version. Before you delete a policy, you must \
                     delete the policy's versions. The default version is deleted with the policy.",
                ));
            }
            let everybody = self.everybody(call.account()).await?;
            let uses = |entity: &Entity| {
                has(entity, &arn, &policy.id) || is_limited_by(entity, &arn, &policy.id)
            };
            if everybody.iter().any(uses) {
                return Err(in_use("Cannot delete a policy attached to entities."));
            }
            let deleted = self.rows.delete(&key, Expect::Revision(revision)).await;
            if deleted.map_err(fault)? {
                return Ok(String::new());
            }
        }
        Err(contended(&key))
    }

    pub(super) async fn entities_for_policy(&self, call: &Call<'_>) -> Answer {
        let found = self.policy(call).await?;
        let (arn, id) = (call.required("PolicyArn")?, found.id());
        let prefix = call.given("PathPrefix").unwrap_or("/");
        let kind = match call.given("EntityFilter") {
            Some("User") => Some(EntityKind::User),
            Some("Role") => Some(EntityKind::Role),
            Some("Group") => Some(EntityKind::Group),
            // A filter for kinds of policies, which may exclude this one.
            Some("LocalManagedPolicy") if matches!(found, Managed::Aws(_)) => return Ok(nobody()),
            Some("AWSManagedPolicy") if matches!(found, Managed::Own(..)) => return Ok(nobody()),
            _ => None,
        };
        let mut users = self.everybody(call.account()).await?;
        users.retain(|entity| {
            let uses = match call.given("PolicyUsageFilter") {
                Some("PermissionsPolicy") => has(entity, arn, id),
                Some("PermissionsBoundary") => is_limited_by(entity, arn, id),
                _ => has(entity, arn, id) || is_limited_by(entity, arn, id),
            };
            uses && kind.is_none_or(|kind| kind == entity.kind) && entity.path.starts_with(prefix)
        });
        let key = |entity: &Entity| {
            format!(
                "{} {}",
                entity.kind.word(),
                entity.name.to_ascii_lowercase()
            )
        };
        let page = Page::of(call, users, key)?;
        let of = |kind| {
            let some = page.items.iter().filter(move |entity| entity.kind == kind);
            let title = title(kind);
            let items = some.map(move |entity| {
                member(&format!("{title}Name"), &entity.name)
                    + &member(&format!("{title}Id"), &entity.id)
            });
            super::paging::list(&format!("Policy{title}s"), items)
        };
        Ok(of(EntityKind::Group) + &of(EntityKind::User) + &of(EntityKind::Role) + &page.end())
    }

    /// The managed policy that a request names, if the caller may do this to it.
    pub(super) async fn policy(&self, call: &Call<'_>) -> Result<Managed, QueryError> {
        let arn = call.required("PolicyArn")?;
        match self.managed(call, arn).await? {
            Some(Managed::Own(policy, revision)) => {
                call.may_to_policy(&policy)?;
                Ok(Managed::Own(policy, revision))
            }
            found => {
                call.may(arn)?;
                found.ok_or_else(|| not_found(arn))
            }
        }
    }

    /// The same for operations that change it, or that AWS's policies do not support.
    pub(super) async fn own_policy(&self, call: &Call<'_>) -> Result<ManagedPolicy, QueryError> {
        match self.policy(call).await? {
            Managed::Own(policy, _) => Ok(policy),
            Managed::Aws(policy) => Err(call.denied(&format!("policy {}", policy.arn))),
        }
    }

    /// Changes the managed policy that a request names.
    pub(super) async fn change_policy<T>(
        &self,
        call: &Call<'_>,
        mut change: impl FnMut(&mut ManagedPolicy) -> Result<T, QueryError>,
    ) -> Result<(ManagedPolicy, T), QueryError> {
        let named = self.own_policy(call).await?;
        let (arn, key) = (named.arn(), policy_key(&named.account, &named.name));
        for _ in 0..TRIES_MAX {
            let found = self.managed(call, &arn).await?;
            let Some(Managed::Own(mut policy, revision)) = found else {
                return Err(not_found(&arn));
            };
            let told = change(&mut policy)?;
            let written = self.rows.put(&key, &policy, Expect::Revision(revision));
            if written.await.map_err(fault)?.is_some() {
                return Ok((policy, told));
            }
        }
        Err(contended(&key))
    }
}

/// A policy in a list.
enum Listed {
    Own(ManagedPolicy),
    Aws(&'static AwsPolicy),
}

impl Listed {
    /// As the entities that have it refer to it.
    fn reference(&self) -> (String, &str) {
        match self {
            Self::Own(policy) => (policy.arn(), &policy.id),
            Self::Aws(policy) => (policy.arn.clone(), ""),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Own(policy) => &policy.path,
            Self::Aws(policy) => &policy.path,
        }
    }

    /// By name; two of one name differ in who manages them.
    fn key(&self) -> String {
        match self {
            Self::Own(policy) => format!("{} own", policy.name.to_ascii_lowercase()),
            Self::Aws(policy) => format!("{} aws", policy.name.to_ascii_lowercase()),
        }
    }
}

/// All members of a `Policy`.
fn whole(policy: &ManagedPolicy, uses: Uses) -> String {
    let mut text = xml::policy(policy, uses);
    if !policy.description.is_empty() {
        text += &member("Description", &policy.description);
    }
    // Even if there are none: clients read them here.
    text + &xml::tags(&policy.tags)
}

fn nobody() -> String {
    let lists = ["PolicyGroups", "PolicyUsers", "PolicyRoles"];
    let lists: String = lists.iter().map(|name| group(name, "")).collect();
    lists + &member("IsTruncated", "false")
}
