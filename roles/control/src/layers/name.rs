//! How callers name a layer, its versions, and its compatibility.

use types::{ForCallers as _, LayerArn, LayerName, LayerVersionArn};
use wire::ApiError;
use wire::validation::Violations;

use crate::call::Call;

/// Every runtime that lists of layers can be filtered by, in the order in which AWS's refusals name
/// them.
const LISTED: [&str; 56] = [
    "ruby3.5",
    "ruby2.6",
    "dotnetcore1.0",
    "python3.7",
    "nodejs8.10",
    "nasa",
    "ruby2.7",
    "python2.7-greengrass",
    "dotnetcore2.0",
    "python3.8",
    "java21",
    "dotnet6",
    "dotnetcore2.1",
    "python3.9",
    "java11",
    "nodejs6.10",
    "provided",
    "dotnetcore3.1",
    "dotnet8",
    "java25",
    "java17",
    "nodejs",
    "nodejs4.3",
    "java8.al2",
    "go1.x",
    "dotnet10",
    "nodejs20.x",
    "go1.9",
    "byol",
    "nodejs10.x",
    "provided.al2023",
    "nodejs22.x",
    "python3.10",
    "java8",
    "nodejs12.x",
    "python3.11",
    "nodejs24.x",
    "nodejs8.x",
    "python3.12",
    "nodejs14.x",
    "nodejs8.9",
    "nodejs26.x",
    "python3.13",
    "python3.14",
    "nodejs16.x",
    "python3.15",
    "provided.al2",
    "nodejs4.3-edge",
    "nodejs18.x",
    "ruby3.2",
    "python3.4",
    "ruby3.3",
    "ruby3.4",
    "ruby2.5",
    "python3.6",
    "python2.7",
];

/// The layer that the path names, by its name or its ARN.
pub(super) fn named(call: &Call<'_>) -> Result<LayerArn, ApiError> {
    let text = call.matched.parameter("LayerName");
    if text.contains(':') {
        return LayerArn::parse(text).map_err(|e| ApiError::invalid_parameter(e.told()));
    }
    let name = LayerName::new(text).map_err(|e| ApiError::invalid_parameter(e.told()))?;
    Ok(LayerArn {
        scope: call.scope.clone(),
        name,
    })
}

/// The layer version that the path names.
pub(super) fn named_version(call: &Call<'_>) -> Result<LayerVersionArn, ApiError> {
    let layer = named(call)?;
    let number: i64 = call
        .matched
        .parameter("VersionNumber")
        .parse()
        .map_err(|_| ApiError::serialization("VersionNumber must be a number"))?;
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(layer.version(number)),
        _ => Err(ApiError::invalid_parameter(
            "Layer Version Cannot be less than 1",
        )),
    }
}

/// Adds that a text is not the name of a runtime.
pub(super) fn check_runtime(runtime: Option<&str>, violations: &mut Violations) {
    violations.one_of("compatibleRuntime", runtime, &LISTED);
}
