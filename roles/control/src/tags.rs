//! Tags: of functions, event source mappings and code signing configs.

use std::collections::BTreeMap;

use api::code_signing::{CodeSigningConfig, config_key};
use api::event_sources::{Mapping, mapping_key};
use api::functions::{Function, function_key};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use types::{AccountId, FunctionArn, Region, Scope};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::uri::query_pairs;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::failure::Failure;
use crate::functions::rules::check_tags;
use crate::rows::not_found;
use crate::service::{Call, Control};

type TagMap = BTreeMap<String, String>;

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Tags {
    tags: TagMap,
}

/// Something that has tags.
enum Resource {
    Function(FunctionArn),
    Mapping(Scope, String),
    CodeSigning(Scope, String),
}

impl Control {
    pub(crate) async fn tag_resource(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let resource = Resource::named(call)?;
        let Tags { tags: new } = parse_now(call.body)?;
        if new.is_empty() {
            let message = "An error occurred and the request cannot be processed.";
            return Err(ApiError::invalid_parameter(message).into());
        }
        check_tags(&new)?;
        let add = |tags: &mut TagMap| {
            let mut all = tags.clone();
            all.extend(new.clone());
            check_tags(&all)?;
            *tags = all;
            Ok(())
        };
        self.change_tags(&resource, add).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn untag_resource(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let resource = Resource::named(call)?;
        let keys: Vec<String> = query_pairs(call.query.unwrap_or_default())
            .filter(|(name, _)| name == "tagKeys")
            .map(|(_, key)| key.into_owned())
            .collect();
        let remove = |tags: &mut TagMap| {
            tags.retain(|key, _| !keys.contains(key));
            Ok(())
        };
        self.change_tags(&resource, remove).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn list_tags(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let resource = Resource::named(call)?;
        let key = resource.key();
        // Of every kind of row the tags are the member `tags`.
        let found = self.rows.get::<TaggedRow>(&key).await?;
        let (row, _) = found.ok_or_else(|| resource.missing())?;
        Ok(json(StatusCode::OK, &Tags { tags: row.tags }))
    }

    async fn change_tags(
        &self,
        resource: &Resource,
        mut change: impl FnMut(&mut TagMap) -> Result<(), ApiError>,
    ) -> Result<(), Failure> {
        let (key, missing) = (resource.key(), || resource.missing());
        match resource {
            Resource::Function(_) => {
                let change = |row: &mut Function| change(&mut row.tags);
                self.rows.alter(&key, missing, change).await.map(|_| ())
            }
            Resource::Mapping(..) => {
                let change = |row: &mut Mapping| change(&mut row.tags);
                self.rows.alter(&key, missing, change).await.map(|_| ())
            }
            Resource::CodeSigning(..) => {
                let change = |row: &mut CodeSigningConfig| change(&mut row.tags);
                self.rows.alter(&key, missing, change).await.map(|_| ())
            }
        }
    }
}

/// What rows of every kind of resource have in common.
#[derive(Deserialize)]
struct TaggedRow {
    #[serde(default)]
    tags: TagMap,
}

impl Resource {
    /// The resource whose ARN the path holds, if the caller may do this to it. The model's pattern
    /// has been checked.
    fn named(call: &Call<'_>) -> Result<Self, ApiError> {
        let text = call.matched.parameter("Resource");
        let parts: Vec<&str> = text.split(':').collect();
        let (kind, id) = match parts[..] {
            [_, _, _, _, _, "function", ..] => return function(call, text),
            [_, _, _, _, _, kind, id] => (kind, id.to_owned()),
            _ => return Err(unknown(text)),
        };
        let (Ok(region), Ok(account)) = (Region::new(parts[3]), AccountId::new(parts[4])) else {
            return Err(unknown(text));
        };
        call.authorise(&account, text)?;
        let scope = Scope { account, region };
        if scope.region != call.scope.region {
            return Err(unknown(text));
        }
        match kind {
            "event-source-mapping" => Ok(Self::Mapping(scope, id.to_ascii_lowercase())),
            "code-signing-config" => Ok(Self::CodeSigning(scope, id)),
            _ => Err(ApiError::not_implemented("capacity providers")),
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Function(arn) => function_key(&arn.scope, &arn.name),
            Self::Mapping(scope, id) => mapping_key(scope, id),
            Self::CodeSigning(scope, id) => config_key(scope, id),
        }
    }

    fn missing(&self) -> ApiError {
        match self {
            Self::Function(arn) => not_found(arn),
            Self::Mapping(..) | Self::CodeSigning(..) => {
                ApiError::not_found("The resource you requested does not exist.")
            }
        }
    }
}

fn function(call: &Call<'_>, text: &str) -> Result<Resource, ApiError> {
    let arn = resolve(Naming::Plain, text, None, &call.scope)?;
    if arn.qualifier.is_some() {
        return Err(ApiError::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    call.authorise(&arn.scope.account, text)?;
    Ok(Resource::Function(arn))
}

fn unknown(text: &str) -> ApiError {
    ApiError::not_found(format!("Resource not found: {text}"))
}
