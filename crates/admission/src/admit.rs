//! Every check that can refuse a request before anything is counted or queued, in order.

use std::sync::Arc;

use api::credentials::Credentials;
use authn::Authenticator;
use authn::authorisation::Requester;
use bytes::Bytes;
use http::request::Parts;
use policy::Context;
use types::{Clock, ForCallers as _, FunctionArn, Random, Region, Scope};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::rest::{Match, Operation, check_query};
use wire::sigv4::Signed;

use crate::caller::Caller;
use crate::metadata::{Found, Metadata};
use crate::request::{self, Checked, InvocationType};
use crate::trace::Trace;

/// See the crate.
pub struct Admission {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    authenticator: Arc<Authenticator>,
    metadata: Arc<Metadata>,
}

/// An invoke that passed all checks.
#[derive(Debug)]
pub struct Admitted {
    /// As the caller named the function.
    pub arn: FunctionArn,
    /// What that means.
    pub found: Found,
    /// The request's other parts.
    pub request: Checked,
    /// `X-Amzn-Trace-Id` for the function.
    pub trace: String,
}

impl Admission {
    /// Asks `authenticator` who, and `metadata` what.
    pub fn new(
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        authenticator: Arc<Authenticator>,
        metadata: Arc<Metadata>,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            random,
            authenticator,
            metadata,
        })
    }

    /// What is known of functions.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Everything that can be refused of `matched`, an operation that invokes. `size` is how many
    /// bytes the body had; if that is more than it may have, the rest was left out.
    pub async fn admit(
        &self,
        parts: &Parts,
        (body, size): (Bytes, usize),
        matched: &Match,
        trace: &Trace,
    ) -> Result<Admitted, ApiError> {
        let kind = InvocationType::of(matched.operation, &parts.headers);
        if size > kind.request_bytes_max() {
            // The signature of a body that is not all here cannot be verified, and tells nothing
            // about this refusal that the caller does not know.
            return Err(request::too_large(kind, size));
        }
        let caller = self.caller(parts, &body).await?;
        check_query(parts.uri.query())?;
        let qualifier = match matched.operation {
            Operation::InvokeAsync => None,
            _ => wire::uri::query_value(parts.uri.query(), "Qualifier"),
        };
        let name = matched.parameter("FunctionName");
        let naming = Naming::Namespaced;
        let arn = resolve(naming, name, qualifier.as_deref(), &caller.scope)?;
        let action = matched.operation.action();
        self.authorise(&caller.requester, action, &arn, Context::new())?;
        let request = request::check(matched.operation, &parts.headers, body)?;
        let found = self.find(&arn).await?;
        Ok(Admitted {
            arn,
            found,
            request,
            trace: trace.for_function(),
        })
    }

    /// Who signed a request.
    pub async fn caller(&self, parts: &Parts, body: &Bytes) -> Result<Caller, ApiError> {
        let signed = Signed::parse(parts)?;
        signed.require_service("lambda")?;
        let requester = self
            .authenticator
            .authenticate(&signed, parts, body)
            .await?;
        let region = Region::new(&signed.region).map_err(|_| ApiError::unrecognized_client())?;
        let scope = Scope {
            account: requester.account().clone(),
            region,
        };
        Ok(Caller { requester, scope })
    }

    /// Refuses what [`Metadata::authorise`] does not allow.
    pub fn authorise(
        &self,
        requester: &Requester,
        action: &str,
        arn: &FunctionArn,
        context: Context,
    ) -> Result<(), ApiError> {
        let decided = self.metadata.authorise(requester, action, arn, context);
        decided.map_err(|denied| ApiError::access_denied(denied.told()))
    }

    /// Refuses what the owner of `keys` may not do to a function. For what the system does on their
    /// behalf, without a request.
    pub async fn authorise_keys(
        &self,
        keys: &Credentials,
        action: &str,
        arn: &FunctionArn,
    ) -> Result<(), ApiError> {
        let token = Some(keys.session_token.expose());
        let region = arn.scope.region.clone();
        let holder = self
            .authenticator
            .holder(&keys.access_key_id, token, region);
        let requester = holder.await?;
        self.authorise(&requester, action, arn, Context::new())
    }

    /// The version that `arn` means now.
    pub async fn find(&self, arn: &FunctionArn) -> Result<Found, ApiError> {
        self.metadata.resolve(arn, self.random.as_ref()).await
    }

    /// The trace that a request belongs to.
    pub fn trace(&self, parts: &Parts) -> Trace {
        let header = parts.headers.get("x-amzn-trace-id");
        let header = header.and_then(|value| value.to_str().ok());
        Trace::new(header, self.random.as_ref(), self.clock.now())
    }
}
