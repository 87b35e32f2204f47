//! Tags, as templates and as APIs write them.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Live, shape};
use crate::api::{Error, lambda};
use crate::record::Properties;
use crate::template::evaluate::text_of;

/// `Tags` of a template, a list of keys and values or SAM's map, as a map.
pub(super) fn map(properties: &Properties) -> Map<String, Value> {
    match properties.get("Tags") {
        Some(Value::Array(items)) => {
            let pair = |item: &Value| {
                let key = item.get("Key").and_then(text_of)?;
                let value = item.get("Value").and_then(text_of).unwrap_or_default();
                Some((key, Value::String(value)))
            };
            items.iter().filter_map(pair).collect()
        }
        Some(tags @ Value::Object(_)) => match shape::texts(tags) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

impl Live {
    /// Brings the tags of a resource of Lambda to what they are to be.
    pub(super) async fn retag(
        &self,
        arn: &str,
        before: &Properties,
        after: &Properties,
    ) -> Result<(), Error> {
        let (before, after) = (map(before), map(after));
        let path = format!("/2017-03-31/tags/{}", wire::uri::encode(arn));
        let gone: Vec<String> = before
            .keys()
            .filter(|key| !after.contains_key(*key))
            .map(|key| format!("tagKeys={}", wire::uri::encode(key)))
            .collect();
        if !gone.is_empty() {
            let target = format!("{path}?{}", gone.join("&"));
            lambda(self.api(), Method::DELETE, target, None).await?;
        }
        if !after.is_empty() && before != after {
            let body = json!({ "Tags": after });
            lambda(self.api(), Method::POST, path, Some(&body)).await?;
        }
        Ok(())
    }
}
