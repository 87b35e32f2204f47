//! Layers: packages that functions share, found at `/opt`.
//!
//! ```text
//!   publish: package ─▶ a number, by compare-and-set ─▶ the version's row ─▶ answered
//! ```
//!
//! A version never changes. A function that uses one keeps what it needs of it
//! (`records::functions::Layer`), so that deleting the version does not affect the function.

mod list;
mod name;
mod permissions;

use bytes::Bytes;
use http::{Response, StatusCode};
use records::layers::{Layer, LayerVersion, layer_key, layer_version_key};
use serde::Deserialize;
use settings::layers::LayerVersionAnswer;
use storage::Expect;
use tables::TRIES_MAX;
use types::{ForCallers as _, LayerArn, LayerVersionArn};
use wire::ApiError;
use wire::rest::Operation;
use wire::uri::query_value;

use crate::answer::{empty, json};
use crate::body::parse;
use crate::call::Call;
use crate::failure::Failure;
use crate::functions::package::CodeMembers;
use crate::service::Control;
use name::{named, named_version};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    description: Option<String>,
    content: Option<CodeMembers>,
    compatible_runtimes: Option<Vec<String>>,
    compatible_architectures: Option<Vec<String>>,
    license_info: Option<String>,
}

impl Control {
    pub(crate) async fn publish_layer_version(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named(call)?;
        call.authorise(&arn.scope.account, &arn.to_string())?;
        let body: Body = parse(call.body).await?;
        let content = body.content.unwrap_or_default();
        let package = self
            .publish_code(call, content, (Operation::PublishLayerVersion, &arn.scope))
            .await?;
        let version = LayerVersion {
            number: self.next_number(&arn).await?,
            description: body.description.unwrap_or_default(),
            license: body.license_info,
            runtimes: body.compatible_runtimes,
            architectures: body.compatible_architectures,
            image: package.image,
            sha256: package.sha256_base64,
            bytes: package.bytes,
            unpacked_bytes: package.unpacked_bytes,
            created: self.clock.now(),
            policy: None,
        };
        let key = layer_version_key(&arn.scope, &arn.name, version.number);
        let written = self.rows.put(&key, &version, Expect::Absent).await?;
        // No other request was given this number.
        written.ok_or(Failure::contended(key))?;
        let location = self.code_link(call, &version.image);
        Ok(json(
            StatusCode::CREATED,
            &LayerVersionAnswer::new(&arn, &version, location),
        ))
    }

    pub(crate) async fn get_layer_version(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named_version(call)?;
        self.answer_layer_version(call, &arn).await
    }

    pub(crate) async fn get_layer_version_by_arn(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let text = query_value(call.query, "Arn").unwrap_or_default();
        let arn = LayerVersionArn::parse(&text)
            .map_err(|error| ApiError::invalid_parameter(error.told()))?;
        self.answer_layer_version(call, &arn).await
    }

    /// Deleting a version that does not exist is fine.
    pub(crate) async fn delete_layer_version(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named_version(call)?;
        call.authorise(&arn.layer.scope.account, &arn.to_string())?;
        self.rows.delete(&key(&arn), Expect::Any).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// The version, if it exists and the caller may use it.
    pub(crate) async fn usable_layer_version(
        &self,
        call: &Call<'_>,
        arn: &LayerVersionArn,
    ) -> Result<Option<LayerVersion>, Failure> {
        let found = self.rows.get::<LayerVersion>(&key(arn)).await?;
        let version = found.map(|(version, _)| version);
        let policy = version.as_ref().and_then(|v| v.policy.as_ref());
        // For either use of the layer: reading it, or giving it to a function.
        let action = Operation::GetLayerVersion.action();
        call.authorise_by(action, policy, &arn.layer.scope.account, &arn.to_string())?;
        Ok(version)
    }

    async fn answer_layer_version(
        &self,
        call: &Call<'_>,
        arn: &LayerVersionArn,
    ) -> Result<Response<Bytes>, Failure> {
        let version = self.usable_layer_version(call, arn).await?;
        let version = version
            .ok_or_else(|| ApiError::not_found("The resource you requested does not exist."))?;
        let location = self.code_link(call, &version.image);
        Ok(json(
            StatusCode::OK,
            &LayerVersionAnswer::new(&arn.layer, &version, location),
        ))
    }

    /// A number that no version of the layer had or will have.
    async fn next_number(&self, arn: &LayerArn) -> Result<u64, Failure> {
        let key = layer_key(&arn.scope, &arn.name);
        for _ in 0..TRIES_MAX {
            let (mut layer, expect) = match self.rows.get::<Layer>(&key).await? {
                Some((layer, revision)) => (layer, Expect::Revision(revision)),
                None => {
                    let layer = Layer {
                        scope: arn.scope.clone(),
                        name: arn.name.clone(),
                        published: 0,
                    };
                    (layer, Expect::Absent)
                }
            };
            layer.published += 1;
            if self.rows.put(&key, &layer, expect).await?.is_some() {
                return Ok(layer.published);
            }
        }
        Err(Failure::contended(key))
    }
}

fn key(arn: &LayerVersionArn) -> String {
    layer_version_key(&arn.layer.scope, &arn.layer.name, arn.number)
}
