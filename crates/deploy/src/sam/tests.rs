//! What SAM's types expand to.

use super::expand;
use crate::template::Template;
use crate::template::node::Node;

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.12, Layers: [a], Environment: {Variables: {A: 1, B: 1}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Layers: [b]
      Environment: {Variables: {B: 2}}
      AutoPublishAlias: live
      FunctionUrlConfig: {AuthType: NONE}
      Policies: [AWSLambda_ReadOnlyAccess, SQSPollerPolicy: {QueueName: q}]
      Events:
        Queue: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:us-east-1:000000000000:q'}}
";

#[test]
fn a_function_comes_with_all_that_belongs_to_it() {
    let expanded = expand(&Template::parse(TEMPLATE).unwrap()).unwrap();
    let mut names: Vec<&str> = expanded
        .resources
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    names.sort_unstable();
    let expected = [
        "F",
        "FAliaslive",
        "FQueue",
        "FRole",
        "FURLInvokeAllowPublicAccess",
        "FUrl",
        "FUrlPublicPermissions",
        "FVersion",
    ];
    assert_eq!(names, expected);
    assert_eq!(expanded.renames["F.Alias"], "FAliaslive");
    let function = expanded.resources.iter().find(|it| it.name == "F").unwrap();
    let layers = function
        .properties
        .get("Layers")
        .and_then(Node::items)
        .unwrap();
    let layers: Vec<&str> = layers.iter().filter_map(Node::as_text).collect();
    assert_eq!(layers, ["a", "b"]);
    let environment = function.properties.get("Environment").unwrap();
    let variables = environment.get("Variables").unwrap();
    let value = |name: &str| variables.get(name).and_then(Node::scalar);
    assert_eq!(
        (value("A"), value("B")),
        (Some("1".into()), Some("2".into()))
    );
}

#[test]
fn what_is_not_supported_is_refused() {
    for (old, new, part) in [
        ("Type: SQS", "Type: Api", "events of type Api"),
        (
            "SQSPollerPolicy",
            "NoSuchPolicy",
            "NoSuchPolicy is not supported",
        ),
        ("Handler:", "Colour:", "no property Colour"),
        (
            "CodeUri: src",
            "Timeout: 3",
            "neither CodeUri nor InlineCode",
        ),
    ] {
        let template = Template::parse(&TEMPLATE.replace(old, new)).unwrap();
        let refusal = expand(&template).unwrap_err().to_string();
        assert!(refusal.contains(part), "{refusal}");
    }
}

const OUTCOMES: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: x
      Handler: index.handler
      Runtime: python3.12
      DeadLetterQueue: {Type: SQS, TargetArn: 'arn:aws:sqs:us-east-1:000000000000:q'}
      EventInvokeConfig:
        DestinationConfig:
          OnSuccess: {Type: Lambda, Destination: !GetAtt G.Arn}
          OnFailure: {Type: S3, Destination: 'arn:aws:s3:::b'}
";

#[test]
fn a_made_role_may_tell_of_outcomes() {
    let expanded = expand(&Template::parse(OUTCOMES).unwrap()).unwrap();
    let role = expanded.resources.iter().find(|it| it.name == "FRole");
    let policies = role.unwrap().properties.get("Policies").unwrap();
    let allowed: Vec<_> = policies
        .items()
        .unwrap()
        .iter()
        .map(|policy| {
            let document = policy.get("PolicyDocument").unwrap();
            let statement = &document.get("Statement").unwrap().items().unwrap()[0];
            let action = statement.get("Action").and_then(Node::as_text).unwrap();
            let resource = statement.get("Resource").unwrap();
            (
                action,
                resource.as_text(),
                resource.call().map(|(name, _)| name),
            )
        })
        .collect();
    let queue = Some("arn:aws:sqs:us-east-1:000000000000:q");
    let expected = [
        ("sqs:SendMessage", queue, None),
        ("lambda:InvokeFunction", None, Some("Fn::GetAtt")),
        ("s3:PutObject", None, Some("Fn::Join")),
    ];
    assert_eq!(allowed, expected);
    for (old, new) in [
        ("Type: SQS, ", ""),
        ("Type: SQS", "Type: S3"),
        ("Type: S3", "Type: Bucket"),
    ] {
        let template = Template::parse(&OUTCOMES.replace(old, new)).unwrap();
        let refused = expand(&template).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("needs a Type, one of SQS, SNS"),
            "{refused}"
        );
    }
    // A role of the template's own is its owner's affair.
    let own = OUTCOMES
        .replace("Type: SQS, ", "")
        .replace("InlineCode", "Role: r\n      InlineCode");
    assert!(expand(&Template::parse(&own).unwrap()).is_ok());
}
