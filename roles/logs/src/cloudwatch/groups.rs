//! Log groups and their retention.

mod describe;

use std::collections::BTreeMap;

use authn::authorisation::request_tags;
use bytes::Bytes;
use http::Response;
use policy::Context;
use records::log_groups::{LogGroup, log_group_key};
use serde::Deserialize;
use storage::{Expect, Revision};
use tables::{Failure, TRIES_MAX};
use types::{Scope, Timestamp};
use wire::json_rpc::{JsonError, nothing};

use super::constraints::Check;
use super::{Ask, CloudWatch, Error};

/// Kinds of groups (the public model). All are stored alike.
const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
/// Retentions there are, days (AWS).
const DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
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

/// The refusal for a missing group.
pub(super) fn no_group() -> JsonError {
    JsonError::refused(
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

/// The refusal of something that violates a rule beyond the model.
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
        // The events first: a group whose row was deleted and whose events exist would come back.
        self.store
            .delete_group(ask.scope.clone(), name.clone(), self.clock.now())
            .await?;
        let key = log_group_key(&ask.scope, &name);
        self.rows.delete(&key, Expect::Any).await?;
        Ok(nothing())
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

    /// A group, which must exist.
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

    /// The time from which a group's events are shown.
    pub(super) fn kept_since(&self, group: &LogGroup) -> Timestamp {
        kept_since(
            self.clock.now(),
            group.retention_days.or(self.retention_days),
        )
    }

    /// A group and its row's revision. One that has only events gets its row now.
    pub(super) async fn find(
        &self,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<(LogGroup, Revision)>, Error> {
        let key = log_group_key(scope, name);
        if let Some(found) = self.rows.get(&key).await? {
            return Ok(Some(found));
        }
        let Some(created) = self.store.group_made(scope, name).await? else {
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
        // A concurrent request for the same group writes the same.
        self.rows.put(&key, &group, Expect::Absent).await?;
        Ok(self.rows.get(&key).await?)
    }
}

/// The time from which events are kept for `days` days.
pub(super) fn kept_since(now: Timestamp, days: Option<u32>) -> Timestamp {
    let Some(days) = days.filter(|days| *days > 0) else {
        return Timestamp::default();
    };
    let millis = u64::from(days) * 24 * 60 * 60 * 1000;
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}

/// The group that a name or an ARN identifies.
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
