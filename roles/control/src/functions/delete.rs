//! DeleteFunction: the whole function, or one published version.

use api::functions::Function;
use bytes::Bytes;
use http::{Response, StatusCode};
use storage::Expect;
use types::{FunctionArn, Qualifier, Version};
use wire::ApiError;
use wire::function_name::Naming;

use crate::answer::empty;
use crate::failure::Failure;
use crate::service::{Call, Control};

impl Control {
    pub(crate) async fn delete_function(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = call.function(Naming::Namespaced)?;
        match &arn.qualifier {
            None => self.rows.delete_function(&arn).await?,
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
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// A version that is not there is deleted already; one that an alias points at stays.
    async fn delete_version(&self, arn: &FunctionArn, number: u64) -> Result<(), Failure> {
        let function = FunctionArn {
            qualifier: None,
            ..arn.clone()
        };
        let (row, _) = self.rows.existing(&function).await?;
        let version = Version::Published(number);
        let aliases = self.rows.aliases(&arn.scope, &arn.name).await?;
        let referring: Vec<String> = aliases
            .iter()
            .filter(|alias| {
                alias.version == version
                    || alias.additional.is_some_and(|(other, _)| other == version)
            })
            .map(|alias| alias.name.to_string())
            .collect();
        if !referring.is_empty() {
            return Err(ApiError::conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                referring.join(", ")
            ))
            .into());
        }
        if number <= row.published {
            self.rows
                .delete_version(&arn.scope, &arn.name, number, Expect::Any)
                .await?;
        }
        if number == row.published {
            // The last version is no more: publishing makes a new one even if nothing changed.
            let forget = |function: &mut Function| {
                if function.published == number {
                    function.published_generation = 0;
                }
                Ok(())
            };
            self.rows.change(&function, forget).await?;
        }
        Ok(())
    }
}
