//! Authorisation: what every operation checks before it reads anything.
//!
//! ```text
//!   request ─▶ Standing: the resource policy and tags of the function that the path names
//!          ─▶ Call::authorise(owner, resource) and its sisters ─▶ authn::authorisation
//! ```
//!
//! Each operation names its resource as AWS's service authorisation reference has it: most the
//! function's ARN with the qualifier given, lists `*`, layers, mappings and code signing
//! configurations their own ARNs.

use std::collections::BTreeMap;

use authn::authorisation::{Ask, Requester, resource_tags};
use policy::{Context, Policy};
use records::functions::{Alias, Function, POLICIES, attached_key};
use records::policies::{ResourcePolicy, binding};
use types::{AccountId, ForCallers as _, FunctionArn, Qualifier, RoleArn, Scope};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::rest::Match;
use wire::uri::query_value;

use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

/// What policies need to know about the function that a request names.
#[derive(Default)]
pub(crate) struct Standing {
    /// As the request names it.
    resource: String,
    policy: Option<Policy>,
    tags: BTreeMap<String, String>,
}

impl Control {
    /// Looks up the function that the path names. An account itself needs no policy for what it owns,
    /// so nothing is looked up for it. An invalid name is refused later, in its operation's own words.
    pub(crate) async fn standing(
        &self,
        requester: &Requester,
        matched: &Match,
        query: Option<&str>,
        scope: &Scope,
    ) -> Result<Standing, Failure> {
        let parameter = |name| {
            let found = matched.parameters.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        let name = parameter("FunctionName").or_else(|| parameter("Resource"));
        let qualifier = query_value(query, "Qualifier");
        let arn = name.map(|name| resolve(Naming::Namespaced, name, qualifier.as_deref(), scope));
        let Some(Ok(arn)) = arn else {
            return Ok(Standing::default());
        };
        let own = arn.scope.account == scope.account;
        // A denial in a resource's policy applies to the account, too; AddPermission creates none.
        if own && requester.is_root() {
            return Ok(Standing::default());
        }
        let Some((function, _)) = self.functions.function(&arn.scope, &arn.name).await? else {
            return Ok(Standing::default());
        };
        let policy = self.resource_policy(&function, &arn).await?;
        Ok(Standing {
            resource: arn.to_string(),
            policy: policy.and_then(|policy| policy.compile()),
            tags: function.tags,
        })
    }

    /// The policy of exactly that ARN, if it has one. A policy of an earlier function or alias with
    /// that name does not count.
    pub(crate) async fn resource_policy(
        &self,
        function: &Function,
        arn: &FunctionArn,
    ) -> Result<Option<ResourcePolicy>, Failure> {
        let alias = self.alias_of(arn).await?;
        let key = attached_key(POLICIES, arn);
        let found = self.rows.get::<ResourcePolicy>(&key).await?;
        let bound_to = binding(&function.instance, alias.as_ref());
        Ok(found
            .map(|(policy, _)| policy)
            .filter(|policy| policy.bound_to == bound_to))
    }

    /// Refuses if the caller may not pass that role to Lambda, or if Lambda may not assume it. A role
    /// that IAM does not know is accepted, unless `[functions] unknown_roles` refuses it: what it may
    /// do, `role_actions` says.
    pub(crate) async fn check_pass_role(
        &self,
        call: &Call<'_>,
        role: &str,
        function: &FunctionArn,
    ) -> Result<(), Failure> {
        let Some(arn) = RoleArn::parse(role) else {
            return Ok(());
        };
        let found = self.roles.role(role, function).await;
        let found = found.map_err(|_| ApiError::unavailable())?;
        let mut context = Context::new()
            .with("iam:PassedToService", "lambda.amazonaws.com")
            .with("iam:AssociatedResourceArn", function.to_string());
        if let Some(role) = &found {
            context.extend(resource_tags(&role.tags));
            context.set_tags("iam:ResourceTag/", &role.tags);
        }
        call.authorise_action("iam:PassRole", &arn.account, role, context)?;
        let may = match found {
            Some(role) => role.trusts_lambda,
            None => self.config.unknown_roles_accepted,
        };
        if !may {
            let message = "The role defined for the function cannot be assumed by Lambda.";
            return Err(ApiError::invalid_parameter(message).into());
        }
        Ok(())
    }

    /// The alias that an ARN names, if it names one that exists.
    pub(crate) async fn alias_of(&self, arn: &FunctionArn) -> Result<Option<Alias>, Failure> {
        let Some(Qualifier::Alias(name)) = &arn.qualifier else {
            return Ok(None);
        };
        let found = self.functions.alias(&arn.scope, &arn.name, name).await?;
        Ok(found.map(|(alias, _)| alias))
    }
}

impl Call<'_> {
    /// The function that the path and `Qualifier` name, if the caller may do this to it, with condition
    /// keys that the operation has.
    pub(crate) fn function_with(
        &self,
        naming: Naming,
        context: Context,
    ) -> Result<FunctionArn, ApiError> {
        let arn = self.named_function(naming)?;
        self.authorise_with(&arn.scope.account, &arn.to_string(), context)?;
        Ok(arn)
    }

    /// Refuses if the caller may not do this operation to that resource of that account.
    pub(crate) fn authorise(&self, owner: &AccountId, resource: &str) -> Result<(), ApiError> {
        self.authorise_with(owner, resource, Context::new())
    }

    /// The same, with condition keys that this operation has: `lambda:Layer`, `aws:RequestTag/…`,
    /// `lambda:FunctionArn`.
    pub(crate) fn authorise_with(
        &self,
        owner: &AccountId,
        resource: &str,
        context: Context,
    ) -> Result<(), ApiError> {
        let action = self.matched.operation.action();
        self.authorise_action(action, owner, resource, context)
    }

    /// The same for another action than the operation's own: `iam:PassRole`.
    pub(crate) fn authorise_action(
        &self,
        action: &str,
        owner: &AccountId,
        resource: &str,
        mut context: Context,
    ) -> Result<(), ApiError> {
        let standing = Some(&self.standing).filter(|standing| standing.resource == resource);
        if let Some(standing) = standing {
            context.set_tags("aws:ResourceTag/", &standing.tags);
        }
        let policy = standing.and_then(|standing| standing.policy.as_ref());
        self.decide(action, owner, resource, policy, context)
    }

    /// The same for a resource whose policy the operation has looked up itself: a layer's version.
    pub(crate) fn authorise_by(
        &self,
        action: &str,
        policy: Option<&ResourcePolicy>,
        owner: &AccountId,
        resource: &str,
    ) -> Result<(), ApiError> {
        let policy = policy.and_then(ResourcePolicy::compile);
        self.decide(action, owner, resource, policy.as_ref(), Context::new())
    }

    fn decide(
        &self,
        action: &str,
        owner: &AccountId,
        resource: &str,
        policy: Option<&Policy>,
        context: Context,
    ) -> Result<(), ApiError> {
        let decided = self.requester.authorise(Ask {
            action,
            resource,
            owner,
            policy,
            context,
        });
        decided.map_err(|denied| ApiError::access_denied(denied.told()))
    }
}
