//! Published versions, and provisioned concurrency of them and of aliases.

use http::Method;
use serde_json::{Value, json};

use super::wait::{Look, until};
use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};

impl Live {
    pub(super) async fn publish_version(&self, it: &Recorded) -> Result<Made, Error> {
        let properties = &it.properties;
        let function = shape::needed(properties, "FunctionName")?;
        let body = shape::chosen(properties, &["CodeSha256", "Description"]);
        let path = format!(
            "/2015-03-31/functions/{}/versions",
            shape::in_path(function)
        );
        let answer = lambda(self.api(), Method::POST, path, Some(&body.into())).await?;
        let arn = shape::told(&answer, "FunctionArn")?;
        let number = shape::told(&answer, "Version")?;
        self.settled(function, Some(number)).await?;
        self.provision(function, number, &Properties::new(), properties)
            .await?;
        Ok(made(arn, number))
    }

    pub(super) async fn update_version(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let function = shape::needed(&before.properties, "FunctionName")?;
        let number = number(before);
        self.provision(function, number, &before.properties, to)
            .await?;
        Ok(made(&before.id, number))
    }

    pub(super) async fn delete_version(&self, it: &Recorded) -> Result<(), Error> {
        let numbers = match number(it) {
            "" => self.unheard_versions(it).await?,
            number if Self::was_there(it, number) => Vec::new(),
            number => vec![number.to_owned()],
        };
        let function = shape::needed(&it.properties, "FunctionName")?;
        let function = shape::in_path(function);
        for number in numbers {
            let path = format!("/2015-03-31/functions/{function}?Qualifier={number}");
            lambda(self.api(), Method::DELETE, path, None).await?;
        }
        Ok(())
    }

    /// Brings provisioned concurrency to what it is to be, and waits until it is there.
    pub(super) async fn provision(
        &self,
        function: &str,
        qualifier: &str,
        before: &Properties,
        to: &Properties,
    ) -> Result<(), Error> {
        let property = "ProvisionedConcurrencyConfig";
        if before.get(property) == to.get(property) {
            return Ok(());
        }
        let path = format!(
            "/2019-09-30/functions/{}/provisioned-concurrency?Qualifier={}",
            shape::in_path(function),
            shape::in_path(qualifier)
        );
        let wanted = to
            .get(property)
            .and_then(|config| config.get("ProvisionedConcurrentExecutions"));
        let Some(wanted) = wanted else {
            return match lambda(self.api(), Method::DELETE, path, None).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            };
        };
        let mut count = wanted.clone();
        shape::numbers(&mut count);
        let body = json!({ "ProvisionedConcurrentExecutions": count });
        lambda(self.api(), Method::PUT, path.as_str(), Some(&body)).await?;
        until(
            &format!("provisioned concurrency of {function}"),
            || async {
                let answer = lambda(self.api(), Method::GET, path.as_str(), None).await?;
                Ok(match shape::told(&answer, "Status")? {
                    "READY" => Look::Done(()),
                    "FAILED" => {
                        let reason = answer.get("StatusReason").and_then(Value::as_str);
                        Look::Failed(reason.unwrap_or_default().to_owned())
                    }
                    status => Look::Not(status.to_owned()),
                })
            },
        )
        .await
    }
}

fn made(arn: &str, number: &str) -> Made {
    Made::new(arn, [("Version", number), ("FunctionArn", arn)])
}

fn number(it: &Recorded) -> &str {
    let number = it.attributes.get("Version").and_then(Value::as_str);
    number.unwrap_or_default()
}
