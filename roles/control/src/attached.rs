//! What is attached to one qualifier of a function: written only while the qualifier is there.

use serde::Serialize;
use storage::Expect;
use types::{FunctionArn, Qualifier};
use wire::ApiError;

use records::functions::{Function, attached_key};

use crate::failure::Failure;
use crate::service::Control;

impl Control {
    /// The function, if it and its qualifier are there.
    pub(crate) async fn attachable(&self, arn: &FunctionArn) -> Result<Function, Failure> {
        let (function, _) = self.functions.existing(arn).await?;
        self.version_of(&function, arn).await?;
        Ok(function)
    }

    /// Writes a row; `false` if it is not as expected. If the qualifier is deleted meanwhile, its
    /// rows may have been swept before this one was there: then it is taken back.
    pub(crate) async fn attach(
        &self,
        kind: &str,
        arn: &FunctionArn,
        row: &impl Serialize,
        expect: Expect,
    ) -> Result<bool, Failure> {
        let key = attached_key(kind, arn);
        let Some(revision) = self.rows.put(&key, row, expect).await? else {
            return Ok(false);
        };
        if let Err(gone) = self.attachable(arn).await {
            self.rows.delete(&key, Expect::Revision(revision)).await?;
            return Err(gone);
        }
        Ok(true)
    }
}

/// Says of an alias that is not there what operations on aliases, permissions and provisioned
/// concurrency say. It is not there either if its function is not.
pub(crate) fn alias_missing(arn: &FunctionArn) -> impl Fn(Failure) -> Failure {
    move |failure| match (failure, &arn.qualifier) {
        (Failure::Refused(error), Some(Qualifier::Alias(_)))
            if error.status == http::StatusCode::NOT_FOUND =>
        {
            ApiError::not_found(format!("Cannot find alias arn: {arn}")).into()
        }
        (failure, _) => failure,
    }
}

/// Says of a function that is not there what operations on its settings say.
pub(crate) fn function_missing(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(error) if error.status == http::StatusCode::NOT_FOUND => {
            ApiError::not_found("The function doesn't exist.").into()
        }
        other => other,
    }
}
