//! Nothing that an authenticated caller sends crashes the control plane, or makes it answer in other
//! than AWS's words.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::harness::{World, create};

/// JSON of any shape, with the members of real requests among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("arn:aws:iam::000000000000:role/r")),
        Just(json!("python3.12")),
        Just(json!("$LATEST")),
    ];
    let key = prop_oneof![
        Just("FunctionName".to_owned()),
        Just("Code".to_owned()),
        Just("ZipFile".to_owned()),
        Just("Role".to_owned()),
        Just("Environment".to_owned()),
        Just("Variables".to_owned()),
        Just("Tags".to_owned()),
        Just("Timeout".to_owned()),
        Just("Name".to_owned()),
        Just("FunctionVersion".to_owned()),
        Just("RoutingConfig".to_owned()),
        Just("AdditionalVersionWeights".to_owned()),
        Just("ReservedConcurrentExecutions".to_owned()),
        "\\PC{0,6}",
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Targets similar to those of real requests, as a client may encode them.
fn any_target() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("f".to_owned()),
        Just("f:1".to_owned()),
        Just("..".to_owned()),
        Just(super::harness::ARN.to_owned()),
        "\\PC{0,10}".prop_map(|text| wire::uri::encode(&text)),
        "[%a-f0-9]{1,6}",
    ];
    let query = prop_oneof![
        Just(String::new()),
        "\\PC{0,8}".prop_map(|text| format!("?Qualifier={}", wire::uri::encode(&text))),
        "\\PC{0,8}".prop_map(|text| format!("?Marker={}", wire::uri::encode(&text))),
        "[&=%A-Za-z0-9]{0,20}".prop_map(|text| format!("?{text}")),
    ];
    let operation = proptest::sample::select(wire::rest::Operation::ALL);
    (operation, name, query).prop_map(|(operation, name, query)| {
        let mut target = operation
            .template()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        while let (Some(from), Some(to)) = (target.find('{'), target.find('}')) {
            target.replace_range(from..=to, &name);
        }
        format!("{} {target}{query}", operation.method())
    })
}

#[test]
fn every_answer_is_typed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::with_function());
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..Default::default()
    };
    proptest!(config, |(request in any_target(), body in any_json(), whole in any::<bool>())| {
        let (method, target) = request.split_once(' ').unwrap();
        prop_assume!(target.parse::<http::Uri>().is_ok());
        let mut sent = body.clone();
        if whole && body.is_object() {
            // A valid request with hostile members.
            sent = create("f");
            sent.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        }
        let answer = runtime.block_on(world.call(method, target, sent));
        let fine = (200..300).contains(&answer.status);
        prop_assert!(fine || !answer.error.is_empty(), "{} {target}: {}", method, answer.status);
        prop_assert!(fine || !answer.message().is_empty(), "{} {target}: {}", method, answer.body);
        prop_assert!(answer.status != 500 && answer.status != 503, "{method} {target}: {}", answer.body);
    });
}
