//! What is attached to one qualifier of a function: written only while the qualifier exists.

use serde::Serialize;
use storage::Expect;
use types::{FunctionArn, Qualifier};
use wire::ApiError;

use records::functions::{Function, attached_key};

use crate::failure::Failure;
use crate::service::Control;

impl Control {
    /// The function, if it and its qualifier exist.
    pub(crate) async fn attachable(&self, arn: &FunctionArn) -> Result<Function, Failure> {
        let (function, _) = self.functions.existing(arn).await?;
        self.version_of(&function, arn).await?;
        Ok(function)
    }

    /// Writes a row; `false` if it is not as expected. If the qualifier is deleted meanwhile, its rows
    /// may have been swept before this one existed: then the write is undone.
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

/// The error for a missing alias of operations on aliases, permissions and provisioned concurrency. The
/// alias is missing too if its function is.
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

/// The error for a missing function of operations on its settings.
pub(crate) fn function_missing(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(error) if error.status == http::StatusCode::NOT_FOUND => {
            ApiError::not_found("The function doesn't exist.").into()
        }
        other => other,
    }
}
