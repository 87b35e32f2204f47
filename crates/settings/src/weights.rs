//! What is valid in `AdditionalVersionWeights`.

use std::collections::BTreeMap;

use records::functions::Configuration;
use types::Version;
use wire::ApiError;

/// What must hold for weights whichever versions exist, beyond the model's constraints.
pub fn check_weights(version: Version, weights: &BTreeMap<String, f64>) -> Result<(), ApiError> {
    if weights.len() > 1 {
        return Err(ApiError::invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let Some(other) = weights.keys().next() else {
        return Ok(());
    };
    if *other == version.to_string() {
        return Err(ApiError::invalid_parameter(format!(
            "Invalid function version {other}. Function version {other} is already included in \
             routing configuration."
        )));
    }
    if version == Version::Latest {
        return Err(ApiError::invalid_parameter(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    Ok(())
}

/// What two versions that share an alias must have in common.
pub fn check_pair(one: &Configuration, other: &Configuration) -> Result<(), ApiError> {
    let different = if one.role != other.role {
        "execution role"
    } else if one.dead_letter_target != other.dead_letter_target {
        "dead letter configuration"
    } else {
        return Ok(());
    };
    Err(ApiError::invalid_parameter(format!(
        "Specified versions must be associated with the same {different}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_of_an_alias_share_role_and_dead_letter_target() {
        let one = records::examples::function("f").latest;
        assert!(check_pair(&one, &one).is_ok());
        let other = Configuration {
            role: "another".to_owned(),
            ..one.clone()
        };
        let refused = check_pair(&one, &other).unwrap_err();
        assert!(refused.message.ends_with("the same execution role"));
        let other = Configuration {
            dead_letter_target: Some("arn".to_owned()),
            ..one.clone()
        };
        let refused = check_pair(&one, &other).unwrap_err();
        assert!(
            refused
                .message
                .ends_with("the same dead letter configuration")
        );
    }

    fn check(version: Version, weights: &[(&str, f64)], expected: Option<&str>) {
        let weights = weights
            .iter()
            .map(|(key, value)| (key.to_string(), *value))
            .collect();
        let refused = check_weights(version, &weights)
            .err()
            .map(|error| error.message);
        match (refused, expected) {
            (None, None) => {}
            (Some(message), Some(part)) => assert!(message.contains(part), "{message}"),
            (refused, expected) => panic!("{refused:?}, not {expected:?}"),
        }
    }

    #[test]
    fn weights_obey_their_rules() {
        let one = Version::Published(1);
        check(one, &[], None);
        check(one, &[("2", 0.03)], None);
        check(
            one,
            &[("2", 0.5), ("3", 0.1)],
            Some("cannot be greater than 1"),
        );
        check(
            one,
            &[("1", 0.5)],
            Some("Function version 1 is already included"),
        );
        check(
            Version::Latest,
            &[("1", 0.5)],
            Some("$LATEST is not supported for an alias"),
        );
    }
}
