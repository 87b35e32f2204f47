//! How callers name a layer, its versions, and what it is meant for.

use types::{LayerArn, LayerName, LayerVersionArn};
use wire::ApiError;
use wire::validation::{Violations, set_text};

use crate::service::Call;

/// Every runtime that Lambda has or had (the public model): a layer may be meant for one that this
/// installation does not have.
const RUNTIMES: [&str; 46] = [
    "nodejs",
    "nodejs4.3",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "java8",
    "java8.al2",
    "java11",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "dotnet8",
    "nodejs4.3-edge",
    "go1.x",
    "ruby2.5",
    "ruby2.7",
    "provided",
    "provided.al2",
    "nodejs18.x",
    "python3.10",
    "java17",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "python3.11",
    "nodejs20.x",
    "provided.al2023",
    "python3.12",
    "java21",
    "python3.13",
    "nodejs22.x",
    "nodejs24.x",
    "python3.14",
    "java25",
    "dotnet10",
    "ruby4.0",
];

/// The layer that the path names, by its name or its ARN.
pub(super) fn named(call: &Call<'_>) -> Result<LayerArn, ApiError> {
    let text = call.matched.parameter("LayerName");
    if text.contains(':') {
        return LayerArn::parse(text).map_err(|e| ApiError::invalid_parameter(e.to_string()));
    }
    let name = LayerName::new(text).map_err(|e| ApiError::invalid_parameter(e.to_string()))?;
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
            "Layer Version Cannot be less than 1.",
        )),
    }
}

/// Adds what is no runtime's name.
pub(super) fn check_runtimes(runtimes: Option<&[String]>, violations: &mut Violations) {
    let Some(runtimes) = runtimes else { return };
    if !runtimes.iter().all(|r| RUNTIMES.contains(&r.as_str())) {
        let rule = format!(
            "Member must satisfy constraint: [Member must satisfy enum value set: {}, Member must \
             not be null]",
            set_text(&RUNTIMES)
        );
        let shown = format!("[{}]", runtimes.join(", "));
        violations.broken(shown, "compatibleRuntimes", &rule);
    }
}

/// Adds that a text is no runtime's name.
pub(super) fn check_runtime(runtime: Option<&str>, violations: &mut Violations) {
    violations.one_of("compatibleRuntime", runtime, &RUNTIMES);
}
