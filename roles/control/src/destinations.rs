//! Where the outcomes of events go: what a destination must be, in addition to a valid ARN.

use settings::destinations::{DestinationConfig, Target, invalid, target};
use types::FunctionArn;
use wire::ApiError;

use crate::failure::Failure;
use crate::service::Control;

impl Control {
    /// Refuses invalid destinations of events: FIFO queues and topics, buckets for successes, other
    /// regions, functions that do not exist, the function itself, and what the function's role has no
    /// rights to.
    pub(crate) async fn check_event_destinations(
        &self,
        (function, role): (&FunctionArn, &str),
        config: &DestinationConfig,
    ) -> Result<(), Failure> {
        for arn in config.on_success().into_iter().chain(config.on_failure()) {
            let target = target(arn, &function.scope.region)?;
            let allowed = match &target {
                Some(Target::Bucket) => config.on_success() != Some(arn),
                Some(Target::KafkaTopic) | None => false,
                Some(_) => true,
            };
            if !allowed {
                return Err(config.refused().into());
            }
            if let Some(Target::Function(target)) = &target {
                self.check_function_destination(function, target, arn)
                    .await?;
            }
            if let Some(target) = &target {
                self.check_destination_rights((function, role), arn, target)
                    .await?;
            }
        }
        Ok(())
    }

    async fn check_function_destination(
        &self,
        function: &FunctionArn,
        target: &FunctionArn,
        arn: &str,
    ) -> Result<(), Failure> {
        if (&target.scope, &target.name) == (&function.scope, &function.name) {
            let message = "You can't specify the function as a destination for itself.";
            return Err(ApiError::invalid_parameter(message).into());
        }
        let there = self.functions.function(&target.scope, &target.name).await?;
        match there {
            Some(_) => Ok(()),
            None => Err(invalid(arn).into()),
        }
    }
}
