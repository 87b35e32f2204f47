//! What templates say, form by form; and that none makes it panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Template;
use crate::desired::{Desired, Identity};
use crate::record::Record;

fn desired(text: &str, given: &[(&str, &str)]) -> Result<Desired, String> {
    let identity = Identity {
        stack: "demo".to_owned(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    };
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let given: BTreeMap<String, String> = given.iter().map(pair).collect();
    Desired::of(&template, &given, &identity).map_err(|error| error.to_string())
}

const HEAD: &str = "
Parameters:
  Word: {Type: String, Default: hello}
  Many: {Type: CommaDelimitedList, Default: 'a, b'}
Mappings:
  Sizes: {us-east-1: {small: 128}}
Conditions:
  Same: !Equals [!Ref Word, hello]
  Other: !Not [!Condition Same]
  Both: !And [!Condition Same, !Equals [1, '1']]
  Either: !Or [!Condition Other, !Condition Both]
Resources:
  L: {Type: AWS::Logs::LogGroup}
Outputs:
  X:
    Value: ";

/// What an expression is, in a template with a few of everything.
fn check(expression: &str, expected: Value) {
    let desired = desired(&format!("{HEAD}{expression}\n"), &[]).unwrap();
    let outcome = desired.evaluate(&desired.outputs[0].value, &Record::default());
    assert_eq!(outcome.unwrap().value, Some(expected), "{expression}");
}

#[test]
fn functions_have_their_values() {
    check("!Ref Word", json!("hello"));
    check("{Ref: 'AWS::Region'}", json!("us-east-1"));
    check(
        "!Sub '${Word}-${AWS::StackName}-${!x}'",
        json!("hello-demo-${x}"),
    );
    check("!Sub ['${a}/${Word}', {a: b}]", json!("b/hello"));
    check("!Join ['-', !Ref Many]", json!("a-b"));
    check("!Select [1, !Split [',', 'x,y']]", json!("y"));
    check("!If [Other, 1, two]", json!("two"));
    check(
        "!If [Either, !FindInMap [Sizes, !Ref 'AWS::Region', small], 0]",
        json!(128),
    );
    check("[a, !Ref 'AWS::NoValue', 3]", json!(["a", 3]));
    check("{'Fn::Base64': hi}", json!("aGk="));
    check("1.10", json!("1.10"));
    check("000000000000", json!("000000000000"));
}

#[test]
fn what_cannot_be_is_refused() {
    let log = "Resources: {L: {Type: AWS::Logs::LogGroup}}";
    for (text, part) in [
        (
            "Resources: {A: {Type: AWS::S3::Bucket}}",
            "AWS::S3::Bucket are not supported",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      Colour: red",
            "line 5",
        ),
        (
            "Resources:\n  A: {Type: AWS::Serverless::Function}",
            "needs the line `Transform",
        ),
        (
            "Resources: {A: !Nonsense x}",
            "!Nonsense is not a template function",
        ),
        (
            "Resources: {A: {Type: x}, A: {Type: x}}",
            "A is there twice",
        ),
        ("Resources: {}", "no Resources"),
        (
            "{\"Resources\": {\"A\": {\"Type\": \"AWS::IAM::Group\"}}}",
            "AWS::IAM::Group",
        ),
        (
            "Resources:\n  A: {Type: AWS::Logs::LogGroup, DependsOn: B}\n  B: {Type: AWS::Logs::LogGroup, DependsOn: A}",
            "a circle",
        ),
        (
            &format!("Conditions: {{A: !Condition B, B: !Condition A}}\n{log}"),
            "depends on itself",
        ),
        (
            &format!("Parameters: {{P: {{Type: String}}}}\n{log}"),
            "P needs a value",
        ),
    ] {
        let refusal = desired(text, &[]).unwrap_err();
        assert!(refusal.contains(part), "{text}: {refusal}");
    }
}

#[test]
fn a_secret_is_not_repeated_by_its_refusal() {
    let text = "Parameters: {P: {Type: String, NoEcho: true, AllowedValues: [x]}}\nResources: {L: {Type: AWS::Logs::LogGroup}}";
    let refusal = desired(text, &[("P", "hush")]).unwrap_err();
    assert!(refusal.contains("must be one of") && !refusal.contains("hush"));
}

#[test]
fn a_secret_is_not_remembered_and_must_be_given_each_time() {
    use crate::template::parameters::{remembered, texts};
    let text = "Parameters: {P: {Type: String, NoEcho: true}, D: {Type: String, NoEcho: true, Default: d}, Q: {Type: String}}\nResources: {L: {Type: AWS::Logs::LogGroup}}";
    let parameters = Template::parse(text).unwrap().parameters;
    let values = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        all.iter().map(owned).collect()
    };
    let given = values(&[("P", "hush"), ("D", "hush"), ("Q", "q")]);
    assert_eq!(texts(&parameters, &given), values(&[("Q", "q")]));
    // Nor is one taken that a record still has.
    let next = remembered(&parameters, &given, &values(&[]));
    assert_eq!(next, values(&[("Q", "q")]));
    let refusal = desired(text, &[("Q", "q")]).unwrap_err();
    assert!(
        refusal.contains("the parameter P needs a value"),
        "{refusal}"
    );
}

#[test]
fn anchors_and_levels_cannot_grow_without_bound() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 8].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let refusal = Template::parse(&text).unwrap_err();
    assert!(refusal.message.contains("too large"));
    assert!(Template::parse(&"[".repeat(10_000)).is_err());
    assert!(Template::parse(&"- ".repeat(10_000)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_template_makes_it_panic(tail in "[ \n:{}\\[\\]!&*'\"$a-zA-Z0-9,.-]{0,120}") {
        let _ = desired(&tail, &[]);
        let _ = desired(&format!("{HEAD}{tail}"), &[]);
        let function = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      ";
        let _ = desired(&format!("{function}{tail}"), &[]);
    }
}
