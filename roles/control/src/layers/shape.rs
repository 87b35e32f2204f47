//! Layers and their versions as they are answered.

use api::layers::LayerVersion;
use serde::Serialize;
use types::LayerArn;

/// `PublishLayerVersionResponse` and `GetLayerVersionResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LayerVersionAnswer<'v> {
    content: Content<'v>,
    layer_arn: String,
    #[serde(flatten)]
    version: LayerVersionItem<'v>,
}

/// `LayerVersionsListItem`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LayerVersionItem<'v> {
    layer_version_arn: String,
    version: u64,
    description: &'v str,
    created_date: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    compatible_runtimes: &'v [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    license_info: Option<&'v str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    compatible_architectures: &'v [String],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content<'v> {
    location: String,
    code_sha256: &'v str,
    code_size: u64,
}

impl<'v> LayerVersionAnswer<'v> {
    pub(super) fn new(layer: &LayerArn, version: &'v LayerVersion, location: String) -> Self {
        Self {
            content: Content {
                location,
                code_sha256: &version.sha256,
                code_size: version.bytes,
            },
            layer_arn: layer.to_string(),
            version: LayerVersionItem::new(layer, version),
        }
    }
}

impl<'v> LayerVersionItem<'v> {
    pub(super) fn new(layer: &LayerArn, version: &'v LayerVersion) -> Self {
        Self {
            layer_version_arn: layer.version(version.number).to_string(),
            version: version.number,
            description: &version.description,
            created_date: version.created.to_lambda_text(),
            compatible_runtimes: &version.runtimes,
            license_info: version.license.as_deref(),
            compatible_architectures: &version.architectures,
        }
    }
}
