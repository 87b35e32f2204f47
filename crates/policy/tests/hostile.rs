//! Documents near policies, and decisions, compared with the plainest possible model.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod model;

use fuzzing::run;
use policy::{Caller, Context, Form, Permissions, Policy, Question, Verdict, decide};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const ACCOUNT: &str = "111111111111";
const F: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";

/// A text as it may stand anywhere in a document.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "Version",
            "2012-10-17",
            "2008-10-17",
            "Statement",
            "Effect",
            "Allow",
            "Deny",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Principal",
            "NotPrincipal",
            "AWS",
            "Service",
            "Condition",
            "Bool",
            "StringLike",
            "IpAddress",
            "DateLessThan",
            "ForAllValues:StringEquals",
            "Null",
            "ArnLike",
            "Sid",
            "Id",
            "*",
            "lambda:*",
            "lambda:Get*",
            F,
            "arn:aws:lambda:*",
            "aws:username",
            "${aws:username}",
            "10.0.0.0/8",
            "true",
            "2026-01-01",
            "111111111111",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

fn json_near_policies() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        word().prop_map(|text| Value::from(text).to_string()),
    ];
    // As text, so that names may be there twice.
    let any = leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((word(), inner), 0..5).prop_map(|members| {
                let member =
                    |(name, value): (String, String)| format!("{}:{value}", Value::from(name));
                let members: Vec<String> = members.into_iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    prop_oneof![
        any.clone(),
        any.clone().prop_map(|inner| format!(r#"{{"Statement":{inner}}}"#)),
        (any.clone(), any).prop_map(|(first, second)| format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":{first},"Resource":{second}}}]}}"#
        )),
        statements(3).prop_map(|document| document.to_string()),
    ]
}

/// What a document says to some requests.
fn answers(policy: &Policy) -> Vec<Verdict> {
    let arn = "arn:aws:iam::111111111111:user/ann";
    let ann = Caller::User {
        account: ACCOUNT,
        arn,
    };
    let context = Context::new()
        .with("aws:username", "ann")
        .with("aws:SourceIp", "10.1.2.3");
    let mut said = Vec::new();
    for caller in [ann, Caller::Anonymous, Caller::Root { account: ACCOUNT }] {
        for (action, resource) in [("lambda:GetFunction", F), ("sts:AssumeRole", "*")] {
            said.push(policy.verdict(&caller, action, resource, &context));
        }
    }
    said
}

#[test]
fn fuzz_policy_parse() {
    run("policy_parse", json_near_policies(), |text| {
        for form in [Form::Identity, Form::Resource, Form::Trust] {
            let Ok(read) = Policy::parse(&text, form) else {
                continue;
            };
            // Parsing it again, as it is shown, gives the same.
            let value: Value = serde_json::from_str(&text).unwrap();
            let again = Policy::parse(&value.to_string(), form).unwrap();
            prop_assert_eq!(&again, &read);
            prop_assert_eq!(answers(&again), answers(&read));
        }
        Ok(())
    });
}

/// Either member of a pair, with one entry or several.
fn entries(
    names: (&'static str, &'static str),
    of: &[&'static str],
) -> impl Strategy<Value = (String, Value)> {
    let list = prop::collection::vec(prop::sample::select(of.to_vec()), 1..3);
    (any::<bool>(), list).prop_map(move |(only, list)| {
        let name = if only { names.0 } else { names.1 };
        (name.to_owned(), json!(list))
    })
}

const ACTIONS: [&str; 6] = [
    "*",
    "lambda:*",
    "lambda:Get*",
    "LAMBDA:getfunction",
    "lambda:?etFunction",
    "s3:*",
];
const RESOURCES: [&str; 12] = [
    "*",
    F,
    "arn:aws:lambda:*",
    "arn:aws:lambda:*:function:f",
    "arn:aws:lambda:us-*-1:*:function:?",
    "arn:aws:lambda:us-east-1:111111111111:f*live",
    "arn:aws:lambda:us-east-1:111111111111:function:f:*",
    "arn:aws:*:f",
    "arn:aws:lambda:us*1:111111111111:function:f",
    "arn:aws:lambda:*:*:function:${aws:username}",
    "arn:aws:lambda:*:*:function:${aws:PrincipalTag/team}",
    "arn:aws:lambda:*:*:function:${aws:PrincipalTag/team, 'f'}",
];
const OPERATORS: [(&str, &[&str]); 14] = [
    ("StringEquals", &["a", "b", "A", "a*", "${aws:username}"]),
    ("StringNotEquals", &["a", "b", "${aws:PrincipalTag/team}"]),
    ("StringEqualsIgnoreCase", &["A", "b"]),
    ("StringLike", &["a*", "?", "*b", "${aws:username}*"]),
    ("StringNotLike", &["a*", "b"]),
    ("NumericEquals", &["1", "2.0"]),
    ("NumericLessThan", &["1", "10"]),
    ("NumericNotEquals", &["1"]),
    ("Bool", &["true", "false"]),
    ("IpAddress", &["10.0.0.0/8", "0.0.0.0/0", "10.1.2.3"]),
    ("NotIpAddress", &["10.0.0.0/8"]),
    ("Null", &["true", "false"]),
    ("DateGreaterThan", &["2020-01-01T00:00:00Z", "2030"]),
    ("DateNotEquals", &["2026"]),
];
const GIVEN: [&str; 13] = [
    "a",
    "b",
    "A",
    "ab",
    "1",
    "2",
    "10",
    "true",
    "false",
    "10.1.2.3",
    "11.1.2.3",
    "2026-01-01T00:00:00Z",
    "x",
];
const KEYS: [&str; 3] = ["k:one", "k:two", "K:Many"];

fn conditions() -> impl Strategy<Value = Value> {
    let one = (
        0..OPERATORS.len(),
        0..3_usize,
        any::<bool>(),
        0..KEYS.len(),
        any::<[bool; 5]>(),
    );
    prop::collection::vec(one, 0..3).prop_map(|all| {
        let mut operators = Map::new();
        for (operator, quantifier, if_exists, key, chosen) in all {
            let (name, values) = OPERATORS[operator];
            let plain = name == "Null";
            let before = if plain {
                ""
            } else {
                ["", "ForAllValues:", "ForAnyValue:"][quantifier]
            };
            let after = if if_exists && !plain { "IfExists" } else { "" };
            let some = values.iter().zip(chosen).filter(|(_, chosen)| *chosen);
            let mut some: Vec<&str> = some.map(|(value, _)| *value).collect();
            if some.is_empty() {
                some.push(values[0]);
            }
            let value = if some.len() == 1 {
                json!(some[0])
            } else {
                json!(some)
            };
            let keys = operators
                .entry(format!("{before}{name}{after}"))
                .or_insert_with(|| json!({}));
            keys[KEYS[key]] = value;
        }
        Value::Object(operators)
    })
}

fn statements(most: usize) -> impl Strategy<Value = Value> {
    let statement = (
        any::<bool>(),
        entries(("Action", "NotAction"), &ACTIONS),
        entries(("Resource", "NotResource"), &RESOURCES),
        conditions(),
    )
        .prop_map(|(allow, action, resource, conditions)| {
            let effect = if allow { "Allow" } else { "Deny" };
            let mut statement = Map::from_iter([action, resource]);
            statement.insert("Effect".to_owned(), json!(effect));
            statement.insert("Condition".to_owned(), conditions);
            Value::Object(statement)
        });
    prop::collection::vec(statement, 1..=most)
        .prop_map(|all| json!({ "Version": "2012-10-17", "Statement": all }))
}

#[test]
fn fuzz_policy_decide() {
    let given = prop::collection::vec(prop::sample::select(GIVEN.to_vec()), 0..3);
    let keys = (given.clone(), given.clone(), given);
    let team = prop::option::of(prop::sample::select(vec!["f", "g", "*"]));
    let limits = (
        prop::option::of(statements(2)),
        prop::option::of(statements(2)),
    );
    let resource = prop::sample::select(vec![
        F,
        "arn:aws:lambda:us-east-1:111111111111:function:f:live",
        "arn:aws:lambda:us-east-1:111111111111:function:ann",
        "arn:aws:s3:::bucket/f",
        "*",
    ]);
    let input = (
        prop::collection::vec(statements(2), 0..3),
        limits,
        keys,
        team,
        resource,
    );
    run(
        "policy_decide",
        input,
        |(own, (boundary, session), keys, team, resource)| {
            let mut values = vec![("aws:username".to_owned(), vec!["ann".to_owned()])];
            values.extend(
                team.map(|team| ("aws:principaltag/team".to_owned(), vec![team.to_owned()])),
            );
            for (key, given) in KEYS.iter().zip([keys.0, keys.1, keys.2]) {
                let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
                if !given.is_empty() {
                    values.push((key.to_ascii_lowercase(), given));
                }
            }
            let mut context = Context::new();
            for (key, given) in &values {
                context.set_all(key, given.clone());
            }
            let read = |document: &Value| {
                Arc::new(Policy::parse(&document.to_string(), Form::Identity).unwrap())
            };
            let permissions = Permissions {
                policies: own.iter().map(read).collect(),
                boundary: boundary.as_ref().map(read),
                session: session.iter().map(read).collect(),
                ..Permissions::NONE
            };
            let decided = decide(&Question {
                caller: Caller::User {
                    account: ACCOUNT,
                    arn: "arn:aws:iam::111111111111:user/ann",
                },
                permissions: &permissions,
                action: "lambda:GetFunction",
                resource,
                owner: ACCOUNT,
                policy: None,
                trust: false,
                context: &context,
            });
            let request = model::Request {
                action: "lambda:GetFunction",
                resource,
                values: &values,
            };
            let says = |documents: &[Value]| model::says(documents, &request);
            let limits = [boundary, session].into_iter().flatten();
            let limits: Vec<Option<bool>> = limits.map(|limit| says(&[limit])).collect();
            let own = says(&own);
            let mut all = limits.into_iter().chain([own]);
            let expected = all.all(|said| said == Some(true));
            prop_assert_eq!(decided.is_ok(), expected);
            Ok(())
        },
    );
}

#[test]
fn the_work_of_a_decision_has_a_bound_whatever_policy_and_request_are() {
    // Twenty values of many stars against fifty long tags: each alone is within what policies and
    // requests may be, their product took minutes.
    let stars = "*a".repeat(150) + "b";
    let list: Vec<String> = (0..20).map(|number| format!("{stars}{number}")).collect();
    let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": { "ForAllValues:StringNotLike": { "aws:TagKeys": list } } });
    let document = json!({ "Version": "2012-10-17", "Statement": vec![statement; 20] });
    let policy = Arc::new(Policy::parse(&document.to_string(), Form::Identity).unwrap());
    let mut context = Context::new();
    context.set_all("aws:TagKeys", (0..50).map(|_| "a".repeat(2_000)));
    let permissions = Permissions {
        policies: vec![policy; 10],
        ..Permissions::NONE
    };
    let denied = decide(&Question {
        caller: Caller::Root { account: ACCOUNT },
        permissions: &permissions,
        action: "lambda:TagResource",
        resource: F,
        owner: ACCOUNT,
        policy: None,
        trust: false,
        context: &context,
    });
    assert!(denied.is_err(), "what is not decided is denied");
}
