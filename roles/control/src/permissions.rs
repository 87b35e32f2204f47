//! AddPermission, RemovePermission, GetPolicy: which other principals may use a function, a version or
//! an alias.
//!
//! A policy belongs to exactly the name it was created under: that of the function says nothing about
//! its aliases. It is bound to the function that existed then (`records::policies::binding`), so that
//! what a crash leaves of it allows nobody to use a new function of that name.

use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use records::functions::{Function, POLICIES, attached_key};
use records::policies::{ResourcePolicy, binding};
use serde::{Deserialize, Serialize};
use settings::statements::{Permission, add, context, remove};
use storage::{Expect, Revision};
use tables::TRIES_MAX;
use types::{FunctionArn, Qualifier, Version};
use wire::ApiError;
use wire::function_name::Naming;
use wire::uri::query_value;

use crate::answer::{empty, json};
use crate::attached::alias_missing;
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    revision_id: Option<String>,
    #[serde(flatten)]
    permission: Permission,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Added {
    statement: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    policy: String,
    revision_id: String,
}

impl Control {
    pub(crate) async fn add_permission(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let Body {
            revision_id,
            permission,
        } = parse_now(call.body)?;
        let arn = call.function_with(Naming::Plain, permission.context())?;
        if arn.qualifier == Some(Qualifier::Version(Version::Latest)) {
            let message = "We currently do not support adding policies for $LATEST.";
            return Err(ApiError::invalid_parameter(message).into());
        }
        let statement = permission.statement(&arn.to_string())?;
        let shown = serde_json::to_string(&statement).expect("a struct of texts has a JSON form");
        let add = |policy: &mut ResourcePolicy, own: &str| {
            check_revision(revision_id.as_deref(), [&policy.revision_id, own])?;
            add(policy, statement.clone())
        };
        self.change_policy(&arn, add).await?;
        Ok(json(StatusCode::CREATED, &Added { statement: shown }))
    }

    pub(crate) async fn remove_permission(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.named_function(Naming::Plain)?;
        let sid = call.matched.parameter("StatementId");
        let context = self.context_of(&arn, sid).await?;
        call.authorise_with(&arn.scope.account, &arn.to_string(), context)?;
        let revision_id = query_value(call.query, "RevisionId");
        let remove = |policy: &mut ResourcePolicy, own: &str| {
            if policy.statements.is_empty() {
                let message = "No policy is associated with the given resource.";
                return Err(ApiError::not_found(message));
            }
            check_revision(revision_id.as_deref(), [&policy.revision_id, own])?;
            remove(policy, sid)
        };
        let changed = self.change_policy(&arn, remove).await;
        changed.map_err(|failure| match failure {
            Failure::Refused(error) if error.message.starts_with("Function not found: ") => {
                ApiError::not_found(format!("No policy found for: {arn}")).into()
            }
            failure => failure,
        })?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn get_policy(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Namespaced)?;
        let function = self
            .attachable(&arn)
            .await
            .map_err(|failure| match failure {
                Failure::Refused(error) if error.status == StatusCode::NOT_FOUND => {
                    nothing().into()
                }
                failure => failure,
            })?;
        let policy = self.resource_policy(&function, &arn).await?;
        let policy = policy.filter(|policy| !policy.statements.is_empty());
        let policy = policy.ok_or_else(nothing)?;
        let shown = Shown {
            policy: policy.document(),
            revision_id: policy.revision_id,
        };
        Ok(json(StatusCode::OK, &shown))
    }

    /// The condition keys that RemovePermission has: the contents of the statement to remove.
    async fn context_of(&self, arn: &FunctionArn, sid: &str) -> Result<Context, Failure> {
        let Some((function, _)) = self.functions.function(&arn.scope, &arn.name).await? else {
            return Ok(Context::new());
        };
        let policy = self.resource_policy(&function, arn).await?;
        let mut statements = policy.iter().flat_map(|policy| &policy.statements);
        let statement = statements.find(|statement| statement.sid == sid);
        Ok(statement.map(context).unwrap_or_default())
    }

    /// Changes a policy: `change` decides on the current one, empty if there is none, and on the
    /// revision of what it belongs to; it may be called again.
    async fn change_policy(
        &self,
        arn: &FunctionArn,
        mut change: impl FnMut(&mut ResourcePolicy, &str) -> Result<(), ApiError>,
    ) -> Result<(), Failure> {
        let key = attached_key(POLICIES, arn);
        for _ in 0..TRIES_MAX {
            let function = self.attachable(arn).await.map_err(alias_missing(arn))?;
            let alias = self.alias_of(arn).await?;
            let own = match &alias {
                Some(alias) => alias.revision_id.clone(),
                None => self.version_of(&function, arn).await?.revision_id,
            };
            let bound_to = binding(&function.instance, alias.as_ref());
            let found: Option<(ResourcePolicy, Revision)> = self.rows.get(&key).await?;
            let expect = found
                .as_ref()
                .map_or(Expect::Absent, |(_, revision)| Expect::Revision(*revision));
            let present = found.map(|(policy, _)| policy);
            let present = present.filter(|policy| policy.bound_to == bound_to);
            let mut policy = present.unwrap_or(ResourcePolicy {
                bound_to,
                ..ResourcePolicy::default()
            });
            change(&mut policy, &own)?;
            let revision_id = self.new_revision_id();
            policy.revision_id.clone_from(&revision_id);
            let written = match policy.statements.is_empty() {
                true => self.rows.delete(&key, expect).await?,
                false => self.attach(POLICIES, arn, &policy, expect).await?,
            };
            if written {
                return self.follow_policy(arn, revision_id).await;
            }
        }
        Err(Failure::contended(key))
    }

    /// The function's own policy and the function share a revision once the policy has changed.
    async fn follow_policy(&self, arn: &FunctionArn, revision_id: String) -> Result<(), Failure> {
        if arn.qualifier.is_some() {
            return Ok(());
        }
        let follow = |function: &mut Function| {
            function.latest.revision_id.clone_from(&revision_id);
            Ok(())
        };
        self.functions.change(arn, follow).await.map(|_| ())
    }
}

/// The caller's `RevisionId`, if given, must be the policy's or that of what the policy belongs to.
fn check_revision(given: Option<&str>, present: [&str; 2]) -> Result<(), ApiError> {
    match given {
        Some(given) if !present.contains(&given) => Err(ApiError::precondition_failed(
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API \
             to retrieve the latest Revision Id",
        )),
        _ => Ok(()),
    }
}

/// GetPolicy's error if there is no policy.
pub(crate) fn nothing() -> ApiError {
    ApiError::not_found("The resource you requested does not exist.")
}
