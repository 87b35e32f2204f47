//! Versions of layers, and who may use them.

use http::Method;
use serde_json::{Value, json};

use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::Recorded;

impl Live {
    pub(super) async fn publish_layer(&self, it: &Recorded) -> Result<Made, Error> {
        let properties = &it.properties;
        let name = shape::text(properties, "LayerName").unwrap_or(&it.name);
        let mut body = shape::chosen(
            properties,
            &[
                "CompatibleArchitectures",
                "CompatibleRuntimes",
                "Description",
                "LicenseInfo",
            ],
        );
        let content = properties.get("Content").cloned().unwrap_or_default();
        body.insert("Content".to_owned(), self.code(&content)?);
        let path = format!("/2018-10-31/layers/{}/versions", shape::in_path(name));
        let answer = lambda(self.api(), Method::POST, path, Some(&body.into())).await?;
        let arn = shape::told(&answer, "LayerVersionArn")?;
        Ok(Made::new(arn, [("LayerVersionArn", arn)]))
    }

    pub(super) async fn delete_layer(&self, it: &Recorded) -> Result<(), Error> {
        let arns = match it.id.as_str() {
            "" => self.unheard_layers(it).await?,
            id => vec![id.to_owned()],
        };
        for arn in arns {
            lambda(self.api(), Method::DELETE, version_path(&arn)?, None).await?;
        }
        Ok(())
    }

    pub(super) async fn allow_layer(&self, it: &Recorded) -> Result<Made, Error> {
        let properties = &it.properties;
        let path = version_path(shape::needed(properties, "LayerVersionArn")?)?;
        let mut body = shape::chosen(properties, &["Action", "OrganizationId", "Principal"]);
        body.insert("StatementId".to_owned(), json!(it.name));
        let principal = properties.get("Principal").cloned();
        body.insert(
            "Principal".to_owned(),
            principal.map_or(Value::Null, account),
        );
        let target = format!("{path}/policy");
        lambda(self.api(), Method::POST, target, Some(&body.into())).await?;
        Ok(Made::new(&it.name, []))
    }

    pub(super) async fn forbid_layer(&self, it: &Recorded) -> Result<(), Error> {
        let path = version_path(shape::needed(&it.properties, "LayerVersionArn")?)?;
        let target = format!("{path}/policy/{}", shape::in_path(&it.name));
        lambda(self.api(), Method::DELETE, target, None).await?;
        Ok(())
    }
}

/// An account's id may have been written as a number.
fn account(value: Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        other => other,
    }
}

/// `arn:aws:lambda:<region>:<account>:layer:<name>:<version>` as a path.
fn version_path(arn: &str) -> Result<String, Error> {
    let (layer, version) = arn
        .rsplit_once(':')
        .ok_or_else(|| Error::Failed(format!("{arn} is not the ARN of a layer version")))?;
    Ok(format!(
        "/2018-10-31/layers/{}/versions/{}",
        shape::in_path(layer),
        shape::in_path(version)
    ))
}
