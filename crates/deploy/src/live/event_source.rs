//! Event source mappings.

use http::Method;
use serde_json::{Map, Value, json};

use super::wait::{Look, until};
use super::{Live, Made, shape, tags};
use crate::api::{Error, lambda};
use crate::record::{Properties, Recorded};
use crate::resource::Type;

const PATH: &str = "/2015-03-31/event-source-mappings";

impl Live {
    pub(super) async fn create_mapping(&self, it: &Recorded) -> Result<Made, Error> {
        let mut body = members(&it.properties);
        let fixed = Type::EventSourceMapping.schema().replacing;
        body.extend(shape::chosen(&it.properties, fixed));
        if let Some(source) = body.get_mut("SelfManagedEventSource") {
            kafka(source);
        }
        let tags = tags::map(&it.properties);
        if !tags.is_empty() {
            body.insert("Tags".to_owned(), tags.into());
        }
        let answer = lambda(self.api(), Method::POST, PATH, Some(&body.into())).await?;
        self.mapped(shape::told(&answer, "UUID")?, &answer).await
    }

    pub(super) async fn update_mapping(
        &self,
        before: &Recorded,
        to: &Properties,
    ) -> Result<Made, Error> {
        let mut body = members(to);
        for name in before
            .properties
            .keys()
            .filter(|name| !to.contains_key(*name))
        {
            body.extend(as_if_never_said(name));
        }
        let target = format!("{PATH}/{}", before.id);
        let answer = lambda(self.api(), Method::PUT, target, Some(&body.into())).await?;
        let made = self.mapped(&before.id, &answer).await?;
        let arn = made.attributes.get("EventSourceMappingArn");
        let arn = arn.and_then(Value::as_str).unwrap_or_default();
        self.retag(arn, &before.properties, to).await?;
        Ok(made)
    }

    pub(super) async fn delete_mapping(&self, it: &Recorded) -> Result<(), Error> {
        let id = match it.id.as_str() {
            "" => self.mappings_between(&it.properties).await?.pop(),
            id => Some(id.to_owned()),
        };
        let Some(id) = id else { return Ok(()) };
        let target = format!("{PATH}/{id}");
        lambda(self.api(), Method::DELETE, target.as_str(), None).await?;
        // It goes through "Deleting"; its function must not go before it.
        until("the mapping", || async {
            match lambda(self.api(), Method::GET, target.as_str(), None).await {
                Err(error) if error.is_not_found() => Ok(Look::Done(())),
                Err(error) => Err(error),
                Ok(answer) => Ok(Look::Not(shape::told(&answer, "State")?.to_owned())),
            }
        })
        .await
    }

    /// Mappings of the same function from the same source: one at most, by the server's rule.
    pub(super) async fn mappings_between(
        &self,
        properties: &Properties,
    ) -> Result<Vec<String>, Error> {
        let function = shape::in_path(shape::needed(properties, "FunctionName")?);
        let Some(source) = shape::text(properties, "EventSourceArn") else {
            return Ok(Vec::new());
        };
        let source = wire::uri::encode(source);
        let target = format!("{PATH}/?FunctionName={function}&EventSourceArn={source}");
        let answer = match lambda(self.api(), Method::GET, target, None).await {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            answer => answer?,
        };
        let all = answer.get("EventSourceMappings").and_then(Value::as_array);
        let ids = all
            .into_iter()
            .flatten()
            .filter(|mapping| mapping.get("State").and_then(Value::as_str) != Some("Deleting"));
        ids.map(|mapping| shape::told(mapping, "UUID").map(str::to_owned))
            .collect()
    }

    /// Waits until it is enabled or disabled.
    async fn mapped(&self, id: &str, answer: &Value) -> Result<Made, Error> {
        let target = format!("{PATH}/{id}");
        until("the mapping", || async {
            let answer = lambda(self.api(), Method::GET, target.as_str(), None).await?;
            Ok(match shape::told(&answer, "State")? {
                "Enabled" | "Disabled" => Look::Done(()),
                state => Look::Not(state.to_owned()),
            })
        })
        .await?;
        let arn = answer.get("EventSourceMappingArn").and_then(Value::as_str);
        Ok(Made::new(
            id,
            [
                ("Id", id),
                ("EventSourceMappingArn", arn.unwrap_or_default()),
            ],
        ))
    }
}

/// What can be changed, as the API has it. Tags have operations of their own.
fn members(properties: &Properties) -> Map<String, Value> {
    let mut body = shape::chosen(properties, Type::EventSourceMapping.schema().mutable);
    body.remove("Tags");
    let key = body.remove("KmsKeyArn");
    for (name, value) in &mut body {
        let plain = matches!(
            name.as_str(),
            "DestinationConfig" | "FilterCriteria" | "FunctionName"
        );
        if !plain {
            shape::numbers(value);
        }
    }
    if let Some(key) = key {
        body.insert("KMSKeyArn".to_owned(), key);
    }
    body
}

/// Templates say `KafkaBootstrapServers`, the API in capitals.
fn kafka(source: &mut Value) {
    if let Some(Value::Object(endpoints)) = source.get_mut("Endpoints")
        && let Some(servers) = endpoints.remove("KafkaBootstrapServers")
    {
        endpoints.insert("KAFKA_BOOTSTRAP_SERVERS".to_owned(), servers);
    }
}

/// What undoes a setting that a template does not have any more, where the API can.
fn as_if_never_said(property: &str) -> Option<(String, Value)> {
    let value = match property {
        "Enabled" => json!(true),
        "FilterCriteria" => json!({}),
        "FunctionResponseTypes" => json!([]),
        "DestinationConfig" => json!({ "OnFailure": {} }),
        "MaximumBatchingWindowInSeconds" | "TumblingWindowInSeconds" => json!(0),
        "MaximumRecordAgeInSeconds" | "MaximumRetryAttempts" => json!(-1),
        "ParallelizationFactor" => json!(1),
        "BisectBatchOnFunctionError" => json!(false),
        "ScalingConfig" => json!({}),
        "KmsKeyArn" => return Some(("KMSKeyArn".to_owned(), json!(""))),
        _ => return None,
    };
    Some((property.to_owned(), value))
}
