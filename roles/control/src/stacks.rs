//! The records of stacks, for `lambent deploy`: an API of this system's own.
//!
//! ```text
//!   GET    /lambent/stacks                        {"Stacks": [name, …]}
//!   GET    /lambent/stacks/<name>                 {"Revision": n, "Record": {…}}
//!   PUT    /lambent/stacks/<name>?revision=<n>    {"Revision": n'}; without a revision there must be none yet
//!   DELETE /lambent/stacks/<name>?revision=<n>
//! ```
//!
//! Signed as requests to Lambda are. The contents of a record are the client's business; here it is
//! bytes that are JSON. A client that has not seen the last write is refused with status 409, so that
//! of two concurrent deploys one notices.

use authn::authorisation::{Ask, Requester};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use policy::Context;
use records::stacks::{is_name, stack_key, stacks_prefix};
use serde_json::value::RawValue;
use storage::table::VALUE_BYTES_MAX;
use storage::{Expect, Revision};
use types::{ForCallers as _, Scope};
use wire::ApiError;
use wire::sigv4::Signed;
use wire::uri::{decode, query_value};

use crate::answer::{empty, json};
use crate::body::parse;
use crate::failure::Failure;
use crate::service::Control;

/// Where these paths begin.
pub(crate) const PATH: &str = "/lambent/stacks";
/// The most bytes of a record: those of a row. A record with the most resources that a template may
/// have is about as long.
const RECORD_BYTES_MAX: usize = VALUE_BYTES_MAX;

impl Control {
    /// One request to this API.
    pub(crate) async fn stacks(
        &self,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let signed = Signed::parse(parts).map_err(ApiError::from)?;
        signed.require_service("lambda").map_err(ApiError::from)?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await
            .map_err(ApiError::from)?;
        let region = self.config.regions.of(&signed)?;
        let scope = Scope {
            account: requester.account().clone(),
            region,
        };
        let rest = parts.uri.path().strip_prefix(PATH).unwrap_or_default();
        let name = decode(rest.trim_start_matches('/')).unwrap_or_default();
        if name.is_empty() && parts.method == Method::GET {
            authorise(&requester, &scope, "ListStacks", "*")?;
            return self.list_stacks(&scope).await;
        }
        if !is_name(&name) {
            let message =
                "a stack's name is a letter and then letters, digits and hyphens, at most 128";
            return Err(ApiError::validation(message).into());
        }
        match parts.method {
            Method::GET => {
                authorise(&requester, &scope, "GetStack", &name)?;
                self.get_stack(&scope, &name).await
            }
            Method::PUT => {
                authorise(&requester, &scope, "PutStack", &name)?;
                let expect = expected(parts.uri.query())?.unwrap_or(Expect::Absent);
                self.put_stack(&scope, &name, expect, body).await
            }
            Method::DELETE => {
                authorise(&requester, &scope, "DeleteStack", &name)?;
                let expect = expected(parts.uri.query())?;
                let expect = expect.ok_or_else(|| ApiError::validation("revision is missing"))?;
                match self.rows.delete(&stack_key(&scope, &name), expect).await? {
                    true => Ok(empty(StatusCode::NO_CONTENT)),
                    false => Err(changed(&name).into()),
                }
            }
            _ => {
                let message = "No such method. A stack takes GET, PUT and DELETE.";
                Err(ApiError::validation(message).into())
            }
        }
    }

    async fn list_stacks(&self, scope: &Scope) -> Result<Response<Bytes>, Failure> {
        let prefix = stacks_prefix(scope);
        let rows = self.rows.all(&prefix).await?;
        let names: Vec<&str> = rows.iter().map(|row| &row.key[prefix.len()..]).collect();
        Ok(json(
            StatusCode::OK,
            &serde_json::json!({ "Stacks": names }),
        ))
    }

    async fn get_stack(&self, scope: &Scope, name: &str) -> Result<Response<Bytes>, Failure> {
        let found = self.rows.get(&stack_key(scope, name)).await?;
        let (record, Revision(revision)): (Box<RawValue>, _) =
            found.ok_or_else(|| ApiError::not_found(format!("There is no stack {name}")))?;
        let answer = Stack {
            revision,
            record: Some(record),
        };
        Ok(json(StatusCode::OK, &answer))
    }

    async fn put_stack(
        &self,
        scope: &Scope,
        name: &str,
        expect: Expect,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        if body.len() > RECORD_BYTES_MAX {
            let message = format!("a stack's record may have at most {RECORD_BYTES_MAX} bytes");
            return Err(ApiError::too_large(message).into());
        }
        let record: Box<RawValue> = parse(body).await?;
        let written = self
            .rows
            .put(&stack_key(scope, name), &record, expect)
            .await?;
        let Revision(revision) = written.ok_or_else(|| changed(name))?;
        let answer = Stack {
            revision,
            record: None,
        };
        Ok(json(StatusCode::OK, &answer))
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stack {
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Box<RawValue>>,
}

fn authorise(
    requester: &Requester,
    scope: &Scope,
    action: &str,
    name: &str,
) -> Result<(), ApiError> {
    let resource = format!(
        "arn:aws:lambent:{}:{}:stack/{name}",
        scope.region, scope.account
    );
    let decided = requester.authorise(Ask {
        action: &format!("lambent:{action}"),
        resource: &resource,
        owner: &scope.account,
        policy: None,
        context: Context::new(),
    });
    decided.map_err(|denied| ApiError::access_denied(denied.told()))
}

/// The write that the client has seen last.
fn expected(query: Option<&str>) -> Result<Option<Expect>, ApiError> {
    let Some(text) = query_value(query, "revision") else {
        return Ok(None);
    };
    let number = text
        .parse()
        .map_err(|_| ApiError::validation("revision must be a number"))?;
    Ok(Some(Expect::Revision(Revision(number))))
}

fn changed(name: &str) -> ApiError {
    ApiError::conflict(format!("The stack {name} has changed since it was read"))
}
