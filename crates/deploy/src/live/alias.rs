//! Aliases.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};
use crate::template::evaluate::text_of;

impl Live {
    pub(super) async fn create_alias(&self, it: &Recorded) -> Result<Made, Error> {
        let properties = &it.properties;
        let (function, name) = names(properties)?;
        let mut body = members(properties);
        body.insert("Name".to_owned(), name.into());
        let path = format!("/2015-03-31/functions/{}/aliases", shape::in_path(function));
        let answer = lambda(self.api(), Method::POST, path, Some(&body.into())).await?;
        self.provision(function, name, &Properties::new(), properties)
            .await?;
        made(&answer)
    }

    pub(super) async fn update_alias(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let (function, name) = names(to)?;
        let mut body = members(to);
        body.entry("Description").or_insert_with(|| json!(""));
        body.entry("RoutingConfig")
            .or_insert_with(|| json!({ "AdditionalVersionWeights": {} }));
        let path = path(function, name);
        let answer = lambda(self.api(), Method::PUT, path, Some(&body.into())).await?;
        self.provision(function, name, &before.properties, to)
            .await?;
        made(&answer)
    }

    pub(super) async fn delete_alias(&self, it: &Recorded) -> Result<(), Error> {
        let (function, name) = names(&it.properties)?;
        lambda(self.api(), Method::DELETE, path(function, name), None).await?;
        Ok(())
    }
}

fn names(properties: &Properties) -> Result<(&str, &str), Error> {
    Ok((
        shape::needed(properties, "FunctionName")?,
        shape::needed(properties, "Name")?,
    ))
}

/// Where Lambda tells of it.
pub(super) fn path_of(properties: &Properties) -> Result<String, Error> {
    let (function, name) = names(properties)?;
    Ok(path(function, name))
}

fn path(function: &str, name: &str) -> String {
    let (function, name) = (shape::in_path(function), shape::in_path(name));
    format!("/2015-03-31/functions/{function}/aliases/{name}")
}

fn made(answer: &Value) -> Result<Made, Error> {
    let arn = shape::told(answer, "AliasArn")?;
    Ok(Made::new(arn, [("AliasArn", arn)]))
}

/// Templates have the weights as a list, the API as a map.
fn members(properties: &Properties) -> Map<String, Value> {
    let mut body = shape::chosen(properties, &["Description", "RoutingConfig"]);
    let version = properties.get("FunctionVersion").and_then(text_of);
    body.insert("FunctionVersion".to_owned(), version.into());
    if let Some(routing) = body.get_mut("RoutingConfig")
        && let Some(Value::Array(weights)) = routing.get("AdditionalVersionWeights")
    {
        let pair = |weight: &Value| {
            let version = weight.get("FunctionVersion").and_then(text_of)?;
            Some((version, weight.get("FunctionWeight")?.clone()))
        };
        let weights: Map<String, Value> = weights.iter().filter_map(pair).collect();
        *routing = json!({ "AdditionalVersionWeights": weights });
    }
    body
}
