//! All entities of an account at once: GetAccountAuthorizationDetails.

use records::iam::{Entity, EntityKind, ManagedPolicy, policies_prefix};

use super::attached::attached;
use super::call::Call;
use super::inline::inline;
use super::managed::{self, AwsPolicy};
use super::paging::{Page, list};
use super::references::uses;
use super::xml::{self, document, group, member, version, version_id};
use super::{Answer, Iam, title};

/// What the answer has, in the order of its pages.
enum Detail {
    Entity(Entity),
    Own(ManagedPolicy),
    Aws(&'static AwsPolicy),
}

impl Iam {
    pub(super) async fn account_details(&self, call: &Call<'_>) -> Answer {
        call.may("*")?;
        let everybody = self.everybody(call.account()).await?;
        let uses = uses(&everybody);
        let filter = call.list("Filter");
        let wanted = |name: &str| filter.is_empty() || filter.contains(&name);
        let mut details: Vec<Detail> = Vec::new();
        let some = everybody.iter().filter(|one| wanted(title(one.kind)));
        details.extend(some.cloned().map(Detail::Entity));
        if wanted("LocalManagedPolicy") {
            let own = self.all(&policies_prefix(call.account())).await?;
            details.extend(own.into_iter().map(Detail::Own));
        }
        if wanted("AWSManagedPolicy") {
            details.extend(managed::all().map(Detail::Aws));
        }
        let page = Page::of(call, details, Detail::key)?;
        let groups: Vec<&Entity> = everybody
            .iter()
            .filter(|one| one.kind == EntityKind::Group)
            .collect();
        let of = |kind| {
            let some = page.items.iter().filter_map(|detail| match detail {
                Detail::Entity(one) if one.kind == kind => Some(one),
                _ => None,
            });
            let list_name = format!("{}DetailList", title(kind));
            list(&list_name, some.map(|one| entity(one, &groups)))
        };
        let policies = page.items.iter().filter_map(|detail| match detail {
            Detail::Entity(_) => None,
            Detail::Own(policy) => {
                let arn = policy.arn();
                let uses = uses.get(&(arn.as_str(), policy.id.as_str()));
                let shown = xml::policy(policy, uses.copied().unwrap_or_default());
                Some(shown + &own_versions(policy))
            }
            Detail::Aws(policy) => {
                let uses = uses.get(&(policy.arn.as_str(), ""));
                let shown = xml::aws_policy(policy, uses.copied().unwrap_or_default());
                Some(shown + &aws_version(policy))
            }
        });
        Ok(of(EntityKind::User)
            + &of(EntityKind::Group)
            + &of(EntityKind::Role)
            + &list("Policies", policies)
            + &page.end())
    }
}

impl Detail {
    fn key(&self) -> String {
        let (kind, name) = match self {
            Self::Entity(one) => (one.kind.word(), &one.name),
            Self::Own(policy) => ("policy", &policy.name),
            Self::Aws(policy) => ("aws-policy", &policy.name),
        };
        format!("{kind} {}", name.to_ascii_lowercase())
    }
}

/// The members of a `UserDetail`, `GroupDetail` or `RoleDetail`.
fn entity(one: &Entity, groups: &[&Entity]) -> String {
    let policies = one.inline.iter().map(|(name, text)| inline(name, text));
    let policies = list(&format!("{}PolicyList", title(one.kind)), policies);
    let managed = list(
        "AttachedManagedPolicies",
        one.attached.keys().map(|arn| attached(arn)),
    );
    let shown = match one.kind {
        EntityKind::User => {
            let names = groups
                .iter()
                .filter(|group| one.groups.contains(&group.id))
                .map(|group| member("member", &group.name));
            xml::whole(one) + &group("GroupList", &names.collect::<String>())
        }
        // Members that these do not have are left out.
        EntityKind::Role => role(one) + &group("InstanceProfileList", ""),
        EntityKind::Group => xml::brief(one),
    };
    shown + &policies + &managed
}

/// A role without what only `Role` has.
fn role(one: &Entity) -> String {
    let whole = xml::whole(&Entity {
        description: String::new(),
        ..one.clone()
    });
    let seconds = member("MaxSessionDuration", &one.session_seconds_max.to_string());
    whole.replacen(&seconds, "", 1)
}

fn own_versions(policy: &ManagedPolicy) -> String {
    let versions = policy.versions.iter().map(|(number, one)| {
        document("Document", &one.document) + &version(*number, one, *number == policy.default)
    });
    list("PolicyVersionList", versions)
}

fn aws_version(policy: &AwsPolicy) -> String {
    let one = document("Document", &policy.document)
        + &member("VersionId", &version_id(policy.version))
        + &member("IsDefaultVersion", "true")
        + &member("CreateDate", &policy.updated);
    list("PolicyVersionList", std::iter::once(one))
}
