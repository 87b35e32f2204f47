//! Layers and their versions as the API returns them.

use records::layers::LayerVersion;
use serde::Serialize;
use types::LayerArn;

/// `PublishLayerVersionResponse` and `GetLayerVersionResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionAnswer<'v> {
    content: Content<'v>,
    layer_arn: String,
    #[serde(flatten)]
    version: LayerVersionItem<'v>,
}

/// `LayerVersionsListItem`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionItem<'v> {
    layer_version_arn: String,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'v str>,
    created_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatible_runtimes: Option<&'v [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_info: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatible_architectures: Option<&'v [String]>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content<'v> {
    location: String,
    code_sha256: &'v str,
    code_size: u64,
}

impl<'v> LayerVersionAnswer<'v> {
    /// A version whose package a caller finds at `location`.
    pub fn new(layer: &LayerArn, version: &'v LayerVersion, location: String) -> Self {
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
    /// As lists return it: without a description if there is none.
    pub fn listed(layer: &LayerArn, version: &'v LayerVersion) -> Self {
        let mut item = Self::new(layer, version);
        item.description = item.description.filter(|text| !text.is_empty());
        item
    }

    fn new(layer: &LayerArn, version: &'v LayerVersion) -> Self {
        Self {
            layer_version_arn: layer.version(version.number).to_string(),
            version: version.number,
            description: Some(&version.description),
            created_date: version.created.to_lambda_text(),
            compatible_runtimes: version.runtimes.as_deref(),
            license_info: version.license.as_deref(),
            compatible_architectures: version.architectures.as_deref(),
        }
    }
}
