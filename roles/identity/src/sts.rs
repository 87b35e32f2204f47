//! STS: the caller's identity, and assuming another one for a while.
//!
//! ```text
//!   form ─▶ constraints ─▶ may they? ─▶ a session, sealed in its token ─▶ XML
//! ```
//!
//! Nothing is stored: a session is recognised by its token ([`crate::keys`]).

mod assume_role;
mod given;
mod session_token;
mod tags;

use std::sync::Arc;

use api::credentials::Credentials;
use authn::authorisation::{Ask, Requester};
use authn::identity::{Identities, PrincipalKind};
use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use tables::Rows;
use types::{Clock, ForCallers as _, Random, RequestId};
use wire::model::check_form;
use wire::query::{Query, QueryError, STS_NAMESPACE, answer_xml, group, member};

use crate::keys::{Sessions, account_of};

/// STS's version of its API.
const VERSION: &str = "2011-06-15";
/// Operations of the public model that are not implemented.
const OTHERS: [&str; 7] = [
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetWebIdentityToken",
];
/// Those of them that are not signed: the identity comes from elsewhere.
const UNSIGNED: [&str; 2] = ["AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"];

/// See the module.
pub(crate) struct Sts {
    /// Where roles and policies are looked up.
    pub(crate) rows: Arc<Rows>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) sessions: Sessions,
    /// Who has which key.
    pub(crate) identities: Arc<dyn Identities>,
}

/// One verified request to STS.
pub(crate) struct Call<'r> {
    pub(crate) requester: &'r Requester,
    pub(crate) query: &'r Query,
    /// The key that signed it.
    pub(crate) access_key_id: &'r str,
}

/// An error of STS: its status, code and words.
fn error(status: StatusCode, code: &'static str, message: impl Into<String>) -> QueryError {
    QueryError {
        status,
        code,
        message: message.into(),
    }
}

/// The refusal of an unsigned operation that is not implemented; `None` for all others.
pub(crate) fn unsigned(query: &Query) -> Option<QueryError> {
    let action = query.action.as_str();
    UNSIGNED
        .contains(&action)
        .then(|| QueryError::not_implemented(action))
}

impl Call<'_> {
    /// Refuses users and accounts with temporary keys: with these they can only assume roles.
    fn refuse_sessions(&self) -> Result<(), QueryError> {
        let kind = self.requester.principal().map(|principal| &principal.kind);
        match (self.requester.session(), kind) {
            (None, _) | (_, Some(PrincipalKind::Role { .. })) => Ok(()),
            _ => Err(QueryError::access_denied(format!(
                "Cannot call {} with session credentials",
                self.query.action
            ))),
        }
    }

    fn may(&self, resource: &str) -> Result<(), QueryError> {
        let decided = self.requester.authorise(Ask {
            action: &format!("sts:{}", self.query.action),
            resource,
            owner: self.requester.account(),
            policy: None,
            context: Context::new(),
        });
        decided.map_err(|denied| QueryError::access_denied(denied.told()))
    }
}

impl Sts {
    /// Answers a verified request.
    pub(crate) async fn answer(
        &self,
        call: &Call<'_>,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, QueryError> {
        let query = call.query;
        check_form("sts", query)?;
        let result = match query.action.as_str() {
            "AssumeRole" => self.assume_role(call).await?,
            "GetAccessKeyInfo" => self.access_key_info(call).await?,
            "GetCallerIdentity" => caller_identity(call),
            "GetSessionToken" => self.session_token(call)?,
            action if OTHERS.contains(&action) => return Err(QueryError::not_implemented(action)),
            action => {
                let version = query.parameter("Version").unwrap_or(VERSION);
                return Err(QueryError::invalid_action(action, version));
            }
        };
        Ok(answer_xml(
            STS_NAMESPACE,
            &query.action,
            &result,
            request_id,
        ))
    }

    /// Whose account a key belongs to: determined from its id alone, for all keys.
    async fn access_key_info(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let id = call.query.parameter("AccessKeyId").unwrap_or_default();
        call.refuse_sessions()?;
        call.may("*")?;
        let known = self.identities.access_key(id, None).await;
        let account = match known {
            Ok(key) => Some(key.principal.account),
            Err(authn::identity::Error::Unavailable) => return Err(QueryError::unavailable()),
            Err(_) => account_of(id),
        };
        let account = account.ok_or_else(|| {
            let message = format!("The access key {id} is not known");
            error(StatusCode::BAD_REQUEST, "ValidationError", message)
        })?;
        Ok(member("Account", account.as_str()))
    }
}

/// All callers may ask for their identity: it requires no permission.
fn caller_identity(call: &Call<'_>) -> String {
    let Some(principal) = call.requester.principal() else {
        return String::new();
    };
    member("Arn", &principal.arn)
        + &member("UserId", &principal.user_id)
        + &member("Account", principal.account.as_str())
}

/// The member `Credentials`.
fn credentials(keys: &Credentials) -> String {
    let inside = member("AccessKeyId", &keys.access_key_id)
        + &member("SecretAccessKey", keys.secret_access_key.expose())
        + &member("SessionToken", keys.session_token.expose())
        + &member("Expiration", &keys.expires.to_iso_seconds_text());
    group("Credentials", &inside)
}
