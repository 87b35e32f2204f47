//! What settings refer to: the layers behind their ARNs.

use std::fmt::Display;

use records::functions::Layer;
use settings::functions::{Resolved, Settings, check_layer_list};
use types::LayerVersionArn;
use wire::ApiError;

use crate::call::Call;
use crate::failure::Failure;
use crate::service::Control;

impl Control {
    /// Looks up what is needed to apply a request's settings.
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

    /// Refuses layers of another region, whether they exist or not.
    pub(super) fn check_layer_regions(
        &self,
        call: &Call<'_>,
        settings: &Settings,
    ) -> Result<(), ApiError> {
        let own = &call.scope.region;
        let parsed = settings.layers.iter().flatten();
        let parsed = parsed.filter_map(|arn| LayerVersionArn::parse(arn).ok());
        match parsed.into_iter().all(|arn| arn.layer.scope.region == *own) {
            true => Ok(()),
            false => Err(ApiError::invalid_parameter(format!(
                "Layers are not in the same region as the function. Layers are expected to be in \
                 region {own}."
            ))),
        }
    }

    /// The layers of a function, which must exist and be accessible to the caller.
    async fn layers_of(&self, call: &Call<'_>, arns: &[String]) -> Result<Vec<Layer>, Failure> {
        let parse = |arn: &String| LayerVersionArn::parse(arn).map_err(|_| missing(arn));
        let arns: Vec<_> = arns.iter().map(parse).collect::<Result<_, _>>()?;
        check_layer_list(&arns)?;
        let mut layers = Vec::new();
        for arn in &arns {
            let version = self.usable_layer_version(call, arn).await?;
            let version = version.ok_or_else(|| missing(arn))?;
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

/// A missing layer version. Those that AWS itself provides (`awslayer`) do not exist here either.
fn missing(arn: &impl Display) -> ApiError {
    ApiError::invalid_parameter(format!("Layer version {arn} does not exist."))
}
