//! Whether a function's role may do what the system is about to do in its name.
//!
//! Checked each time, by the caller that acts: a right that existed when a setting was made may have
//! been removed since. Other services may check again, by the key that signs; those that do not, or
//! that see a key of the operator's, rely on this. Under the operator's key a function reaches what
//! [`OperatorKey`] says and no more, and a role that IAM does not know may do what unknown roles may.
//!
//! [`OperatorKey`]: authn::operator_key::OperatorKey

use api::credentials::{self, RoleCredentials as _};
use authn::authorisation::{Ask, Circumstances, Requester};
use authn::identity::{Error, Identities as _};
use policy::Context;
use types::{FunctionArn, RoleArn};

use super::Keys;

impl Keys {
    /// See [`api::credentials::RoleCredentials::may`].
    pub(super) async fn role_may(
        &self,
        (role, function): (&str, &FunctionArn),
        action: &str,
        resource: &str,
    ) -> Result<bool, credentials::Error> {
        let refused = || credentials::Error::Role {
            role: role.to_owned(),
        };
        let arn = RoleArn::parse(role).ok_or_else(refused)?;
        let operator_key = self.operator_key.as_ref();
        if operator_key.is_some_and(|key| !key.reaches(&function.scope.account, resource)) {
            return Ok(false);
        }
        let known = self.directory.role(&arn, role).await;
        let known = known.map_err(|_| credentials::Error::Unavailable)?;
        if known.is_none() && operator_key.is_none() {
            return Ok(true);
        }
        let keys = self.for_function(role, function).await?;
        let token = Some(keys.session_token.expose());
        let key = self.access_key(&keys.access_key_id, token).await;
        let key = key.map_err(|error| match error {
            Error::Unavailable => credentials::Error::Unavailable,
            // Deleted meanwhile.
            Error::Unknown | Error::Expired => refused(),
        })?;
        let circumstances = Circumstances {
            now: self.clock.now(),
            origin: None,
            user_agent: None,
            region: Some(function.scope.region.clone()),
        };
        let asked = Requester::signed(key, circumstances).authorise(Ask {
            action,
            resource,
            owner: &arn.account,
            policy: None,
            context: Context::new(),
        });
        Ok(asked.is_ok())
    }
}
