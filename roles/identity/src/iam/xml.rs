//! The shapes of IAM's answers.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use records::iam::{Entity, EntityKind, ManagedPolicy, PolicyVersion, UserKey};
pub(super) use wire::query::{group, member};

use super::managed::AwsPolicy;
use super::paging::list;
use super::title;

/// A document, as IAM returns it.
pub(super) fn document(name: &str, text: &str) -> String {
    member(
        name,
        &utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
    )
}

/// The members of `User`, `Group` and `Role`, as lists have them.
pub(super) fn brief(entity: &Entity) -> String {
    let title = title(entity.kind);
    let mut text = member("Path", &entity.path)
        + &member(&format!("{title}Name"), &entity.name)
        + &member(&format!("{title}Id"), &entity.id)
        + &member("Arn", &entity.arn())
        + &member("CreateDate", &entity.created.to_iso_seconds_text());
    if entity.kind == EntityKind::Role {
        text += &document("AssumeRolePolicyDocument", &entity.trust);
        if !entity.description.is_empty() {
            text += &member("Description", &entity.description);
        }
        let seconds = entity.session_seconds_max.to_string();
        text += &member("MaxSessionDuration", &seconds);
    }
    text
}

/// All members of `User`, `Group` and `Role`.
pub(super) fn whole(entity: &Entity) -> String {
    let mut text = brief(entity);
    if let Some(boundary) = &entity.boundary {
        let inside = member("PermissionsBoundaryType", "Policy")
            + &member("PermissionsBoundaryArn", &boundary.arn);
        text += &group("PermissionsBoundary", &inside);
    }
    if !entity.tags.is_empty() {
        text += &tags(&entity.tags);
    }
    text
}

/// `Tags`.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> String {
    list("Tags", tags.iter().map(tag))
}

/// One tag.
pub(super) fn tag((key, value): (&String, &String)) -> String {
    member("Key", key) + &member("Value", value)
}

/// The members of an access key, without its secret.
pub(super) fn key(user: &str, key: &UserKey) -> String {
    let status = if key.active { "Active" } else { "Inactive" };
    member("UserName", user)
        + &member("AccessKeyId", &key.id)
        + &member("Status", status)
        + &member("CreateDate", &key.created.to_iso_seconds_text())
}

/// How often a managed policy is used.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Uses {
    /// As permissions.
    pub(super) attached: usize,
    /// As a permissions boundary.
    pub(super) boundary: usize,
}

/// The members of a `Policy` as lists have them.
pub(super) fn policy(policy: &ManagedPolicy, uses: Uses) -> String {
    member("PolicyName", &policy.name)
        + &member("PolicyId", &policy.id)
        + &member("Arn", &policy.arn())
        + &member("Path", &policy.path)
        + &member("DefaultVersionId", &version_id(policy.default))
        + &counts(uses)
        + &member("CreateDate", &policy.created.to_iso_seconds_text())
        + &member("UpdateDate", &policy.updated.to_iso_seconds_text())
}

/// The same of one of AWS's.
pub(super) fn aws_policy(policy: &AwsPolicy, uses: Uses) -> String {
    member("PolicyName", &policy.name)
        + &member("PolicyId", &policy.id())
        + &member("Arn", &policy.arn)
        + &member("Path", &policy.path)
        + &member("DefaultVersionId", &version_id(policy.version))
        + &counts(uses)
        + &member("CreateDate", &policy.created)
        + &member("UpdateDate", &policy.updated)
}

fn counts(uses: Uses) -> String {
    member("AttachmentCount", &uses.attached.to_string())
        + &member("PermissionsBoundaryUsageCount", &uses.boundary.to_string())
        + &member("IsAttachable", "true")
}

/// The members of a `PolicyVersion` as lists have them.
pub(super) fn version(number: u32, version: &PolicyVersion, default: bool) -> String {
    member("VersionId", &version_id(number))
        + &member("IsDefaultVersion", if default { "true" } else { "false" })
        + &member("CreateDate", &version.created.to_iso_seconds_text())
}

/// As callers name versions.
pub(super) fn version_id(number: u32) -> String {
    format!("v{number}")
}
