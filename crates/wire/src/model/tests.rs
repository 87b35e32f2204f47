//! Requests against the model.

use http::Method;
use proptest::prelude::*;

use super::*;
use crate::rest::{Operation, route};

fn refused(method: &str, target: &str, body: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method: Method = method.parse().unwrap();
    let matched = route(&method, path, Some(query)).unwrap();
    match check(&matched, Some(query), body.as_bytes()) {
        Ok(()) => String::new(),
        Err(error) => error.message,
    }
}

fn create(members: &str) -> String {
    let role = "arn:aws:iam::000000000000:role/r";
    let body = format!(r#"{{"FunctionName":"f","Role":"{role}","Code":{{}}{members}}}"#);
    refused("POST", "/2015-03-31/functions", &body)
}

fn one(expected: &str) -> String {
    format!("1 validation error detected: {expected}")
}

#[test]
fn a_request_that_is_right_is_let_through() {
    assert_eq!(
        create(r#","Timeout":3,"Tags":{"a":"b"},"Unheard":[{}]"#),
        ""
    );
    assert_eq!(refused("GET", "/2015-03-31/functions?MaxItems=3", ""), "");
    assert_eq!(
        refused("GET", "/2016-08-19/account-settings", "not json"),
        ""
    );
}

#[test]
fn each_kind_of_constraint_has_its_words() {
    assert_eq!(
        create(r#","Timeout":0"#),
        one(
            "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"
        )
    );
    assert_eq!(
        create(r#","KMSKeyArn":"x""#),
        one(
            "Value 'x' at 'kMSKeyArn' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"
        )
    );
    assert_eq!(
        create(r#","Architectures":["x86"]"#),
        one(
            "Value '[x86]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"
        )
    );
    assert_eq!(
        create(r#","Environment":{"Variables":{"1":"hush"}}"#),
        one(
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]"
        )
    );
    assert_eq!(
        create(r#","FileSystemConfigs":[{"LocalMountPath":"/mnt/a"}]"#),
        one(
            "Value null at 'fileSystemConfigs.1.member.arn' failed to satisfy constraint: Member must not be null"
        )
    );
    assert_eq!(
        refused("GET", "/2015-03-31/functions?MaxItems=0", ""),
        one(
            "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"
        )
    );
    assert_eq!(
        refused(
            "PUT",
            "/2015-03-31/functions/f/aliases/a",
            r#"{"RoutingConfig":{"AdditionalVersionWeights":{"2":2.5}}}"#
        ),
        one(
            "Value '{2=2.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"
        )
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let message = refused(
        "POST",
        "/2015-03-31/functions/a%20b/aliases",
        r#"{"Name":null}"#,
    );
    assert!(
        message.starts_with("3 validation errors detected: "),
        "{message}"
    );
    for at in [
        "'functionName'",
        "null at 'name'",
        "null at 'functionVersion'",
    ] {
        assert!(message.contains(at), "{message}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    let target = "/2015-03-31/functions";
    for body in ["[]", "1", "{", "\"x\"", &"[".repeat(100_000)] {
        assert!(
            refused("POST", target, body).contains("Could not parse"),
            "{body:.10}"
        );
    }
    assert!(refused("POST", target, "null").contains("Value null at 'role'"));
}

#[test]
fn a_body_of_a_million_values_is_not_made_into_as_many() {
    let target = "/2015-03-31/functions";
    let body = format!(
        r#"{{"FileSystemConfigs":[{}{{}}]}}"#,
        "{},".repeat(1_000_000)
    );
    assert!(refused("POST", target, &body).contains("more than 100000 values"));
}

#[test]
fn every_operation_in_the_table_exists() {
    let with_constraints = Operation::ALL
        .iter()
        .filter(|operation| MODEL.input(operation.name()).is_some());
    assert!(with_constraints.count() > 60);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_body_makes_it_panic(body in r#"[\[\]{}":,0-9eE.a-zA-Z \PC-]{0,80}"#, query in "\\PC{0,20}") {
        let nested = format!(r#"{{"FunctionName":{body},"Environment":{body},"Layers":[{body}]}}"#);
        for &operation in Operation::ALL {
            let matched = Match { operation, parameters: vec![("FunctionName", body.clone())] };
            let _ = check(&matched, Some(&query), body.as_bytes());
            let _ = check(&matched, None, nested.as_bytes());
        }
    }
}
