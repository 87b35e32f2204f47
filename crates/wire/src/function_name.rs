//! Which function does a request name? Path, `Qualifier`, and the caller's own account and
//! region taken together.

use types::{
    AccountId, ForCallers as _, FunctionArn, FunctionName, FunctionRef, Qualifier, Region, Scope,
};

use crate::error::ApiError;
use crate::validation::{Pattern, Violations};

/// Names as most operations take them.
pub(crate) const FUNCTION_NAME: Pattern = Pattern {
    text: r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
    matches: is_function_name,
};
/// Names as the operations that read and invoke take them.
pub(crate) const NAMESPACED_FUNCTION_NAME: Pattern = Pattern {
    text: r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    matches: is_function_name,
};
/// Qualifiers.
pub(crate) const QUALIFIER: Pattern = Pattern {
    text: r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+",
    matches: |text| !text.is_empty() && text.bytes().all(|b| is_word(b) || b == b'$'),
};
/// The longest name or ARN that most operations take, characters (the public model).
pub const NAME_CHARACTERS_MAX: usize = 140;
/// The longest name or ARN that the operations that read and invoke take (the public model).
pub(crate) const NAMESPACED_CHARACTERS_MAX: usize = 256;
/// The longest qualifier (the public model).
pub(crate) const QUALIFIER_CHARACTERS_MAX: usize = 128;

/// How an operation takes names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// As most do.
    Plain,
    /// As those that read and invoke do.
    Namespaced,
}

/// Finds the function that `name` (from the path) and `qualifier` (from the query) mean to a
/// caller in `scope`. The result may be in another account: whether the caller may go there is
/// not decided here. Another region is never reachable.
pub fn resolve(
    naming: Naming,
    name: &str,
    qualifier: Option<&str>,
    scope: &Scope,
) -> Result<FunctionArn, ApiError> {
    let (pattern, max) = match naming {
        Naming::Plain => (FUNCTION_NAME, NAME_CHARACTERS_MAX),
        Naming::Namespaced => (NAMESPACED_FUNCTION_NAME, NAMESPACED_CHARACTERS_MAX),
    };
    let mut violations = Violations::new();
    violations.pattern("qualifier", qualifier, QUALIFIER);
    violations.length("qualifier", qualifier, 1, QUALIFIER_CHARACTERS_MAX);
    violations.pattern("functionName", Some(name), pattern);
    violations.length("functionName", Some(name), 1, max);
    violations.finish()?;

    let parts = Parts::of(name);
    if let Some(region) = parts
        .region
        .filter(|region| *region != scope.region.as_str())
    {
        return Err(ApiError::not_found(format!(
            "Functions from '{region}' are not reachable in this region ('{}')",
            scope.region
        )));
    }
    if let (Some(in_name), Some(given)) = (parts.qualifier, qualifier)
        && in_name != given
    {
        return Err(ApiError::invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier.",
        ));
    }
    let account = match parts.account {
        Some(text) => AccountId::new(text).map_err(|error| ApiError::validation(error.told()))?,
        None => scope.account.clone(),
    };
    let qualifier = qualifier.or(parts.qualifier);
    // Names and qualifiers that match the model's pattern and yet cannot exist are not found.
    let missing = |account: &AccountId| {
        let text = qualifier.map(|text| format!(":{text}")).unwrap_or_default();
        ApiError::not_found(format!(
            "Function not found: arn:aws:lambda:{}:{account}:function:{}{text}",
            scope.region, parts.name
        ))
    };
    let name = FunctionName::new(parts.name).map_err(|_| missing(&account))?;
    let qualifier = match qualifier {
        Some(text) => Some(Qualifier::parse(text).map_err(|_| missing(&account))?),
        None => None,
    };
    let region: Region = scope.region.clone();
    Ok(FunctionArn {
        scope: Scope { account, region },
        name,
        qualifier,
    })
}

/// A name's parts, as texts that may still be impossible.
struct Parts<'t> {
    region: Option<&'t str>,
    account: Option<&'t str>,
    name: &'t str,
    qualifier: Option<&'t str>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Self {
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", rest @ ..] => {
                (Some(*region), Some(*account), rest)
            }
            [region, account, "function", rest @ ..] if is_account(account) && !rest.is_empty() => {
                (Some(*region), Some(*account), rest)
            }
            [account, "function", rest @ ..] if is_account(account) && !rest.is_empty() => {
                (None, Some(*account), rest)
            }
            ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
            [account, rest @ ..] if is_account(account) && !rest.is_empty() => {
                (None, Some(*account), rest)
            }
            rest => (None, None, rest),
        };
        let name = rest.first().copied().unwrap_or_default();
        Self {
            region,
            account,
            name,
            qualifier: rest.get(1).copied(),
        }
    }
}

fn is_function_name(text: &str) -> bool {
    let parts = Parts::of(text);
    if !parts.region.is_none_or(is_region) {
        return false;
    }
    if FunctionRef::parse(text).is_ok() {
        return true;
    }
    // What is well-formed by the model but no name to us (too long, a qualifier of zeros) is left
    // to `resolve`.
    let pieces = text.split(':').count();
    let expected = match (parts.region, parts.account) {
        (Some(_), _) if text.starts_with("arn:") => 7,
        (Some(_), _) => 4,
        (None, Some(_)) => 2 + usize::from(text.contains(":function:")),
        (None, None) if text.starts_with("function:") => 2,
        (None, None) => 1,
    };
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| is_word(b) || b == b'.');
    pieces == expected + usize::from(parts.qualifier.is_some())
        && parts.account.is_none_or(is_account)
        && (!text.starts_with("arn:") || text.starts_with("arn:aws"))
        && is_name(parts.name)
        && parts
            .qualifier
            .is_none_or(|text| text == "$LATEST" || is_name(text))
}

/// `(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}`
fn is_region(text: &str) -> bool {
    let lower = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let parts: Vec<&str> = text
        .strip_prefix("eusc-")
        .unwrap_or(text)
        .split('-')
        .collect();
    let (partition, rest) = match parts[..] {
        [land, partition, place, number] => (Some(partition), [land, place, number]),
        [land, place, number] => (None, [land, place, number]),
        _ => return false,
    };
    let [land, place, number] = rest;
    let of_partition = |name: &str| {
        let iso = name.strip_prefix("iso");
        name == "gov" || iso.is_some_and(|rest| rest.is_empty() || rest.len() == 1 && lower(rest))
    };
    land.len() == 2
        && lower(land)
        && partition.is_none_or(of_partition)
        && lower(place)
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_account(text: &str) -> bool {
    AccountId::new(text).is_ok()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn regions_are_those_of_the_models_pattern() {
        for region in [
            "us-east-1",
            "us-gov-west-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eusc-de-east-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for region in [
            "invalid-region",
            "us-east-10",
            "us-east",
            "usa-east-1",
            "us-isobb-east-1",
            "eusc-east-1",
            "us--1",
            "",
        ] {
            assert!(!is_region(region), "{region}");
        }
    }

    fn scope() -> Scope {
        Scope {
            account: AccountId::new("000000000000").unwrap(),
            region: Region::new("us-east-1").unwrap(),
        }
    }

    fn check(name: &str, qualifier: Option<&str>, expected: Result<&str, &str>) {
        let found = resolve(Naming::Namespaced, name, qualifier, &scope());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected, "{name}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{name}: {error}");
            }
            (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn every_form_names_a_function() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        check("f", None, Ok(arn));
        check("function:f", None, Ok(arn));
        check("000000000000:function:f", None, Ok(arn));
        check("000000000000:f", None, Ok(arn));
        check("000000000000:f:live", None, Ok(&format!("{arn}:live")));
        check(
            "000000000000",
            None,
            Ok("arn:aws:lambda:us-east-1:000000000000:function:000000000000"),
        );
        check(arn, None, Ok(arn));
        check("f:live", None, Ok(&format!("{arn}:live")));
        check("f", Some("$LATEST"), Ok(&format!("{arn}:$LATEST")));
        check("f:7", Some("7"), Ok(&format!("{arn}:7")));
        let other = "arn:aws:lambda:us-east-1:111111111111:function:f";
        check("111111111111:function:f", None, Ok(other));
    }

    #[test]
    fn each_wrong_name_has_its_refusal() {
        let west = "arn:aws:lambda:us-west-2:000000000000:function:f";
        check(
            west,
            None,
            Err("Functions from 'us-west-2' are not reachable in this region ('us-east-1')"),
        );
        check(
            "f:7",
            Some("8"),
            Err("The derived qualifier from the function name does not match"),
        );
        check(
            "a b",
            None,
            Err(
                "Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular",
            ),
        );
        check(
            "f",
            Some("a b"),
            Err("Value 'a b' at 'qualifier' failed to satisfy constraint"),
        );
        check(
            "f",
            Some("007"),
            Err("Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:007"),
        );
        check(
            "000000000000:f:007",
            None,
            Err("Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:007"),
        );
        check(
            &"a".repeat(65),
            None,
            Err("ResourceNotFoundException: Function not found"),
        );
        check(
            &"a".repeat(257),
            None,
            Err("Member must have length less than or equal to 256"),
        );
        check("", None, Err("ValidationException"));
        check("arn:aws:s3:::x", None, Err("ValidationException"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_name_makes_it_panic(name in "\\PC{0,40}", qualifier in "\\PC{0,10}", near in "(arn:aws:lambda:|us-east-1:|000000000000:|function:|[a-z$.:]{0,3}){0,6}") {
            for name in [&name, &near] {
                let _ = resolve(Naming::Plain, name, None, &scope());
                let _ = resolve(Naming::Namespaced, name, Some(&qualifier), &scope());
            }
        }
    }
}
