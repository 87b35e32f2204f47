//! Which other accounts may use a layer version: AddLayerVersionPermission, GetLayerVersionPolicy,
//! RemoveLayerVersionPermission. The policy is part of the version's row and is deleted with it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use records::layers::LayerVersion;
use records::policies::{Condition, Principal, ResourcePolicy, Statement};
use serde::{Deserialize, Serialize};
use settings::statements::{add, remove};
use storage::Expect;
use tables::TRIES_MAX;
use types::LayerVersionArn;
use wire::ApiError;
use wire::uri::query_value;

use super::key;
use super::name::named_version;
use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    statement_id: String,
    action: String,
    principal: String,
    organization_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Added {
    statement: String,
    revision_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    policy: String,
    revision_id: String,
}

impl Control {
    pub(crate) async fn add_layer_permission(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named_version(call)?;
        call.authorise(&arn.layer.scope.account, &arn.to_string())?;
        let body: Body = parse_now(call.body)?;
        let statement = body.statement(&arn)?;
        let revision_id = self
            .change_layer_policy(call, &arn, |policy| add(policy, statement.clone()))
            .await?;
        let statement =
            serde_json::to_string(&statement).expect("a struct of texts has a JSON form");
        let answer = Added {
            statement,
            revision_id,
        };
        Ok(json(StatusCode::CREATED, &answer))
    }

    pub(crate) async fn get_layer_policy(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named_version(call)?;
        call.authorise(&arn.layer.scope.account, &arn.to_string())?;
        let found = self.rows.get::<LayerVersion>(&key(&arn)).await?;
        let (version, _) = found.ok_or_else(|| no_version(&arn))?;
        let policy = version.policy.ok_or_else(no_policy)?;
        let answer = Shown {
            policy: policy.document(),
            revision_id: policy.revision_id,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    pub(crate) async fn remove_layer_permission(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named_version(call)?;
        call.authorise(&arn.layer.scope.account, &arn.to_string())?;
        let id = call.matched.parameter("StatementId");
        let take = |policy: &mut ResourcePolicy| match policy.statements.is_empty() {
            true => Err(no_policy()),
            false => remove(policy, id),
        };
        self.change_layer_policy(call, &arn, take).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// Changes the current policy, if it is the one that the caller knows; returns its revision.
    async fn change_layer_policy(
        &self,
        call: &Call<'_>,
        arn: &LayerVersionArn,
        change: impl Fn(&mut ResourcePolicy) -> Result<(), ApiError>,
    ) -> Result<String, Failure> {
        let known = query_value(call.query, "RevisionId");
        let key = key(arn);
        for _ in 0..TRIES_MAX {
            let found = self.rows.get::<LayerVersion>(&key).await?;
            let (mut version, revision) = found.ok_or_else(|| no_version(arn))?;
            let mut policy = version.policy.take().unwrap_or_default();
            if known.as_deref().is_some_and(|id| id != policy.revision_id) {
                return Err(ApiError::precondition_failed(
                    "The Revision Id provided does not match the latest Revision Id. Call the \
                     GetLayerPolicy API to retrieve the latest Revision Id",
                )
                .into());
            }
            change(&mut policy)?;
            policy.revision_id = self.new_revision_id();
            let revision_id = policy.revision_id.clone();
            version.policy = Some(policy).filter(|policy| !policy.statements.is_empty());
            let expect = Expect::Revision(revision);
            if self.rows.put(&key, &version, expect).await?.is_some() {
                return Ok(revision_id);
            }
        }
        Err(Failure::contended(key))
    }
}

fn no_version(arn: &LayerVersionArn) -> ApiError {
    ApiError::not_found(format!("Layer version {arn} does not exist."))
}

fn no_policy() -> ApiError {
    ApiError::not_found("No policy is associated with the given resource.")
}

impl Body {
    fn statement(self, arn: &LayerVersionArn) -> Result<Statement, ApiError> {
        if self.organization_id.is_some() && self.principal != "*" {
            return Err(ApiError::invalid_parameter(
                "OrganizationId can only be used with the Principal '*'.",
            ));
        }
        let named = |arn: String| Principal::Named(BTreeMap::from([("AWS".to_owned(), arn)]));
        let principal = match self.principal.as_str() {
            "*" => Principal::Anyone(self.principal),
            arn if arn.starts_with("arn:") => named(self.principal),
            account => named(format!("arn:aws:iam::{account}:root")),
        };
        let condition = self.organization_id.map(|id| Condition {
            string_equals: BTreeMap::from([("aws:PrincipalOrgID".to_owned(), id)]),
            ..Condition::default()
        });
        Ok(Statement {
            sid: self.statement_id,
            effect: "Allow".to_owned(),
            principal,
            action: self.action,
            resource: arn.to_string(),
            condition,
        })
    }
}
