//! What names, documents and tags must be, beyond the model's constraints.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use policy::{Form, Policy};
use records::iam::{Entity, EntityKind};
use types::ForCallers as _;
use wire::query::{Query, QueryError};

use super::call::Call;
use super::{error, invalid_input, limit, title};

/// Characters of a managed policy, without white space (AWS).
pub(super) const MANAGED_CHARACTERS_MAX: usize = 6_144;
/// Characters of a role's trust policy, without white space (AWS's default).
const TRUST_CHARACTERS_MAX: usize = 2_048;
/// Tags of one resource (AWS).
pub(super) const TAGS_MAX: usize = 50;
/// Bytes of documents for each character that counts: white space does not count, but is stored.
pub(super) const BYTES_PER_CHARACTER_MAX: usize = 4;

/// Names that AWS refuses in words of their own.
const NAMES: [&str; 7] = [
    "UserName",
    "RoleName",
    "GroupName",
    "PolicyName",
    "NewUserName",
    "NewGroupName",
    "InstanceProfileName",
];

/// Refuses names with invalid characters.
pub(super) fn check_names(query: &Query) -> Result<(), QueryError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    for (name, value) in &query.parameters {
        if NAMES.contains(&name.as_str()) && !value.bytes().all(plain) {
            let at = name[..1].to_ascii_lowercase() + &name[1..];
            return Err(QueryError::validation(format!(
                "The specified value for {at} is invalid. It must contain only alphanumeric \
                 characters and/or the following: +=,.@_-"
            )));
        }
    }
    Ok(())
}

/// Characters that count: all but white space.
pub(super) fn size(document: &str) -> usize {
    let counts = |character: &char| !character.is_whitespace();
    document.chars().filter(counts).count()
}

/// A document that can be parsed.
pub(super) fn document(call: &Call<'_>, name: &str, form: Form) -> Result<String, QueryError> {
    let text = call.required(name)?;
    Policy::parse(text, form).map_err(|malformed| {
        let message = malformed.told();
        error(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", message)
    })?;
    Ok(text.to_owned())
}

/// A trust policy: who may assume a role.
pub(super) fn trust(call: &Call<'_>, name: &str) -> Result<String, QueryError> {
    let text = document(call, name, Form::Trust)?;
    if size(&text) > TRUST_CHARACTERS_MAX
        || text.len() > TRUST_CHARACTERS_MAX * BYTES_PER_CHARACTER_MAX
    {
        let message = format!("Cannot exceed quota for ACLSizePerRole: {TRUST_CHARACTERS_MAX}");
        return Err(limit(message));
    }
    Ok(text)
}

/// The document of a managed policy.
pub(super) fn managed(call: &Call<'_>) -> Result<String, QueryError> {
    let text = document(call, "PolicyDocument", Form::Identity)?;
    if size(&text) > MANAGED_CHARACTERS_MAX
        || text.len() > MANAGED_CHARACTERS_MAX * BYTES_PER_CHARACTER_MAX
    {
        return Err(too_large());
    }
    Ok(text)
}

pub(super) fn too_large() -> QueryError {
    let message = format!("Cannot exceed quota for PolicySize: {MANAGED_CHARACTERS_MAX}");
    limit(message)
}

/// Refuses more bytes of inline policies than an entity may have.
pub(super) fn check_inline(entity: &Entity) -> Result<(), QueryError> {
    // AWS's quotas.
    let max = match entity.kind {
        EntityKind::User => 2_048,
        EntityKind::Group => 5_120,
        EntityKind::Role => 10_240,
    };
    let documents = || entity.inline.values();
    let bytes: usize = documents().map(String::len).sum();
    if documents().map(|text| size(text)).sum::<usize>() > max
        || bytes > max * BYTES_PER_CHARACTER_MAX
    {
        let (word, name) = (entity.kind.word(), &entity.name);
        let message = format!("Maximum policy size of {max} bytes exceeded for {word} {name}");
        return Err(limit(message));
    }
    Ok(())
}

/// The tags that a request gives. Keys are case-insensitive.
pub(super) fn given_tags(call: &Call<'_>) -> Result<BTreeMap<String, String>, QueryError> {
    let given = call.tags();
    let alike: BTreeSet<String> = given.iter().map(|(key, _)| key.to_lowercase()).collect();
    if alike.len() < given.len() {
        let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
        return Err(invalid_input(message));
    }
    if alike.iter().any(|key| key.starts_with("aws:")) {
        let message = "Tag keys that begin with aws: are reserved for system use.";
        return Err(invalid_input(message));
    }
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Ok(given.into_iter().map(own).collect())
}

/// Adds tags; a key that differs in case only is replaced.
pub(super) fn add_tags(
    tags: &mut BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    of: &str,
) -> Result<(), QueryError> {
    for (key, value) in new {
        remove_tags(tags, &[key]);
        tags.insert(key.clone(), value.clone());
    }
    match tags.len() > TAGS_MAX {
        true => Err(limit(format!(
            "Cannot exceed quota for TagsPer{of}: {TAGS_MAX}"
        ))),
        false => Ok(()),
    }
}

/// Removes tags.
pub(super) fn remove_tags(tags: &mut BTreeMap<String, String>, keys: &[&str]) {
    let gone: BTreeSet<String> = keys.iter().map(|key| key.to_lowercase()).collect();
    tags.retain(|key, _| !gone.contains(&key.to_lowercase()));
}

/// Refuses one more managed policy than an entity may have (AWS's default: ten).
pub(super) fn check_attached(entity: &Entity) -> Result<(), QueryError> {
    const MAX: usize = 10;
    match entity.attached.len() > MAX {
        true => Err(limit(format!(
            "Cannot exceed quota for PoliciesPer{}: {MAX}",
            title(entity.kind)
        ))),
        false => Ok(()),
    }
}
