//! Tags of functions.

use std::collections::BTreeMap;

use api::functions::Function;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use types::FunctionArn;
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::uri::query_pairs;
use wire::validation::{Pattern, Violations};

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::failure::Failure;
use crate::functions::rules::check_tags;
use crate::service::{Call, Control};

const TAGGABLE: Pattern = Pattern {
    text: r"arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
    matches: |text| match text.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "lambda", region, account, kind, name, ..] => {
            partition.starts_with("aws")
                && types::Region::new(region).is_ok()
                && types::AccountId::new(account).is_ok()
                && KINDS.contains(kind)
                && !name.is_empty()
        }
        _ => false,
    },
};
/// What can have tags.
const KINDS: [&str; 4] = [
    "function",
    "code-signing-config",
    "event-source-mapping",
    "capacity-provider",
];
/// Longest ARN (the public model).
const RESOURCE_CHARACTERS_MAX: usize = 256;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tags<'t> {
    tags: &'t BTreeMap<String, String>,
}

impl Control {
    pub(crate) async fn tag_resource(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = resource(call)?;
        let body: Body = parse_now(call.body)?;
        let mut violations = Violations::new();
        violations.required("tags", body.tags.as_ref());
        violations.finish()?;
        let new = body.tags.unwrap_or_default();
        if new.is_empty() {
            let message = "An error occurred and the request cannot be processed.";
            return Err(ApiError::invalid_parameter(message).into());
        }
        check_tags(&new)?;
        let add = |function: &mut Function| {
            let mut tags = function.tags.clone();
            tags.extend(new.clone());
            check_tags(&tags)?;
            function.tags = tags;
            Ok(())
        };
        self.rows.change(&arn, add).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn untag_resource(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = resource(call)?;
        let keys: Vec<String> = query_pairs(call.query.unwrap_or_default())
            .filter(|(name, _)| name == "tagKeys")
            .map(|(_, key)| key.into_owned())
            .collect();
        let mut violations = Violations::new();
        violations.required("tagKeys", keys.first());
        violations.finish()?;
        let remove = |function: &mut Function| {
            function.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        };
        self.rows.change(&arn, remove).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn list_tags(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let arn = resource(call)?;
        let (function, _) = self.rows.existing(&arn).await?;
        Ok(json(
            StatusCode::OK,
            &Tags {
                tags: &function.tags,
            },
        ))
    }
}

/// The function whose ARN the path holds.
fn resource(call: &Call<'_>) -> Result<FunctionArn, ApiError> {
    let text = call.matched.parameter("Resource");
    let mut violations = Violations::new();
    violations.pattern("resource", Some(text), TAGGABLE);
    violations.length("resource", Some(text), 1, RESOURCE_CHARACTERS_MAX);
    violations.finish()?;
    if text.split(':').nth(5) != Some("function") {
        return Err(ApiError::not_implemented("tags of anything but functions"));
    }
    let arn = resolve(Naming::Plain, text, None, &call.scope)?;
    if arn.qualifier.is_some() {
        return Err(ApiError::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    call.authorise(&arn.scope.account, text)?;
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_have_tags_is_named_by_a_full_arn() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert!((TAGGABLE.matches)(arn));
        assert!((TAGGABLE.matches)(&format!("{arn}:1")));
        for bad in [
            "f",
            "arn:aws:s3:::b",
            "arn:aws:lambda:us-east-1:0:function:f",
            "arn:aws:lambda:us-east-1:000000000000:layer:l",
        ] {
            assert!(!(TAGGABLE.matches)(bad), "{bad}");
        }
    }
}
