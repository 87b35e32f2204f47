//! Log groups and how long they keep what they have.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Response;
use policy::Context;
use records::log_groups::{LogGroup, log_group_key, log_groups_prefix};
use serde::{Deserialize, Serialize};
use storage::{Expect, Revision};
use types::{Scope, Timestamp};
use wire::json_rpc::{JsonError, answer, nothing};

use super::constraints::Check;
use super::tokens;
use super::{Ask, CloudWatch, Error};
use authn::authorisation::request_tags;
use tables::Failure;
use tables::{TRIES_MAX, decode};

/// Kinds of groups (the public model). All are kept alike.
const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
/// Retentions there are, days (AWS).
const DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
/// Groups of one page.
const PAGE: usize = 50;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Create {
    log_group_name: Option<String>,
    kms_key_id: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Named {
    pub(super) log_group_name: Option<String>,
    retention_in_days: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Describe {
    account_identifiers: Option<Vec<String>>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_groups: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    log_group_name: String,
    creation_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_in_days: Option<u32>,
    metric_filter_count: u32,
    arn: String,
    log_group_arn: String,
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    log_group_class: String,
    deletion_protection_enabled: bool,
}

/// The refusal that says there is no such group.
pub(super) fn no_group() -> JsonError {
    JsonError::refused(
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

/// The refusal of something that breaks a rule beyond the model.
pub(super) fn invalid(message: impl Into<String>) -> JsonError {
    JsonError::refused("InvalidParameterException", message)
}

/// ARN of a group.
pub(super) fn group_arn(scope: &Scope, name: &str) -> String {
    let Scope { account, region } = scope;
    format!("arn:aws:logs:{region}:{account}:log-group:{name}")
}

impl CloudWatch {
    pub(super) async fn create_group(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Create = ask.members()?;
        let mut check = Check::default();
        check
            .required("logGroupName", wanted.log_group_name.as_ref())
            .group("logGroupName", wanted.log_group_name.as_ref())
            .length("kmsKeyId", wanted.kms_key_id.as_ref(), (0, 256))
            .tags(wanted.tags.as_ref())
            .one_of("logGroupClass", wanted.log_group_class.as_ref(), &CLASSES);
        check.finish()?;
        let name = wanted.log_group_name.unwrap_or_default();
        let asked = wanted.tags.as_ref().map(request_tags).unwrap_or_default();
        ask.may_with(&format!("{}:*", group_arn(&ask.scope, &name)), asked)?;
        let group = LogGroup {
            scope: ask.scope.clone(),
            created: self.clock.now(),
            retention_days: None,
            class: wanted
                .log_group_class
                .unwrap_or_else(|| CLASSES[0].to_owned()),
            kms_key: wanted.kms_key_id,
            protected: wanted.deletion_protection_enabled.unwrap_or_default(),
            tags: wanted.tags.unwrap_or_default(),
            name: name.clone(),
        };
        let key = log_group_key(&ask.scope, &name);
        let there = self.find(&ask.scope, &name).await?.is_some();
        if there || self.rows.put(&key, &group, Expect::Absent).await?.is_none() {
            return Err(JsonError::refused(
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
            )
            .into());
        }
        Ok(nothing())
    }

    pub(super) async fn delete_group(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let name = self.named_group(ask).await?;
        let group = self.group(&ask.scope, &name).await?;
        if group.protected {
            return Err(JsonError::refused(
                "ValidationException",
                "The log group cannot be deleted because deletion protection is enabled.",
            )
            .into());
        }
        // The files first: a group whose row is gone and whose files are there would come back.
        self.store
            .delete_group(ask.scope.clone(), name.clone())
            .await?;
        let key = log_group_key(&ask.scope, &name);
        self.rows.delete(&key, Expect::Any).await?;
        Ok(nothing())
    }

    pub(super) async fn describe_groups(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Describe = ask.members()?;
        let limit = wanted.check()?;
        ask.may(&format!("{}:*", group_arn(&ask.scope, "*")))?;
        let after = wanted.next_token.as_deref().map(tokens::name).transpose()?;
        let mut groups = self.groups(&ask.scope).await?;
        groups.retain(|group| {
            wanted.wants(group) && after.as_ref().is_none_or(|after| group.name > *after)
        });
        let more = groups.len() > limit;
        groups.truncate(limit);
        let next_token = groups.last().filter(|_| more);
        let next_token = next_token.map(|group| tokens::of_name(&group.name));
        let log_groups = self.shown(groups).await?;
        Ok(answer(&Described {
            log_groups,
            next_token,
        }))
    }

    pub(super) async fn put_retention(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Named = ask.members()?;
        let mut check = Check::default();
        check
            .required("logGroupName", wanted.log_group_name.as_ref())
            .group("logGroupName", wanted.log_group_name.as_ref())
            .required("retentionInDays", wanted.retention_in_days.as_ref());
        let days = wanted.retention_in_days.map(|days| days.to_string());
        let known: Vec<String> = DAYS.iter().map(u32::to_string).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        check.one_of("retentionInDays", days.as_ref(), &known);
        check.finish()?;
        let name = wanted.log_group_name.unwrap_or_default();
        self.may_to_all(ask, &name).await?;
        let days = wanted
            .retention_in_days
            .and_then(|days| days.try_into().ok());
        self.change(&ask.scope, &name, |group| {
            group.retention_days = days;
            Ok(())
        })
        .await?;
        self.changed.notify_one();
        Ok(nothing())
    }

    pub(super) async fn delete_retention(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let name = self.named_group(ask).await?;
        self.change(&ask.scope, &name, |group| {
            group.retention_days = None;
            Ok(())
        })
        .await?;
        Ok(nothing())
    }

    /// Refuses if the caller may not do this to the group and all that is in it.
    async fn may_to_all(&self, ask: &Ask<'_>, name: &str) -> Result<(), Error> {
        let arn = format!("{}:*", group_arn(&ask.scope, name));
        self.may(ask, name, &arn, Context::new()).await
    }

    /// The group that a request names, which the caller may do this to.
    pub(super) async fn named_group(&self, ask: &Ask<'_>) -> Result<String, Error> {
        let named: Named = ask.members()?;
        let mut check = Check::default();
        check
            .required("logGroupName", named.log_group_name.as_ref())
            .group("logGroupName", named.log_group_name.as_ref());
        check.finish()?;
        let name = named.log_group_name.unwrap_or_default();
        self.may_to_all(ask, &name).await?;
        Ok(name)
    }

    /// The group that a request names by name or by identifier.
    pub(super) async fn identified_group(
        &self,
        ask: &Ask<'_>,
        name: Option<String>,
        identifier: Option<String>,
    ) -> Result<String, Error> {
        let name = match (name, identifier) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "LogGroup name and LogGroup identifier are mutually exclusive parameters.",
                )
                .into());
            }
            (Some(name), None) => name,
            (None, Some(identifier)) => name_of(&ask.scope, &identifier)?,
            (None, None) => {
                let mut check = Check::default();
                check.required::<String>("logGroupName", None);
                check.finish()?;
                String::new()
            }
        };
        self.may_to_all(ask, &name).await?;
        Ok(name)
    }

    /// A group, which must be there.
    pub(super) async fn group(&self, scope: &Scope, name: &str) -> Result<LogGroup, Error> {
        let found = self.find(scope, name).await?;
        Ok(found.map(|(group, _)| group).ok_or_else(no_group)?)
    }

    /// Changes a group by compare-and-set.
    pub(super) async fn change(
        &self,
        scope: &Scope,
        name: &str,
        change: impl Fn(&mut LogGroup) -> Result<(), JsonError>,
    ) -> Result<LogGroup, Error> {
        let key = log_group_key(scope, name);
        for _ in 0..TRIES_MAX {
            let (mut group, revision) = self.find(scope, name).await?.ok_or_else(no_group)?;
            change(&mut group)?;
            let expect = Expect::Revision(revision);
            if self.rows.put(&key, &group, expect).await?.is_some() {
                return Ok(group);
            }
        }
        Err(Failure::Contended { key }.into())
    }

    /// From when on a group's events are shown.
    pub(super) fn kept_since(&self, group: &LogGroup) -> Timestamp {
        kept_since(
            self.clock.now(),
            group.retention_days.or(self.retention_days),
        )
    }

    /// A group and its row's revision. One that has only files gets its row now.
    async fn find(&self, scope: &Scope, name: &str) -> Result<Option<(LogGroup, Revision)>, Error> {
        let key = log_group_key(scope, name);
        if let Some(found) = self.rows.get(&key).await? {
            return Ok(Some(found));
        }
        let (scope_, name_) = (scope.clone(), name.to_owned());
        let made = self.read(move |reader| reader.group_made(&scope_, &name_));
        let Some(created) = made.await? else {
            return Ok(None);
        };
        let group = LogGroup {
            scope: scope.clone(),
            name: name.to_owned(),
            created,
            retention_days: None,
            class: CLASSES[0].to_owned(),
            kms_key: None,
            protected: false,
            tags: BTreeMap::new(),
        };
        // Whoever else does the same at this moment writes the same.
        self.rows.put(&key, &group, Expect::Absent).await?;
        Ok(self.rows.get(&key).await?)
    }

    /// All groups of a scope by name.
    async fn groups(&self, scope: &Scope) -> Result<Vec<LogGroup>, Error> {
        let rows = self.rows.all(&log_groups_prefix(scope)).await?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            groups.push(decode::<LogGroup>(row)?);
        }
        let known: BTreeSet<String> = groups.iter().map(|group| group.name.clone()).collect();
        let of = scope.clone();
        for name in self.read(move |reader| reader.groups(&of)).await? {
            if !known.contains(&name)
                && let Some((group, _)) = self.find(scope, &name).await?
            {
                groups.push(group);
            }
        }
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    async fn shown(&self, groups: Vec<LogGroup>) -> Result<Vec<Shown>, Error> {
        self.read(move |reader| {
            let shown = groups.into_iter().map(|group| {
                let arn = group_arn(&group.scope, &group.name);
                Ok(Shown {
                    stored_bytes: reader.group_bytes(&group.scope, &group.name)?,
                    creation_time: group.created.as_millis(),
                    retention_in_days: group.retention_days,
                    metric_filter_count: 0,
                    arn: format!("{arn}:*"),
                    log_group_arn: arn,
                    kms_key_id: group.kms_key,
                    log_group_class: group.class,
                    deletion_protection_enabled: group.protected,
                    log_group_name: group.name,
                })
            });
            shown.collect()
        })
        .await
    }
}

impl Describe {
    /// Checks the request; gives how many groups are wanted.
    fn check(&self) -> Result<usize, JsonError> {
        let mut check = Check::default();
        check
            .group("logGroupNamePrefix", self.log_group_name_prefix.as_ref())
            .group_part("logGroupNamePattern", self.log_group_name_pattern.as_ref())
            .token(self.next_token.as_ref())
            .range("limit", self.limit, (1, Some(PAGE as i64)))
            .one_of("logGroupClass", self.log_group_class.as_ref(), &CLASSES)
            .count(
                "accountIdentifiers",
                self.account_identifiers.as_deref(),
                (0, 20),
            )
            .count(
                "logGroupIdentifiers",
                self.log_group_identifiers.as_deref(),
                (1, 50),
            );
        for account in self.account_identifiers.iter().flatten() {
            check.account("accountIdentifiers", account);
        }
        for identifier in self.log_group_identifiers.iter().flatten() {
            check.identifier("logGroupIdentifiers", Some(identifier));
        }
        check.finish()?;
        if self.log_group_name_prefix.is_some() && self.log_group_name_pattern.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        Ok(self
            .limit
            .and_then(|limit| limit.try_into().ok())
            .unwrap_or(PAGE))
    }

    fn wants(&self, group: &LogGroup) -> bool {
        let prefix = self.log_group_name_prefix.as_deref().unwrap_or_default();
        let pattern = self.log_group_name_pattern.as_deref().unwrap_or_default();
        // A pattern without capitals finds them, too.
        let pattern_is_in = match pattern.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => group.name.contains(pattern),
            false => group.name.to_ascii_lowercase().contains(pattern),
        };
        let arn = group_arn(&group.scope, &group.name);
        let named = |list: &Vec<String>| list.iter().any(|id| *id == group.name || *id == arn);
        let account = |list: &Vec<String>| {
            list.is_empty() || list.iter().any(|id| id == group.scope.account.as_str())
        };
        group.name.starts_with(prefix)
            && pattern_is_in
            && self
                .log_group_class
                .as_ref()
                .is_none_or(|class| *class == group.class)
            && self.log_group_identifiers.as_ref().is_none_or(named)
            && self.account_identifiers.as_ref().is_none_or(account)
    }
}

/// From when on events are kept for so many days.
pub(super) fn kept_since(now: Timestamp, days: Option<u32>) -> Timestamp {
    let Some(days) = days.filter(|days| *days > 0) else {
        return Timestamp::default();
    };
    let millis = u64::from(days) * 24 * 60 * 60 * 1000;
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}

/// The group that a name or an ARN means.
pub(super) fn name_of(scope: &Scope, identifier: &str) -> Result<String, JsonError> {
    let Some(rest) = identifier.strip_prefix("arn:") else {
        return Ok(identifier.to_owned());
    };
    let parts: Vec<&str> = rest.splitn(6, ':').collect();
    match parts.as_slice() {
        [_, "logs", region, account, "log-group", name]
            if *region == scope.region.as_str() && *account == scope.account.as_str() =>
        {
            let name = name.strip_suffix(":*").unwrap_or(name);
            Ok(name.to_owned())
        }
        [_, "logs", _, _, "log-group", _] => Err(no_group()),
        _ => Err(invalid(format!(
            "Invalid log group identifier: {identifier}"
        ))),
    }
}
