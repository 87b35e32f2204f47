//! Code signing configurations.

use http::Method;
use serde_json::{Map, Value, json};

use super::intent::TAG;
use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};

const PATH: &str = "/2020-04-22/code-signing-configs";

impl Live {
    pub(super) async fn create_signing(&self, it: &Recorded) -> Result<Made, Error> {
        let mut body = members(&it.properties);
        body.insert("Tags".to_owned(), json!({ TAG: it.name }));
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
        let arns = match it.id.as_str() {
            "" => self.unheard_signing(it).await?,
            id => vec![id.to_owned()],
        };
        for arn in arns {
            let path = format!("{PATH}/{}", shape::in_path(&arn));
            lambda(self.api(), Method::DELETE, path, None).await?;
        }
        Ok(())
    }

    /// What a killed deploy has made for this, by its tag.
    async fn unheard_signing(&self, it: &Recorded) -> Result<Vec<String>, Error> {
        let mut ours = Vec::new();
        let path = format!("{PATH}/");
        for config in self.all(&path, "CodeSigningConfigs").await? {
            let arn = shape::told(&config, "CodeSigningConfigArn")?;
            let path = format!("/2017-03-31/tags/{}", shape::in_path(arn));
            let answer = lambda(self.api(), Method::GET, path, None).await?;
            if answer.get("Tags").and_then(|tags| tags.get(TAG)) == Some(&json!(it.name)) {
                ours.push(arn.to_owned());
            }
        }
        Ok(ours)
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
