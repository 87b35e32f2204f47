//! The slice of STS that Lambda's users meet: who am I?

use api::identity::Principal;
use bytes::Bytes;
use http::Response;
use types::RequestId;
use wire::query::{Query, QueryError, answer as xml};

/// STS's version of its API.
const VERSION: &str = "2011-06-15";
/// Operations of the public model beside `GetCallerIdentity`.
const OTHERS: [&str; 10] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];

/// Answers a verified request. Everybody may ask who they are: it takes no permission.
pub(crate) fn answer(
    query: &Query,
    principal: &Principal,
    request_id: RequestId,
) -> Result<Response<Bytes>, QueryError> {
    match query.action.as_str() {
        "GetCallerIdentity" => {
            let members = [
                ("Arn", principal.arn.as_str()),
                ("UserId", principal.user_id.as_str()),
                ("Account", principal.account.as_str()),
            ];
            Ok(xml("GetCallerIdentity", &members, request_id))
        }
        action if OTHERS.contains(&action) => Err(QueryError::not_implemented(action)),
        action => {
            let version = query.parameter("Version").unwrap_or(VERSION);
            Err(QueryError::invalid_action(action, version))
        }
    }
}
