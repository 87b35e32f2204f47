//! Execution roles: their keys for functions, and what a caller that passes them needs to know.

use std::time::Duration;

use api::credentials::{self, Credentials, RoleCredentials};
use async_trait::async_trait;
use authn::identity::{AccessKey, Error, Identities as _};
use authn::roles::{Role, Roles};
use tables::log;
use types::{FunctionArn, RoleArn};

use super::directory::lambda_may_become;
use super::{Given, Keys, Subject};

/// How long a function's credentials are valid. Longer than any environment lives, so that an
/// environment never has to fetch new ones.
pub(super) const SESSION: Duration = Duration::from_secs(12 * 60 * 60);

/// How long a session is valid that is begun only to check its permissions.
const ASKING: Duration = Duration::from_secs(60);

#[async_trait]
impl RoleCredentials for Keys {
    async fn for_function(
        &self,
        role: &str,
        function: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        let refused = || credentials::Error::Role {
            role: role.to_owned(),
        };
        let arn = RoleArn::parse(role).ok_or_else(refused)?;
        let known = self.directory.role(&arn, role).await;
        let known = known.map_err(|_| credentials::Error::Unavailable)?;
        let unqualified = unqualified(function);
        let may = match &known {
            Some(known) => lambda_may_become(&known.entity, &unqualified),
            None => self.unknown_roles.is_some(),
        };
        if !may {
            return Err(refused());
        }
        let subject = Subject::Role {
            account: arn.account,
            arn: role.to_owned(),
            id: known.map(|known| known.entity.id.clone()),
            session: function.name.to_string(),
            function: Some(unqualified.to_string()),
        };
        let lasts = (self.clock.now(), SESSION);
        let random = self.random.as_ref();
        Ok(self
            .sessions
            .begin(subject, Given::default(), lasts, random))
    }

    async fn may(
        &self,
        role: &str,
        function: &FunctionArn,
        action: &str,
        resource: &str,
    ) -> Result<bool, credentials::Error> {
        self.role_may((role, function), action, resource).await
    }
}

#[async_trait]
impl Roles for Keys {
    async fn role(&self, arn: &str, function: &FunctionArn) -> Result<Option<Role>, Error> {
        let Some(named) = RoleArn::parse(arn) else {
            return Ok(None);
        };
        let known = self.directory.role(&named, arn).await;
        Ok(known.map_err(unavailable)?.map(|known| Role {
            tags: known.entity.tags.clone(),
            trusts_lambda: lambda_may_become(&known.entity, function),
        }))
    }

    async fn key_of(&self, arn: &str, function: &FunctionArn) -> Result<AccessKey, Error> {
        let named = RoleArn::parse(arn).ok_or(Error::Unknown)?;
        let known = self.directory.role(&named, arn).await;
        let known = known.map_err(unavailable)?;
        let subject = Subject::Role {
            account: named.account,
            arn: arn.to_owned(),
            id: known.map(|known| known.entity.id.clone()),
            session: function.name.to_string(),
            function: Some(unqualified(function).to_string()),
        };
        let (lasts, random) = ((self.clock.now(), ASKING), self.random.as_ref());
        let keys = self
            .sessions
            .begin(subject, Given::default(), lasts, random);
        let token = Some(keys.session_token.expose());
        self.access_key(&keys.access_key_id, token).await
    }
}

fn unavailable(error: storage::Error) -> Error {
    log(&error, "a role cannot be looked up");
    Error::Unavailable
}

fn unqualified(function: &FunctionArn) -> FunctionArn {
    FunctionArn {
        qualifier: None,
        ..function.clone()
    }
}
