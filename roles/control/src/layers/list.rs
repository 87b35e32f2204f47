//! ListLayers and ListLayerVersions.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::layers::{Layer, LayerVersion, layer_versions_prefix, layers_prefix};
use serde::Serialize;
use settings::layers::LayerVersionItem;
use tables::decode;
use types::LayerArn;
use wire::ApiError;
use wire::uri::query_value;
use wire::validation::Violations;

use super::name::{check_runtime, named};
use crate::answer::json;
use crate::call::Call;
use crate::failure::Failure;
use crate::page::Page;
use crate::service::Control;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListLayers<'v> {
    layers: Vec<LayerItem<'v>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LayerItem<'v> {
    layer_name: &'v str,
    layer_arn: String,
    latest_matching_version: LayerVersionItem<'v>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListLayerVersions<'v> {
    layer_versions: Vec<LayerVersionItem<'v>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// Which versions are requested.
struct Wanted {
    runtime: Option<String>,
    architecture: Option<String>,
}

impl Wanted {
    fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let value = |name| query_value(query, name).map(|value| value.into_owned());
        let wanted = Self {
            runtime: value("CompatibleRuntime"),
            architecture: value("CompatibleArchitecture"),
        };
        let mut violations = Violations::new();
        check_runtime(wanted.runtime.as_deref(), &mut violations);
        violations.finish()?;
        Ok(wanted)
    }

    /// A version without declared compatibility is not found by a filter.
    fn matches(&self, version: &LayerVersion) -> bool {
        let has = |list: &Option<Vec<String>>, wanted: Option<&String>| {
            wanted.is_none_or(|wanted| list.iter().flatten().any(|name| name == wanted))
        };
        has(&version.runtimes, self.runtime.as_ref())
            && has(&version.architectures, self.architecture.as_ref())
    }
}

impl Control {
    /// Layers by name, each with the newest of its versions that match; one that has none is left out.
    pub(crate) async fn list_layers(&self, call: &Call<'_>) -> Result<Response<Bytes>, Failure> {
        call.authorise(&call.scope.account, "*")?;
        let wanted = Wanted::parse(call.query)?;
        let page = Page::parse(call.query)?;
        let mut found: Vec<(LayerArn, LayerVersion)> = Vec::new();
        for row in self.rows.all(&layers_prefix(&call.scope)).await? {
            let layer: Layer = decode(&row)?;
            let after = page.after.as_deref();
            if after.is_some_and(|after| layer.name.as_str() <= after) {
                continue;
            }
            let arn = LayerArn {
                scope: layer.scope,
                name: layer.name,
            };
            let versions = self.layer_versions(&arn, &wanted).await?;
            found.extend(versions.into_iter().next().map(|version| (arn, version)));
            // One more than requested says whether there is more.
            if found.len() > page.limit {
                break;
            }
        }
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        let last = found.last().filter(|_| more);
        let next_marker = last.map(|(arn, _)| Page::marker(arn.name.as_str()));
        let layers = found.iter().map(|(arn, version)| LayerItem {
            layer_name: arn.name.as_str(),
            layer_arn: arn.to_string(),
            latest_matching_version: LayerVersionItem::listed(arn, version),
        });
        let answer = ListLayers {
            layers: layers.collect(),
            next_marker,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// A layer's versions, the newest first. A missing layer has none.
    pub(crate) async fn list_layer_versions(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = named(call)?;
        call.authorise(&arn.scope.account, &arn.to_string())?;
        let wanted = Wanted::parse(call.query)?;
        let page = Page::parse(call.query)?;
        let mut versions = self.layer_versions(&arn, &wanted).await?;
        if let Some(after) = &page.after {
            let after: u64 = after.parse().unwrap_or(0);
            versions.retain(|version| version.number < after);
        }
        let more = versions.len() > page.limit;
        versions.truncate(page.limit);
        let last = versions.last().filter(|_| more);
        let next_marker = last.map(|version| Page::marker(&version.number.to_string()));
        let items = versions.iter().map(|v| LayerVersionItem::listed(&arn, v));
        let answer = ListLayerVersions {
            layer_versions: items.collect(),
            next_marker,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    /// The newest first.
    async fn layer_versions(
        &self,
        arn: &LayerArn,
        wanted: &Wanted,
    ) -> Result<Vec<LayerVersion>, Failure> {
        let rows = self
            .rows
            .all(&layer_versions_prefix(&arn.scope, &arn.name))
            .await?;
        let versions: Result<Vec<LayerVersion>, _> = rows.iter().rev().map(decode).collect();
        Ok(versions?
            .into_iter()
            .filter(|v| wanted.matches(v))
            .collect())
    }
}
