//! When the runtime of a version is replaced by a newer one: `UpdateRuntimeOn`.
//!
//! An installation has one build of each runtime, and its operator replaces that. So the setting is
//! kept and returned, and changes nothing about what runs.

use bytes::Bytes;
use http::{Response, StatusCode};
use records::functions::{RUNTIME_MANAGEMENT, attached_key};
use serde::{Deserialize, Serialize};
use storage::Expect;
use types::{FunctionArn, Qualifier};
use wire::ApiError;
use wire::function_name::Naming;

use crate::answer::json;
use crate::body::parse_now;
use crate::call::Call;
use crate::event_invoke_config::latest_named;
use crate::failure::Failure;
use crate::service::Control;

/// Request and row.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Setting {
    update_runtime_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    function_arn: String,
    #[serde(flatten)]
    setting: Setting,
}

impl Control {
    pub(crate) async fn put_runtime_management(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = version_named(call)?;
        let setting: Setting = parse_now(call.body)?;
        setting.check(&arn)?;
        self.attachable(&latest_named(arn.clone())).await?;
        self.attach(RUNTIME_MANAGEMENT, &arn, &setting, Expect::Any)
            .await?;
        Ok(json(StatusCode::OK, &Answer::new(&arn, setting)))
    }

    pub(crate) async fn get_runtime_management(
        &self,
        call: &Call<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let arn = version_named(call)?;
        self.attachable(&latest_named(arn.clone())).await?;
        let found = self
            .rows
            .get(&attached_key(RUNTIME_MANAGEMENT, &arn))
            .await?;
        let setting = match found {
            Some((setting, _)) => setting,
            None => Setting {
                update_runtime_on: "Auto".to_owned(),
                runtime_version_arn: None,
            },
        };
        Ok(json(StatusCode::OK, &Answer::new(&arn, setting)))
    }
}

impl Setting {
    /// A runtime version is valid with `Manual`, and with nothing else.
    fn check(&self, arn: &FunctionArn) -> Result<(), ApiError> {
        let mode = self.update_runtime_on.as_str();
        match (&self.runtime_version_arn, mode) {
            (None, "Manual") => Err(ApiError::invalid_parameter(
                "RuntimeVersionArn must be provided when UpdateRuntimeOn is set to Manual.",
            )),
            (Some(_), "Auto" | "FunctionUpdate") => Err(ApiError::invalid_parameter(format!(
                "RuntimeVersionArn must not be provided when UpdateRuntimeOn is set to {mode}."
            ))),
            (Some(version), _) if version.split(':').nth(3) != Some(arn.scope.region.as_str()) => {
                Err(ApiError::invalid_parameter(format!(
                    "Runtime version {version} is not of this region ('{}').",
                    arn.scope.region
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Answer {
    fn new(arn: &FunctionArn, setting: Setting) -> Self {
        Self {
            function_arn: arn.to_string(),
            setting,
        }
    }
}

/// The version that the path and `Qualifier` name; an alias has no runtime of its own.
fn version_named(call: &Call<'_>) -> Result<FunctionArn, ApiError> {
    let arn = call.function(Naming::Namespaced)?;
    match &arn.qualifier {
        Some(Qualifier::Alias(_)) => Err(ApiError::invalid_parameter(
            "Runtime management is of versions: specify $LATEST or a published version, not an alias.",
        )),
        _ => Ok(arn),
    }
}
