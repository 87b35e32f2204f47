//! Provisioned concurrency of aliases and versions: the requested configuration. Its allocation is
//! [`crate::provisioning`]'s.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{Configuration, Function, PROVISIONED, SnapStart, State, attached_key};
use records::provisioned::{Provisioned, Status};
use serde::{Deserialize, Serialize};
use storage::Expect;
use tables::{TRIES_MAX, decode};
use types::limits::UNRESERVED_CONCURRENCY_MIN;
use types::{FunctionArn, Qualifier, Version};
use wire::ApiError;
use wire::error::Fault;
use wire::function_name::Naming;

use crate::answer::{empty, json};
use crate::attached::alias_missing;
use crate::body::parse_now;
use crate::call::Call;
use crate::concurrency::{Change, Claimed};
use crate::failure::Failure;
use crate::function_rows::not_found;
use crate::page::Page;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    provisioned_concurrent_executions: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_arn: Option<String>,
    requested_provisioned_concurrent_executions: u32,
    available_provisioned_concurrent_executions: u32,
    allocated_provisioned_concurrent_executions: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<String>,
    last_modified: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    provisioned_concurrency_configs: Vec<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Control {
    pub(crate) async fn put_provisioned(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = published(call.function(Naming::Plain)?)?;
        let body: Body = parse_now(call.body)?;
        let requested = body.provisioned_concurrent_executions;
        let function = self.attachable(&arn).await.map_err(alias_missing(&arn))?;
        self.check_provisionable(&function, &arn).await?;
        let claimed = self.claim(&arn, Change::Provision(requested)).await?;
        let written = self.request_provisioned(&arn, requested, &claimed).await;
        self.end_claim(claimed).await;
        let row = written?;
        self.provision();
        Ok(json(StatusCode::ACCEPTED, &Answer::new(None, row)))
    }

    pub(crate) async fn get_provisioned(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named(call)?;
        self.attachable(&arn).await.map_err(alias_missing(&arn))?;
        let found = self.rows.get(&attached_key(PROVISIONED, &arn)).await?;
        let (row, _) = found.ok_or_else(|| {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "ProvisionedConcurrencyConfigNotFoundException",
                Fault::User,
                "No Provisioned Concurrency Config found for this function",
            )
        })?;
        Ok(json(StatusCode::OK, &Answer::new(None, row)))
    }

    /// Deleting a configuration that does not exist is no error.
    pub(crate) async fn delete_provisioned(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named(call)?;
        self.attachable(&arn).await.map_err(alias_missing(&arn))?;
        let key = attached_key(PROVISIONED, &arn);
        self.rows.delete(&key, Expect::Any).await?;
        self.provision();
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn list_provisioned(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Plain)?;
        let page = Page::parse(call.query)?;
        self.functions.existing(&arn).await?;
        let prefix = records::functions::attached_prefix(PROVISIONED, &arn.scope, &arn.name);
        let (rows, next_marker) = page.of_rows(self.rows.all(&prefix).await?, &prefix);
        let mut provisioned_concurrency_configs = Vec::new();
        for row in &rows {
            // Keys are built from qualifiers, so one without a valid qualifier was not written by us.
            let Ok(qualifier) = Qualifier::parse(&row.key[prefix.len()..]) else {
                continue;
            };
            let arn = arn.qualified(qualifier).to_string();
            provisioned_concurrency_configs.push(Answer::new(Some(arn), decode(row)?));
        }
        let answer = List {
            provisioned_concurrency_configs,
            next_marker,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// Whether an alias may become `alias`: with provisioned concurrency it can point only at a
    /// published version that has none of its own.
    pub(crate) async fn check_provisioned_alias(
        &self,
        arn: &FunctionArn,
        alias: &records::functions::Alias,
    ) -> Result<(), Failure> {
        let arn = arn.qualified(Qualifier::Alias(alias.name.clone()));
        let key = attached_key(PROVISIONED, &arn);
        if self.rows.get::<Provisioned>(&key).await?.is_none() {
            return Ok(());
        }
        let versions = std::iter::once(alias.version).chain(alias.additional.map(|(v, _)| v));
        for version in versions {
            published(arn.qualified(Qualifier::Version(version)))?;
            self.check_provisioned_once(&arn, version).await?;
        }
        Ok(())
    }

    /// Writes the requested configuration, if there is room for it. Nobody else changes the function's
    /// concurrency meanwhile.
    async fn request_provisioned(
        &self,
        arn: &FunctionArn,
        requested: u32,
        claimed: &Claimed,
    ) -> Result<Provisioned, Failure> {
        let (function, _) = self.functions.existing(arn).await?;
        let total = self.provisioned_with(arn, requested).await?;
        if let Some(reserved) = function.reserved_concurrency {
            if total > u64::from(reserved) {
                return Err(ApiError::invalid_parameter(
                    "Requested Provisioned Concurrency should not be greater than the \
                     reservedConcurrentExecution for function",
                )
                .into());
            }
        } else {
            self.check_account(requested, claimed).await?;
        }
        let key = attached_key(PROVISIONED, arn);
        for _ in 0..TRIES_MAX {
            let (allocations, expect) = match self.rows.get::<Provisioned>(&key).await? {
                Some((before, revision)) => (before.allocations, Expect::Revision(revision)),
                None => (Vec::new(), Expect::Absent),
            };
            let row = Provisioned {
                requested,
                last_modified: self.clock.now(),
                status: Status::InProgress,
                allocations,
            };
            if self.attach(PROVISIONED, arn, &row, expect).await? {
                return Ok(row);
            }
        }
        Err(Failure::contended(key))
    }

    async fn check_account(&self, requested: u32, claimed: &Claimed) -> Result<(), Failure> {
        let limit = self.config.account_concurrency;
        if requested > limit {
            return Err(ApiError::invalid_parameter(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved \
                 concurrency [{limit}]."
            ))
            .into());
        }
        if !self.has_room(claimed).await? {
            return Err(ApiError::invalid_parameter(format!(
                "Specified ConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of \
                 [{UNRESERVED_CONCURRENCY_MIN}]."
            ))
            .into());
        }
        Ok(())
    }

    /// The alias or version must exist, and be one that environments can be created for.
    async fn check_provisionable(
        &self,
        function: &Function,
        arn: &FunctionArn,
    ) -> Result<(), Failure> {
        let version = self.version_of(function, arn).await?;
        if let Some(Qualifier::Alias(name)) = &arn.qualifier {
            let found = self.functions.alias(&arn.scope, &arn.name, name).await?;
            let (alias, _) = found.ok_or_else(|| not_found(arn))?;
            if alias.additional.is_some() {
                return Err(ApiError::invalid_parameter(
                    "Alias with weights can not be used with Provisioned Concurrency",
                )
                .into());
            }
        }
        published(arn.qualified(Qualifier::Version(version.version)))?;
        check_version(&version)?;
        self.check_provisioned_once(arn, version.version).await
    }

    /// A version gets provisioned concurrency by itself or through one alias, not from two of these.
    async fn check_provisioned_once(
        &self,
        arn: &FunctionArn,
        version: Version,
    ) -> Result<(), Failure> {
        let mine = arn.qualifier.as_ref().map(Qualifier::to_string);
        let mut rows = self.provisioned_of(arn).await?;
        rows.retain(|qualifier, _| Some(qualifier) != mine.as_ref());
        if rows.contains_key(&version.to_string()) {
            return Err(ApiError::conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already \
                 Provisioned version",
            )
            .into());
        }
        let aliases = self.functions.aliases(&arn.scope, &arn.name).await?;
        let points_there = |alias: &records::functions::Alias| {
            alias.version == version || alias.additional.is_some_and(|(other, _)| other == version)
        };
        if aliases
            .iter()
            .any(|alias| rows.contains_key(alias.name.as_str()) && points_there(alias))
        {
            return Err(ApiError::conflict(
                "Version is pointed by a Provisioned Concurrency alias",
            )
            .into());
        }
        Ok(())
    }
}

impl Answer {
    fn new(function_arn: Option<String>, row: Provisioned) -> Self {
        Self {
            function_arn,
            requested_provisioned_concurrent_executions: row.requested,
            available_provisioned_concurrent_executions: row.available(),
            allocated_provisioned_concurrent_executions: row.allocated(),
            status: match row.status {
                Status::InProgress => "IN_PROGRESS",
                Status::Ready => "READY",
                Status::Failed { .. } => "FAILED",
            },
            last_modified: row.last_modified.to_seconds_text(),
            status_reason: match row.status {
                Status::Failed { reason } => Some(reason),
                Status::InProgress | Status::Ready => None,
            },
        }
    }
}

/// The alias or version of a request, whose configuration may exist.
fn named(call: &Call<'_>) -> Result<FunctionArn, ApiError> {
    let arn = call.function(Naming::Plain)?;
    published(arn).map_err(|_| {
        ApiError::invalid_parameter(
            "The function resource provided must be an alias or a published version.",
        )
    })
}

/// Refuses `$LATEST`, named or not.
fn published(arn: FunctionArn) -> Result<FunctionArn, ApiError> {
    match &arn.qualifier {
        None | Some(Qualifier::Version(Version::Latest)) => Err(ApiError::invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        )),
        Some(_) => Ok(arn),
    }
}

fn check_version(version: &Configuration) -> Result<(), ApiError> {
    let state = match version.state {
        State::Active => None,
        State::Pending => Some("Pending"),
        State::Failed { .. } => Some("Failed"),
    };
    if let Some(state) = state {
        return Err(ApiError::conflict(format!(
            "The operation cannot be performed at this time. The function is currently in the \
             following state: {state}"
        )));
    }
    if version.snap_start == SnapStart::PublishedVersions {
        return Err(ApiError::invalid_parameter(
            "Provisioned Concurrency can not be used with a version that has SnapStart.",
        ));
    }
    Ok(())
}
