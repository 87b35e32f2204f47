//! Functions' URLs.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};

impl Live {
    pub(super) async fn create_url(&self, it: &Recorded) -> Result<Made, Error> {
        let body = members(&it.properties);
        let path = path(&it.properties)?;
        let answer = lambda(self.api(), Method::POST, path, Some(&body.into())).await?;
        made(&answer)
    }

    pub(super) async fn update_url(&self, _: &Recorded, to: &Properties) -> Result<Made, Error> {
        let mut body = members(to);
        body.entry("Cors").or_insert_with(|| json!({}));
        body.entry("InvokeMode")
            .or_insert_with(|| json!("BUFFERED"));
        let answer = lambda(self.api(), Method::PUT, path(to)?, Some(&body.into())).await?;
        made(&answer)
    }

    pub(super) async fn delete_url(&self, it: &Recorded) -> Result<(), Error> {
        lambda(self.api(), Method::DELETE, path(&it.properties)?, None).await?;
        Ok(())
    }
}

fn members(properties: &Properties) -> Map<String, Value> {
    let mut body = shape::chosen(properties, &["AuthType", "Cors", "InvokeMode"]);
    if let Some(cors) = body.get_mut("Cors") {
        shape::numbers(cors);
    }
    body
}

pub(super) fn path(properties: &Properties) -> Result<String, Error> {
    let function = shape::needed(properties, "TargetFunctionArn")?;
    let qualifier = shape::text(properties, "Qualifier");
    let qualifier = qualifier.map(|qualifier| format!("?Qualifier={}", shape::in_path(qualifier)));
    Ok(format!(
        "/2021-10-31/functions/{}/url{}",
        shape::in_path(function),
        qualifier.unwrap_or_default()
    ))
}

fn made(answer: &Value) -> Result<Made, Error> {
    let arn = shape::told(answer, "FunctionArn")?;
    let url = shape::told(answer, "FunctionUrl")?;
    Ok(Made::new(arn, [("FunctionArn", arn), ("FunctionUrl", url)]))
}
