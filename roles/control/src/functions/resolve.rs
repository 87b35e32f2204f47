//! What settings mean beyond what they say: the layers behind their ARNs.

use api::functions::Layer;
use types::LayerVersionArn;
use wire::ApiError;

use super::combinations::check_layer_list;
use super::settings::{Resolved, Settings};
use crate::failure::Failure;
use crate::service::{Call, Control};

impl Control {
    /// Finds out what a request's settings need to be put in.
    pub(super) async fn resolve(
        &self,
        call: &Call<'_>,
        settings: &Settings,
    ) -> Result<Resolved<'_>, Failure> {
        let layers = match &settings.layers {
            Some(arns) => Some(self.layers_of(call, arns).await?),
            None => None,
        };
        Ok(Resolved {
            layers,
            vpc_id: &self.config.vpc_id,
        })
    }

    /// The layers of a function to be, which must be there and the caller's to use.
    async fn layers_of(&self, call: &Call<'_>, arns: &[String]) -> Result<Vec<Layer>, Failure> {
        let arns: Result<Vec<_>, _> = arns.iter().map(|arn| LayerVersionArn::parse(arn)).collect();
        let arns = arns.map_err(|error| ApiError::invalid_parameter(error.to_string()))?;
        check_layer_list(&arns)?;
        let mut layers = Vec::new();
        for arn in &arns {
            let region = &arn.layer.scope.region;
            if *region != call.scope.region {
                return Err(ApiError::invalid_parameter(format!(
                    "Layer version {arn} is in region {region}. A function uses layers of its own \
                     region."
                ))
                .into());
            }
            let version = self.usable_layer_version(call, arn).await?;
            let version = version.ok_or_else(|| {
                ApiError::invalid_parameter(format!("Layer version {arn} does not exist."))
            })?;
            layers.push(Layer {
                arn: arn.to_string(),
                image: version.image,
                bytes: version.bytes,
                unpacked_bytes: version.unpacked_bytes,
            });
        }
        Ok(layers)
    }
}
