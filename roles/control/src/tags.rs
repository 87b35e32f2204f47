//! Tags: of functions, event source mappings and code signing configs.

use std::collections::BTreeMap;

use authn::authorisation::{request_tags, resource_tags};
use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use records::code_signing::{CodeSigningConfig, config_key};
use records::event_sources::{Mapping, mapping_key};
use records::functions::{Function, function_key};
use serde::{Deserialize, Serialize};
use settings::functions::check_tags;
use types::{AccountId, FunctionArn, Region, Scope};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::uri::query_pairs;

use crate::answer::{empty, json};
use crate::body::parse_now;
use crate::call::Call;
use crate::failure::Failure;
use crate::function_rows::not_found;
use crate::service::Control;

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
        let Tags { tags: new } = parse_now(call.body)?;
        let resource = self.tagged(call, request_tags(&new)).await?;
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
        let keys: Vec<String> = query_pairs(call.query.unwrap_or_default())
            .filter(|(name, _)| name == "tagKeys")
            .map(|(_, key)| key.into_owned())
            .collect();
        let mut context = Context::new();
        context.set_all("aws:TagKeys", keys.iter().cloned());
        let resource = self.tagged(call, context).await?;
        let remove = |tags: &mut TagMap| {
            tags.retain(|key, _| !keys.contains(key));
            Ok(())
        };
        self.change_tags(&resource, remove).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn list_tags(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        let resource = self.tagged(call, Context::new()).await?;
        let key = resource.key();
        // In every kind of row the tags are the member `tags`.
        let found = self.rows.get::<TaggedRow>(&key).await?;
        let (row, _) = found.ok_or_else(|| resource.missing())?;
        Ok(json(StatusCode::OK, &Tags { tags: row.tags }))
    }

    /// The resource whose ARN the path holds, if the caller may do this to it.
    async fn tagged(&self, call: &Call<'_>, mut context: Context) -> Result<Resource, Failure> {
        let text = call.matched.parameter("Resource");
        let resource = Resource::named(call, text)?;
        // A function's tags are known already.
        if !matches!(resource, Resource::Function(_)) {
            let found = self.rows.get::<TaggedRow>(&resource.key()).await?;
            let tags = found.map(|(row, _)| row.tags).unwrap_or_default();
            context.extend(resource_tags(&tags));
        }
        let scope = resource.scope();
        call.authorise_with(&scope.account, text, context)?;
        match scope.region == call.scope.region {
            true => Ok(resource),
            false => Err(unknown(text).into()),
        }
    }

    async fn change_tags(
        &self,
        resource: &Resource,
        mut change: impl FnMut(&mut TagMap) -> Result<(), ApiError>,
    ) -> Result<(), Failure> {
        let (key, missing) = (resource.key(), || resource.missing());
        match resource {
            Resource::Function(_) => {
                let change = |row: &mut Function| {
                    change(&mut row.tags)?;
                    row.latest.revision_id = self.new_revision_id();
                    Ok(())
                };
                self.rows.alter(&key, missing, change).await?;
            }
            Resource::Mapping(..) => {
                let change = |row: &mut Mapping| change(&mut row.tags);
                self.rows.alter(&key, missing, change).await?;
            }
            Resource::CodeSigning(..) => {
                let change = |row: &mut CodeSigningConfig| change(&mut row.tags);
                self.rows.alter(&key, missing, change).await?;
            }
        }
        Ok(())
    }
}

/// What rows of every kind of resource have in common.
#[derive(Deserialize)]
struct TaggedRow {
    #[serde(default)]
    tags: TagMap,
}

impl Resource {
    /// The resource that an ARN names. The model's pattern has been checked.
    fn named(call: &Call<'_>, text: &str) -> Result<Self, ApiError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (kind, id) = match parts[..] {
            [_, _, _, _, _, "function", ..] => return function(call, text),
            [_, _, _, _, _, kind, id] => (kind, id.to_owned()),
            _ => return Err(unknown(text)),
        };
        let (Ok(region), Ok(account)) = (Region::new(parts[3]), AccountId::new(parts[4])) else {
            return Err(unknown(text));
        };
        let scope = Scope { account, region };
        match kind {
            "event-source-mapping" => Ok(Self::Mapping(scope, id.to_ascii_lowercase())),
            // There are none.
            "capacity-provider" => {
                call.authorise(&scope.account, text)?;
                let message = format!("Capacity provider not found: {text}");
                Err(ApiError::not_found(message))
            }
            "code-signing-config" => Ok(Self::CodeSigning(scope, id)),
            _ => {
                call.authorise(&scope.account, text)?;
                Err(ApiError::not_implemented("tags of layers"))
            }
        }
    }

    fn scope(&self) -> &Scope {
        match self {
            Self::Function(arn) => &arn.scope,
            Self::Mapping(scope, _) | Self::CodeSigning(scope, _) => scope,
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
            Self::Mapping(scope, id) => {
                let Scope { account, region } = scope;
                ApiError::not_found(format!(
                    "Event source mapping not found: \
                     arn:aws:lambda:{region}:{account}:event-source-mapping:{id}"
                ))
            }
            Self::CodeSigning(..) => {
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
    Ok(Resource::Function(arn))
}

fn unknown(text: &str) -> ApiError {
    ApiError::not_found(format!("Resource not found: {text}"))
}
