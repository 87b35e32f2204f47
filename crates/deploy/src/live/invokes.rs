//! How asynchronous invokes are treated.

use http::Method;

use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};

impl Live {
    pub(super) async fn put_invoke_config(&self, to: &Properties) -> Result<Made, Error> {
        let mut body = shape::chosen(
            to,
            &[
                "DestinationConfig",
                "MaximumEventAgeInSeconds",
                "MaximumRetryAttempts",
            ],
        );
        for (name, value) in &mut body {
            if name != "DestinationConfig" {
                shape::numbers(value);
            }
        }
        lambda(self.api(), Method::PUT, path(to)?, Some(&body.into())).await?;
        let (function, qualifier) = names(to)?;
        Ok(Made::new(&format!("{function}:{qualifier}"), []))
    }

    pub(super) async fn delete_invoke_config(&self, it: &Recorded) -> Result<(), Error> {
        lambda(self.api(), Method::DELETE, path(&it.properties)?, None).await?;
        Ok(())
    }
}

fn names(properties: &Properties) -> Result<(&str, &str), Error> {
    Ok((
        shape::needed(properties, "FunctionName")?,
        shape::needed(properties, "Qualifier")?,
    ))
}

pub(super) fn path(properties: &Properties) -> Result<String, Error> {
    let (function, qualifier) = names(properties)?;
    let (function, qualifier) = (shape::in_path(function), shape::in_path(qualifier));
    Ok(format!(
        "/2019-09-25/functions/{function}/event-invoke-config?Qualifier={qualifier}"
    ))
}
