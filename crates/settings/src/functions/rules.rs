//! Rules that are not constraints of the model: what a function may be, and when it may change.

use std::collections::BTreeMap;

use records::functions::{Configuration, Function, LastUpdate, State};
use types::limits::{ENVIRONMENT_BYTES_MAX, TAGS_MAX};
use types::{AccountId, RoleArn};
use wire::ApiError;

use super::given::Variables;
use super::shape::arn_of;

/// Variables that Lambda itself sets (AWS's documentation of environment variables).
const RESERVED_VARIABLES: [&str; 19] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];
/// Longest key of a tag (AWS's tagging rules).
const TAG_KEY_CHARACTERS_MAX: usize = 128;
/// Longest value of a tag (AWS's tagging rules).
const TAG_VALUE_CHARACTERS_MAX: usize = 256;

/// A role must belong to the function's own account.
pub fn check_role(role: &str, account: &AccountId) -> Result<(), ApiError> {
    match RoleArn::parse(role) {
        Some(role) if role.account == *account => Ok(()),
        _ => Err(ApiError::access_denied(
            "Cross-account pass role is not allowed.",
        )),
    }
}

/// Variables must not be Lambda's own, and together no more than 4 KB as JSON.
pub fn check_environment(variables: &Variables) -> Result<(), ApiError> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the \
                          environment variables you have provided";
    let reserved: Vec<&str> = variables
        .values
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED_VARIABLES.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(ApiError::invalid_parameter(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. \
             Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = variables.as_given();
    if measured.len() > ENVIRONMENT_BYTES_MAX {
        return Err(ApiError::invalid_parameter(format!(
            "{UNABLE} exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

/// Tags must be few, short, and not in AWS's own name space.
pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > TAGS_MAX {
        return Err(ApiError::invalid_parameter(
            "Number of tags exceeds resource tag limit.",
        ));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > TAG_KEY_CHARACTERS_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Tag keys must have 1 to {TAG_KEY_CHARACTERS_MAX} characters."
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::invalid_parameter(
                "Tag keys beginning with aws: are reserved for system use.",
            ));
        }
        if value.chars().count() > TAG_VALUE_CHARACTERS_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Tag values must have at most {TAG_VALUE_CHARACTERS_MAX} characters."
            )));
        }
    }
    Ok(())
}

/// The caller's `RevisionId`, if given, must be the current one.
pub fn check_revision(given: Option<&str>, present: &str) -> Result<(), ApiError> {
    match given {
        Some(given) if given != present => Err(ApiError::precondition_failed(
            "The Revision Id provided does not match the latest Revision Id. Call the \
             GetFunction/GetAlias API to retrieve the latest Revision Id",
        )),
        _ => Ok(()),
    }
}

/// `$LATEST` must be neither being created nor being updated.
pub fn check_settled(function: &Function) -> Result<(), ApiError> {
    if let State::Pending = function.latest.state {
        return Err(ApiError::conflict(
            "The operation cannot be performed at this time. The function is currently in the \
             following state: Pending",
        ));
    }
    if let LastUpdate::InProgress = function.latest.last_update {
        return Err(update_in_progress(function));
    }
    Ok(())
}

/// The refusal of a change while another is in progress.
pub fn update_in_progress(function: &Function) -> ApiError {
    let arn = arn_of(function);
    ApiError::conflict(format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
    ))
}

/// Makes `next` the function's `$LATEST`: the previous one serves invokes until the update is settled.
pub fn begin_update(function: &mut Function, mut next: Configuration, revision_id: String) {
    let before = &function.latest;
    if !same_content(before, &next) {
        next.generation = next.generation.max(before.generation + 1);
    }
    next.revision_id = revision_id;
    // A function that never became active has nothing that could serve; the update creates it again.
    match before.state {
        State::Active => {
            next.last_update = LastUpdate::InProgress;
            // After an update that failed, the version before that update still serves.
            if function.serving.is_none() {
                function.serving = Some(std::sync::Arc::new(before.clone()));
            }
        }
        State::Pending | State::Failed { .. } => {
            next.state = State::Pending;
            next.last_update = LastUpdate::Successful;
        }
    }
    function.latest = next;
}

/// Whether two configurations run the same code in the same way and look the same.
fn same_content(one: &Configuration, other: &Configuration) -> bool {
    let other = Configuration {
        revision_id: one.revision_id.clone(),
        last_modified: one.last_modified,
        generation: one.generation,
        state: one.state.clone(),
        last_update: one.last_update.clone(),
        ..other.clone()
    };
    *one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let members = pairs
            .iter()
            .map(|(key, value)| format!("{key:?}:{value:?}"));
        let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn variables_of_lambda_itself_are_refused_by_name() {
        let error = check_environment(&variables(&[
            ("AWS_REGION", "x"),
            ("A", "b"),
            ("_HANDLER", "c"),
        ]));
        assert_eq!(
            error.unwrap_err().message,
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided contains reserved keys that are currently not supported \
             for modification. Reserved keys used in this request: AWS_REGION, _HANDLER"
        );
    }

    #[test]
    fn four_kilobytes_of_variables_and_not_more() {
        let fits = 4_096 - r#"{"KEY":""}"#.len();
        assert!(check_environment(&variables(&[("KEY", &"x".repeat(fits))])).is_ok());
        let error = check_environment(&variables(&[("KEY", &"x".repeat(fits + 1))])).unwrap_err();
        assert!(
            error
                .message
                .contains(r#"exceeded the 4KB limit. String measured: {"KEY":"xxx"#)
        );
    }

    #[test]
    fn variables_are_measured_in_the_callers_order() {
        let long = "x".repeat(4_096);
        let error = check_environment(&variables(&[("Z", "1"), ("A", &long), ("Z", "2")]));
        let expected = format!(r#"measured: {{"Z":"2","A":"{long}"}}"#);
        assert!(error.unwrap_err().message.ends_with(&expected));
    }

    #[test]
    fn a_role_of_another_account_is_refused() {
        let account = AccountId::new("000000000000").unwrap();
        assert!(check_role("arn:aws:iam::000000000000:role/r", &account).is_ok());
        assert!(check_role("arn:aws:iam::111111111111:role/r", &account).is_err());
    }

    #[test]
    fn tags_obey_their_rules() {
        assert!(check_tags(&tags(&[("k", "v")])).is_ok());
        assert!(check_tags(&tags(&[("aws:k", "v")])).is_err());
        assert!(check_tags(&tags(&[("", "v")])).is_err());
        let many: BTreeMap<_, _> = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(
            check_tags(&many).unwrap_err().message,
            "Number of tags exceeds resource tag limit."
        );
    }
}
