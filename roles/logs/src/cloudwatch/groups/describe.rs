//! DescribeLogGroups: which groups there are.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Response;
use records::log_groups::{LogGroup, log_groups_prefix};
use serde::{Deserialize, Serialize};
use tables::decode;
use types::Scope;
use wire::json_rpc::{JsonError, answer};

use super::super::constraints::Check;
use super::super::{Ask, CloudWatch, Error, tokens};
use super::{CLASSES, group_arn, invalid};

/// Groups of one page.
const PAGE: usize = 50;

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

impl CloudWatch {
    pub(in crate::cloudwatch) async fn describe_groups(
        &self,
        ask: &Ask<'_>,
    ) -> Result<Response<Bytes>, Error> {
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

    /// All groups of a scope by name.
    async fn groups(&self, scope: &Scope) -> Result<Vec<LogGroup>, Error> {
        let rows = self.rows.all(&log_groups_prefix(scope)).await?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            groups.push(decode::<LogGroup>(row)?);
        }
        let known: BTreeSet<String> = groups.iter().map(|group| group.name.clone()).collect();
        for name in self.store.groups(scope).await? {
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
        let mut shown = Vec::with_capacity(groups.len());
        for group in groups {
            let arn = group_arn(&group.scope, &group.name);
            shown.push(Shown {
                stored_bytes: self.store.group_bytes(&group.scope, &group.name).await?,
                creation_time: group.created.as_millis(),
                retention_in_days: group.retention_days,
                metric_filter_count: 0,
                arn: format!("{arn}:*"),
                log_group_arn: arn,
                kms_key_id: group.kms_key,
                log_group_class: group.class,
                deletion_protection_enabled: group.protected,
                log_group_name: group.name,
            });
        }
        Ok(shown)
    }
}

impl Describe {
    /// Checks the request; returns how many groups are wanted.
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
