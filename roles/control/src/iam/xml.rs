//! The shapes of IAM's answers.

use api::iam::{Entity, EntityKind, UserKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use wire::query::escaped;

/// One member.
pub(super) fn member(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// A member with members.
pub(super) fn group(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

/// A whole list: lists of an account are answered in one page.
pub(super) fn list(name: &str, items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| group("member", &item)).collect();
    group(name, &items) + &member("IsTruncated", "false")
}

/// A document, as IAM answers it.
pub(super) fn document(name: &str, text: &str) -> String {
    member(
        name,
        &utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
    )
}

/// The members of `User` and `Role`.
pub(super) fn entity(entity: &Entity) -> String {
    let (name, id) = match entity.kind {
        EntityKind::User => ("UserName", "UserId"),
        EntityKind::Role => ("RoleName", "RoleId"),
    };
    let mut text = member("Path", &entity.path)
        + &member(name, &entity.name)
        + &member(id, &entity.id)
        + &member("Arn", &entity.arn())
        + &member("CreateDate", &entity.created.to_iso_text());
    if entity.kind == EntityKind::Role {
        text += &document("AssumeRolePolicyDocument", &entity.trust);
        text += &member("Description", &entity.description);
        text += &member(
            "MaxSessionDuration",
            &entity.session_seconds_max.to_string(),
        );
    }
    if !entity.tags.is_empty() {
        text += &tags(entity);
    }
    text
}

/// `Tags`.
pub(super) fn tags(entity: &Entity) -> String {
    let tags = entity
        .tags
        .iter()
        .map(|(key, value)| group("member", &(member("Key", key) + &member("Value", value))));
    group("Tags", &tags.collect::<String>())
}

/// The members of an access key, without its secret.
pub(super) fn key(user: &str, key: &UserKey) -> String {
    let status = if key.active { "Active" } else { "Inactive" };
    member("UserName", user)
        + &member("AccessKeyId", &key.id)
        + &member("Status", status)
        + &member("CreateDate", &key.created.to_iso_text())
}
