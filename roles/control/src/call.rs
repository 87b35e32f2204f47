//! One verified request to Lambda's API: its caller, its operation, and its function.

use authn::authorisation::Requester;
use authn::run_blocking;
use bytes::Bytes;
use policy::Context;
use types::{FunctionArn, Scope};
use wire::function_name::{Naming, resolve};
use wire::rest::Match;
use wire::uri::query_value;
use wire::{ApiError, model};

use crate::authorise::Standing;

/// See the module.
pub(crate) struct Call<'r> {
    pub(crate) requester: Requester,
    /// What policies need to know about the function it names.
    pub(crate) standing: Standing,
    /// The caller's account, and the region they signed for.
    pub(crate) scope: Scope,
    pub(crate) matched: Match,
    pub(crate) query: Option<&'r str>,
    pub(crate) body: &'r Bytes,
    /// The host name by which the caller reached us.
    pub(crate) host: &'r str,
}

impl Call<'_> {
    /// Refuses what violates the model's constraints, so that operations see none of it.
    pub(crate) async fn check_model(&self) -> Result<(), ApiError> {
        let (matched, body) = (self.matched.clone(), self.body.clone());
        let query = self.query.map(str::to_owned);
        run_blocking(body.len(), move || {
            model::check(&matched, query.as_deref(), &body)
        })
        .await
    }

    /// The function that the path and `Qualifier` name, if the caller may do this to it.
    pub(crate) fn function(&self, naming: Naming) -> Result<FunctionArn, ApiError> {
        let arn = self.named_function(naming)?;
        self.authorise(&arn.scope.account, &arn.to_string())?;
        Ok(arn)
    }

    /// The function that the path and `Qualifier` name, without authorisation.
    pub(crate) fn named_function(&self, naming: Naming) -> Result<FunctionArn, ApiError> {
        let name = self.matched.parameter("FunctionName");
        let qualifier = query_value(self.query, "Qualifier");
        resolve(naming, name, qualifier.as_deref(), &self.scope)
    }

    /// The function that the path names, for an operation on the whole function.
    pub(crate) fn unqualified_function(&self) -> Result<FunctionArn, ApiError> {
        self.unqualified_function_with(Context::new())
    }

    /// The same, with condition keys that the operation has.
    pub(crate) fn unqualified_function_with(
        &self,
        context: Context,
    ) -> Result<FunctionArn, ApiError> {
        let name = self.matched.parameter("FunctionName");
        let arn = resolve(Naming::Plain, name, None, &self.scope)?;
        self.authorise_with(&arn.scope.account, &arn.to_string(), context)?;
        Ok(arn)
    }
}
