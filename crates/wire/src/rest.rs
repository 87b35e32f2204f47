//! From a method and a path to an operation and its parameters.
//!
//! Parameters are percent-decoded; a function may be named by an ARN, whose colons may or may not
//! be encoded. A slash at the end makes no difference: some clients send one.

use http::Method;

mod operation;

pub use operation::Operation;

use crate::error::ApiError;
use crate::shortened;
use crate::uri::{decode, query_pairs, query_value, repeated};

/// The longest path read, bytes. No name in the model is longer than 10 000 characters.
const PATH_BYTES_MAX: usize = 32_768;

/// A request's operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    /// What is asked for.
    pub operation: Operation,
    /// The parameters of the path in their order: name in the template, value decoded.
    pub parameters: Vec<(&'static str, String)>,
}

impl Match {
    /// The parameter of that name, `FunctionName` say; empty if the operation has none such.
    pub fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// Members of the model that are lists in a query, and so may be there many times.
const LISTS: [&str; 2] = ["Statuses", "tagKeys"];

/// Refuses a query in which a parameter is there twice. Which one counts would depend on who reads
/// it, and a signature says nothing of their order.
pub fn check_query(query: Option<&str>) -> Result<(), ApiError> {
    let Some(query) = query else { return Ok(()) };
    let once = query_pairs(query)
        .map(|(name, _)| name)
        .filter(|name| !LISTS.contains(&&**name));
    match repeated(once) {
        Some(name) => Err(ApiError::invalid_parameter(format!(
            "The query parameter {} is there more than once.",
            shortened(&name)
        ))),
        None => Ok(()),
    }
}

/// Finds the operation; `None` if the model has none at this method and path.
pub fn route(method: &Method, path: &str, query: Option<&str>) -> Option<Match> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut found: Option<Match> = None;
    for &operation in Operation::ALL {
        if operation.method() != method {
            continue;
        }
        let (template, pair) = match operation.template().split_once('?') {
            Some((template, pair)) => (template, Some(pair)),
            None => (operation.template(), None),
        };
        let Some(parameters) = matched(template, path) else {
            continue;
        };
        match pair {
            // The one with a query is the more exact of two.
            Some(pair) if has_pair(query, pair) => {
                return Some(Match {
                    operation,
                    parameters,
                });
            }
            Some(_) => {}
            None if found.is_none() => {
                found = Some(Match {
                    operation,
                    parameters,
                })
            }
            None => {}
        }
        if found.is_some() && !shares_its_path(operation) {
            return found;
        }
    }
    found
}

/// Whether another operation has the same method and path and is told apart by its query alone.
fn shares_its_path(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::ListLayers | Operation::GetProvisionedConcurrencyConfig
    )
}

fn has_pair(query: Option<&str>, pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    query_value(query, name).is_some_and(|given| given == value)
}

fn matched(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut parameters = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) => match parameter_name(wanted) {
                Some(name) if !given.is_empty() => {
                    parameters.push((name, decode(given)?.into_owned()));
                }
                None if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn parameter_name(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(method: &str, target: &str, expected: Option<(Operation, &[&str])>) {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let found = route(&method.parse().unwrap(), path, query);
        let found = found.map(|found| {
            let values = found
                .parameters
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>();
            (found.operation, values)
        });
        let expected = expected
            .map(|(operation, values)| (operation, values.iter().map(|v| v.to_string()).collect()));
        assert_eq!(found, expected, "{method} {target}");
    }

    #[test]
    fn operations_are_found_by_method_and_path() {
        use Operation::*;
        check("POST", "/2015-03-31/functions", Some((CreateFunction, &[])));
        check("GET", "/2015-03-31/functions/", Some((ListFunctions, &[])));
        check(
            "GET",
            "/2015-03-31/functions/f",
            Some((GetFunction, &["f"])),
        );
        check(
            "GET",
            "/2015-03-31/functions/f:live",
            Some((GetFunction, &["f:live"])),
        );
        check(
            "POST",
            "/2015-03-31/functions/f/invocations",
            Some((Invoke, &["f"])),
        );
        check(
            "POST",
            "/2014-11-13/functions/f/invoke-async/",
            Some((InvokeAsync, &["f"])),
        );
        check(
            "PUT",
            "/2015-03-31/functions/f/aliases/a%2Db",
            Some((UpdateAlias, &["f", "a-b"])),
        );
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        check(
            "GET",
            &format!("/2017-03-31/tags/{}", crate::uri::encode(arn)),
            Some((ListTags, &[arn])),
        );
        check(
            "GET",
            &format!("/2017-03-31/tags/{arn}"),
            Some((ListTags, &[arn])),
        );
        check(
            "GET",
            "/2018-10-31/layers?find=LayerVersion&Arn=x",
            Some((GetLayerVersionByArn, &[])),
        );
        check("GET", "/2018-10-31/layers", Some((ListLayers, &[])));
        let pc = "/2019-09-30/functions/f/provisioned-concurrency";
        check("GET", pc, Some((GetProvisionedConcurrencyConfig, &["f"])));
        check(
            "GET",
            &format!("{pc}?List=ALL"),
            Some((ListProvisionedConcurrencyConfigs, &["f"])),
        );
    }

    #[test]
    fn a_parameter_is_in_a_query_once_unless_it_is_a_list() {
        for (query, good) in [
            (None, true),
            (Some(""), true),
            (Some("Qualifier=1&Marker=1"), true),
            (Some("tagKeys=a&tagKeys=a"), true),
            (Some("Qualifier=1&Qualifier=1"), false),
            (Some("Qualifier=1&%51ualifier=2"), false),
            (Some("tagKeys=a&tagKeys=b&x&x"), false),
        ] {
            assert_eq!(check_query(query).is_ok(), good, "{query:?}");
        }
    }

    #[test]
    fn what_the_model_does_not_have_is_not_found() {
        for (method, target) in [
            ("GET", "/"),
            ("GET", ""),
            ("PATCH", "/2015-03-31/functions"),
            ("POST", "/2015-03-31/functions//invocations"),
            ("GET", "/2015-03-31/functions/f/x"),
            ("GET", "/2015-03-31/functions/%ff"),
            ("GET", "/2015-03-31/functions/f/aliases/a/b"),
        ] {
            check(method, target, None);
        }
    }

    #[test]
    fn every_operation_is_reached_by_its_own_path() {
        for &operation in Operation::ALL {
            let filled = operation.template().replace('{', "x").replace('}', "y");
            let (path, query) = match filled.split_once('?') {
                Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
                None => (filled, None),
            };
            let found = route(operation.method(), &path, query.as_deref());
            assert_eq!(
                found.map(|found| found.operation),
                Some(operation),
                "{path}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_path_makes_it_panic(path in "[/%{}?:a-z0-9.\\PC-]{0,60}", query in "\\PC{0,20}") {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
                let _ = route(&method, &path, Some(&query));
                let _ = route(&method, &format!("/2015-03-31/functions/{path}"), None);
            }
        }
    }
}
