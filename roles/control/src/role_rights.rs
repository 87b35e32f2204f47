//! Whether a function's role may do what the function's settings require.
//!
//! Checked when a destination or a dead-letter target is set: the caller that sets it learns what is
//! missing, not only somebody who reads metrics later. The target's own policy is not known here,
//! unless the target is a function. About a role that IAM does not know nothing is known: it is
//! trusted, except where the operator's key signs in its place.

use authn::authorisation::{Ask, Circumstances, Requester};
use authn::identity;
use policy::{Context, Policy};
use records::functions::Configuration;
use settings::destinations::{Target, target};
use types::{FunctionArn, RoleArn};
use wire::ApiError;

use crate::failure::Failure;
use crate::service::Control;

impl Control {
    /// Refuses a dead-letter target that the role may not send to.
    pub(crate) async fn check_dead_letter_rights(
        &self,
        function: &FunctionArn,
        configuration: &Configuration,
    ) -> Result<(), Failure> {
        let Some(arn) = configuration.dead_letter_target.as_deref() else {
            return Ok(());
        };
        let (action, service) = match target(arn, &function.scope.region) {
            Ok(Some(Target::Queue)) => ("SendMessage", "SQS"),
            Ok(Some(Target::Topic)) => ("Publish", "SNS"),
            // Refused for another reason, or in another region.
            _ => return Ok(()),
        };
        let full = format!("{}:{action}", service.to_ascii_lowercase());
        let asked = (full.as_str(), arn, None);
        let reached = self.reaches(function, arn);
        match reached && self.role_may(&configuration.role, function, asked).await? {
            true => Ok(()),
            false => Err(ApiError::invalid_parameter(format!(
                "The provided execution role does not have permissions to call {action} on {service}"
            ))
            .into()),
        }
    }

    /// Refuses a destination that the role of the function `from` may not send to.
    pub(crate) async fn check_destination_rights(
        &self,
        (from, role): (&FunctionArn, &str),
        arn: &str,
        kind: &Target,
    ) -> Result<(), Failure> {
        let mut resource = arn.to_owned();
        let mut policy = None;
        let (service, action) = match kind {
            Target::Queue => ("sqs", "SendMessage"),
            Target::Topic => ("sns", "Publish"),
            Target::EventBus => ("events", "PutEvents"),
            Target::Bucket => {
                resource = format!("{arn}/aws/lambda/async/{}/*", from.name);
                ("s3", "PutObject")
            }
            Target::Function(function) => {
                policy = self.policy_of_function(function).await?;
                ("lambda", "InvokeFunction")
            }
            Target::KafkaTopic => return Ok(()),
        };
        let full = format!("{service}:{action}");
        let asked = (full.as_str(), resource.as_str(), policy.as_ref());
        let reached = service == "lambda" || self.reaches(from, &resource);
        match reached && self.role_may(role, from, asked).await? {
            true => Ok(()),
            false => Err(ApiError::invalid_parameter(format!(
                "The function's execution role does not have permissions to call {action} on {arn}"
            ))
            .into()),
        }
    }

    /// Whether the operator's key, if it signs, may be used on `resource` for that function.
    fn reaches(&self, function: &FunctionArn, resource: &str) -> bool {
        let key = self.config.operator_key.as_ref();
        key.is_none_or(|key| key.reaches(&function.scope.account, resource))
    }

    async fn policy_of_function(&self, arn: &FunctionArn) -> Result<Option<Policy>, Failure> {
        let Some((function, _)) = self.functions.function(&arn.scope, &arn.name).await? else {
            return Ok(None);
        };
        let policy = self.resource_policy(&function, arn).await?;
        Ok(policy.and_then(|policy| policy.compile()))
    }

    /// Whether a session of the role, as the function has one, may do an action to a resource, which
    /// may have a policy.
    async fn role_may(
        &self,
        role: &str,
        function: &FunctionArn,
        (action, resource, policy): (&str, &str, Option<&Policy>),
    ) -> Result<bool, Failure> {
        let Some(arn) = RoleArn::parse(role) else {
            return Ok(true);
        };
        let found = self.roles.role(role, function).await;
        let is_known = found.map_err(|_| ApiError::unavailable())?.is_some();
        let is_vouched = self.config.operator_key.is_some() && !action.starts_with("lambda:");
        let can_be_asked = is_known || is_vouched && self.config.unknown_roles_accepted;
        if !can_be_asked {
            return Ok(!is_vouched);
        }
        let key = match self.roles.key_of(role, function).await {
            Ok(key) => key,
            Err(identity::Error::Unavailable) => return Err(ApiError::unavailable().into()),
            // Deleted just now: that is reported when it is used.
            Err(identity::Error::Unknown | identity::Error::Expired) => return Ok(!is_vouched),
        };
        let requester = Requester::signed(
            key,
            Circumstances {
                now: self.clock.now(),
                origin: None,
                user_agent: None,
                region: Some(function.scope.region.clone()),
            },
        );
        Ok(requester
            .authorise(Ask {
                action,
                resource,
                owner: &arn.account,
                policy,
                context: Context::new(),
            })
            .is_ok())
    }
}
