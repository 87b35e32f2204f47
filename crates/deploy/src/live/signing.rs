//! Code signing configurations.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};

const PATH: &str = "/2020-04-22/code-signing-configs";

impl Live {
    pub(super) async fn create_signing(&self, it: &Recorded) -> Result<Made, Error> {
        let body = members(&it.properties);
        let path = format!("{PATH}/");
        let answer = lambda(self.api(), Method::POST, path, Some(&body.into())).await?;
        made(&answer)
    }

    pub(super) async fn update_signing(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let mut body = members(to);
        body.entry("Description").or_insert_with(|| json!(""));
        body.entry("CodeSigningPolicies")
            .or_insert_with(|| json!({ "UntrustedArtifactOnDeployment": "Warn" }));
        let path = format!("{PATH}/{}", shape::in_path(&before.id));
        let answer = lambda(self.api(), Method::PUT, path, Some(&body.into())).await?;
        made(&answer)
    }

    pub(super) async fn delete_signing(&self, it: &Recorded) -> Result<(), Error> {
        if it.id.is_empty() {
            return Ok(());
        }
        let path = format!("{PATH}/{}", shape::in_path(&it.id));
        lambda(self.api(), Method::DELETE, path, None).await?;
        Ok(())
    }
}

fn members(properties: &Properties) -> Map<String, Value> {
    shape::chosen(
        properties,
        &["AllowedPublishers", "CodeSigningPolicies", "Description"],
    )
}

fn made(answer: &Value) -> Result<Made, Error> {
    let config = answer.get("CodeSigningConfig").cloned().unwrap_or_default();
    let arn = shape::told(&config, "CodeSigningConfigArn")?;
    let id = shape::told(&config, "CodeSigningConfigId")?;
    Ok(Made::new(
        arn,
        [("CodeSigningConfigArn", arn), ("CodeSigningConfigId", id)],
    ))
}
