//! Arbitrary filter patterns, compared with the plainest possible model.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use filters::{Json, Pattern};
use fuzzing::run;
use proptest::prelude::*;
use serde_json::{Value, json};

fn leaf() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(1),
        json!(2.5),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("B"),
        json!("b"),
    ])
}

fn matcher() -> impl Strategy<Value = Value> {
    let named = prop::sample::select(vec![
        json!({"prefix": "a"}),
        json!({"suffix": "b"}),
        json!({"equals-ignore-case": "AB"}),
        json!({"exists": true}),
        json!({"exists": false}),
        json!({"numeric": ["=", 1]}),
        json!({"numeric": [">", 1, "<=", 2.5]}),
        json!({"anything-but": ["a", 1]}),
        json!({"anything-but": {"prefix": "a"}}),
    ]);
    prop_oneof![leaf(), named]
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "y", "z"]).prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaves = prop::collection::vec(matcher(), 1..3).prop_map(Value::from);
    let object = |inner: BoxedStrategy<Value>| {
        let members = prop::collection::btree_map(name(), inner, 1..3);
        members.prop_map(|members| json!(members)).boxed()
    };
    let leaves = leaves.boxed();
    let flat = object(leaves.clone());
    let nested = object(prop_oneof![leaves, flat.clone()].boxed());
    let either = (nested.clone(), flat.clone(), flat).prop_map(|(mut all, first, second)| {
        all["$or"] = json!([first, second]);
        all
    });
    prop_oneof![nested, either]
}

fn record() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

/// Whether a record, or none, passes.
fn passes(pattern: &Value, record: Option<&Value>) -> bool {
    if let Some(Value::Array(items)) = record {
        return items.iter().any(|item| passes(pattern, Some(item)));
    }
    pattern.as_object().unwrap().iter().all(|(name, wanted)| {
        if name == "$or" {
            return wanted
                .as_array()
                .unwrap()
                .iter()
                .any(|inner| passes(inner, record));
        }
        let value = record.and_then(|record| record.get(name));
        match wanted {
            Value::Array(matchers) => matchers.iter().any(|matcher| fits(matcher, value)),
            below => passes(below, value),
        }
    })
}

fn exists(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().any(exists),
        _ => true,
    }
}

fn fits(matcher: &Value, value: Option<&Value>) -> bool {
    if let Some(wanted) = matcher.get("exists") {
        return value.is_some_and(exists) == *wanted;
    }
    let value = match value {
        None | Some(Value::Object(_)) => return false,
        Some(Value::Array(items)) => return items.iter().any(|item| fits(matcher, Some(item))),
        Some(value) => value,
    };
    let Some((kind, wanted)) = matcher
        .as_object()
        .and_then(|members| members.iter().next())
    else {
        return matcher == value;
    };
    let texts = value.as_str().zip(wanted.as_str());
    match kind.as_str() {
        "prefix" => texts.is_some_and(|(text, start)| text.starts_with(start)),
        "suffix" => texts.is_some_and(|(text, end)| text.ends_with(end)),
        "equals-ignore-case" => {
            texts.is_some_and(|(text, same)| text.to_lowercase() == same.to_lowercase())
        }
        "numeric" => value.as_f64().is_some_and(|number| {
            wanted.as_array().unwrap().chunks(2).all(|pair| {
                let bound = pair[1].as_f64().unwrap();
                match pair[0].as_str().unwrap() {
                    "=" => number == bound,
                    ">" => number > bound,
                    "<=" => number <= bound,
                    other => unreachable!("{other}"),
                }
            })
        }),
        "anything-but" => match wanted {
            Value::Array(list) => !list.contains(value),
            ends => !fits(ends, Some(value)),
        },
        other => unreachable!("{other}"),
    }
}

#[test]
fn fuzz_filter_patterns() {
    let noise = r#"[\[\]{}":,0-9eE.<>=a-z$ \PC-]{0,60}"#;
    run(
        "filter_patterns",
        (pattern(), record(), noise),
        |(pattern, record, noise)| {
            let read = Pattern::parse(&pattern.to_string()).unwrap();
            let told = Json::parse(&record.to_string()).unwrap();
            prop_assert_eq!(read.matches(&told), passes(&pattern, Some(&record)));
            for text in [
                noise.clone(),
                format!(r#"{{"a":[{noise}],"$or":[{noise}]}}"#),
            ] {
                if let Ok(read) = Pattern::parse(&text) {
                    read.matches(&told);
                }
            }
            Ok(())
        },
    );
}
