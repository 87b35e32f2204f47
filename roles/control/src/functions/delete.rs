//! DeleteFunction: the whole function, or one published version.
//!
//! Packages stay in the image store: equal ones are kept once and may belong to another version;
//! [`crate::unused_packages`] finds out.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{Alias, Function};
use storage::Expect;
use types::{FunctionArn, Qualifier, Version};
use wire::ApiError;
use wire::function_name::Naming;

use crate::answer::empty;
use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

impl Control {
    pub(crate) async fn delete_function(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Namespaced)?;
        match &arn.qualifier {
            None => self.functions.delete_function(&arn).await?,
            Some(Qualifier::Version(Version::Latest)) => {
                return Err(ApiError::invalid_parameter(
                    "$LATEST version cannot be deleted without deleting the function.",
                )
                .into());
            }
            Some(Qualifier::Version(Version::Published(number))) => {
                self.delete_version(&arn, *number).await?;
            }
            Some(Qualifier::Alias(_)) => {
                let message = "Deletion of aliases is not currently supported.";
                return Err(ApiError::invalid_parameter(message).into());
            }
        }
        // Environments of what was deleted are released.
        self.provision();
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// A missing version counts as deleted; one that an alias points at stays. An alias that is made to
    /// point at it meanwhile is seen by the second check, and the version is restored; see also
    /// `write_alias`.
    async fn delete_version(&self, arn: &FunctionArn, number: u64) -> Result<(), Failure> {
        let function = FunctionArn {
            qualifier: None,
            ..arn.clone()
        };
        let (scope, name) = (&arn.scope, &arn.name);
        let (row, _) = self.functions.existing(&function).await?;
        self.refuse_if_referred(arn, number).await?;
        let found = self.functions.version(scope, name, number).await?;
        let Some((version, revision)) = found.filter(|_| number <= row.published) else {
            return Ok(());
        };
        self.functions
            .delete_version(scope, name, number, Expect::Revision(revision))
            .await?;
        if let Err(refusal) = self.refuse_if_referred(arn, number).await {
            self.functions
                .put_version(scope, name, number, &version, Expect::Absent)
                .await?;
            return Err(refusal);
        }
        self.functions.detach(arn).await?;
        // If the last version was deleted, publishing makes a new one even if nothing changed.
        let forget = |function: &mut Function| {
            if function.published == number {
                function.published_generation = 0;
            }
            Ok(())
        };
        if number == row.published {
            self.functions.change(&function, forget).await?;
        }
        Ok(())
    }

    async fn refuse_if_referred(&self, arn: &FunctionArn, number: u64) -> Result<(), Failure> {
        let version = Version::Published(number);
        let aliases = self.functions.aliases(&arn.scope, &arn.name).await?;
        let refers = |alias: &&Alias| {
            let additional = alias.additional.map(|(other, _)| other);
            alias.version == version || additional == Some(version)
        };
        let referring: Vec<&str> = aliases
            .iter()
            .filter(refers)
            .map(|alias| alias.name.as_str())
            .collect();
        if referring.is_empty() {
            return Ok(());
        }
        Err(ApiError::conflict(format!(
            "Unable to delete version because the following aliases reference it: [{}]",
            referring.join(", ")
        ))
        .into())
    }
}
