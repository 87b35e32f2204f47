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
        let made = lambda(self.api(), Method::POST, PATH, Some(&body.into())).await;
        let answer = match made {
            // A deploy that was killed made it, and could not say so: it is named in the refusal.
            Err(Error::Refused {
                status: 409,
                message,
                ..
            }) if it.resumed => {
                let id = uuid(&message).map(str::to_owned);
                let id = id.ok_or(Error::Failed(message))?;
                let target = format!("{PATH}/{id}");
                lambda(self.api(), Method::GET, target, None).await?
            }
            answer => answer?,
        };
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
        if it.id.is_empty() {
            return Ok(());
        }
        let target = format!("{PATH}/{}", it.id);
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

/// The first UUID in a text.
fn uuid(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        .find(|word| word.len() == 36 && word.matches('-').count() == 4)
}
