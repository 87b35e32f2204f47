//! What is found, and what is left.

use std::collections::BTreeMap;

use super::*;
use crate::desired::{Desired, Identity};
use crate::template::{self, Template};

const MANY: &str = "
Transform: [AWS::Serverless-2016-10-31, AWS::LanguageExtensions]
Rules: {A: {Assertions: []}}
Globals:
  Api: {Cors: '*'}
  Function: {Runtime: python3.12, Handler: app.handler, PropagateTags: true}
Resources:
  F:
    Type: AWS::Serverless::Function
    DependsOn: Table
    Properties:
      CodeUri: src
      DeploymentPreference: {Type: AllAtOnce}
      FunctionUrlConfig: {AuthType: NONE, Colour: red}
      Environment:
        Variables:
          KEPT: 1
          TABLE: !Ref Table
          ZONES: {'Fn::GetAZs': ''}
      Policies:
        - AWSLambda_ReadOnlyAccess
        - DynamoDBCrudPolicy: {TableName: !Ref Table}
        - RekognitionDetectOnlyPolicy: {}
      Events:
        Web: {Type: Api, Properties: {Path: /, Method: get}}
        Http: {Type: HttpApi}
        Daily: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
        Topic: {Type: SNS, Properties: {Topic: 'arn:aws:sns:us-east-1:000000000000:t'}}
        Bucket: {Type: S3, Properties: {Bucket: !Ref Files, Events: 's3:ObjectCreated:*'}}
        Rule: {Type: EventBridgeRule, Properties: {Pattern: {source: [x]}}}
        Ours: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:us-east-1:000000000000:q', Colour: red}}
        Theirs: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
  Table: {Type: AWS::DynamoDB::Table}
  Files: {Type: AWS::S3::Bucket}
  Queue: {Type: AWS::SQS::Queue}
  Reads:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref F
      Principal: s3.amazonaws.com
      SourceArn: !GetAtt Files.Arn
  After:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub '/x/${Reads}'}
Outputs:
  Url: {Value: !Sub 'https://${ServerlessRestApi}.execute-api/Prod'}
  Name: {Value: !Ref F}
";

fn desired(root: &Node) -> Desired {
    let identity = Identity {
        stack: "s".to_owned(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    };
    let template = Template::of(root).unwrap();
    Desired::of(&template, &BTreeMap::new(), &identity).unwrap()
}

#[test]
fn all_that_is_not_supported_is_named_at_once() {
    let survey = of(&template::read(MANY).unwrap());
    let told: Vec<String> = survey
        .found
        .iter()
        .map(|found| found.what.to_string())
        .collect();
    for part in [
        "the transform AWS::LanguageExtensions",
        "line 3: the section Rules",
        "line 5: Globals.Api",
        "Globals.Function: PropagateTags",
        "F: DeploymentPreference",
        "F: FunctionUrlConfig.Colour",
        "F: the variable ZONES: the function Fn::GetAZs",
        "F: the variable TABLE, which refers to Table, which is not",
        "F: a policy, which refers to Table, which is not",
        "F: the policy template RekognitionDetectOnlyPolicy",
        "F: the event Web of type Api",
        "F: the event Http of type HttpApi",
        "F: the event Daily of type Schedule",
        "F: the event Topic of type SNS",
        "F: the event Bucket of type S3",
        "F: the event Rule of type EventBridgeRule",
        "F: the event Ours: Colour",
        "F: the event Theirs, which refers to Queue, which is not",
        "Table: resources of type AWS::DynamoDB::Table",
        "Files: resources of type AWS::S3::Bucket",
        "Queue: resources of type AWS::SQS::Queue",
        "Reads, which refers to Files, which is not",
        "After, which refers to Reads, which is not",
        "the output Url, which refers to ServerlessRestApi, which is not",
    ] {
        let times = told.iter().filter(|line| line.contains(part)).count();
        assert_eq!(times, 1, "{part}: {told:#?}");
    }
    assert!(survey.found.iter().all(|found| found.can_be_skipped));
}

#[test]
fn what_is_left_deploys_and_allows_nothing_more() {
    let survey = of(&template::read(MANY).unwrap());
    let desired = desired(&survey.rest);
    let names: Vec<&str> = desired
        .resources
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    for name in ["F", "FRole", "FUrl", "FOurs"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for name in ["Reads", "After", "FTheirs", "Table"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    let function = desired.resources.iter().find(|it| it.name == "F").unwrap();
    let variables = function.properties.get("Environment").unwrap();
    let variables = variables.get("Variables").unwrap().entries().unwrap();
    let names: Vec<&str> = variables.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(names, ["KEPT"]);
    let outputs: Vec<&str> = desired.outputs.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(outputs, ["Name"]);
    assert_eq!(of(&survey.rest).found, []);
}

#[test]
fn what_decides_values_of_others_cannot_be_skipped() {
    let text = "
Parameters:
  P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}
Conditions:
  C: {'Fn::Equals': [{'Fn::ImportValue': x}, 1]}
Resources:
  G: {Type: AWS::Logs::LogGroup, DeletionPolicy: RetainExceptOnCreate}
";
    let survey = of(&template::read(text).unwrap());
    let fatal: Vec<String> = survey
        .found
        .iter()
        .filter(|found| !found.can_be_skipped)
        .map(|found| found.what.to_string())
        .collect();
    assert_eq!(fatal.len(), 3, "{fatal:?}");
}

#[test]
fn what_gives_rights_goes_whole_when_a_property_of_it_does() {
    let permission = "AWS::Lambda::Permission, Properties: {Action: 'lambda:InvokeFunction', FunctionName: f, Principal: '*'";
    let layer = "AWS::Lambda::LayerVersionPermission, Properties: {Action: 'lambda:GetLayerVersion', LayerVersionArn: a, Principal: '*'";
    for (resource, property) in [
        (permission, "SourceArn"),
        (permission, "SourceAccount"),
        (permission, "PrincipalOrgID"),
        (permission, "Colour"),
        (layer, "OrganizationId"),
        ("AWS::IAM::Role, Properties: {RoleName: r", "Policies"),
        (
            "AWS::IAM::Role, Properties: {RoleName: r",
            "AssumeRolePolicyDocument",
        ),
        ("AWS::IAM::ManagedPolicy, Properties: {Path: /", "Roles"),
        (
            "AWS::Lambda::CodeSigningConfig, Properties: {Description: d",
            "CodeSigningPolicies",
        ),
    ] {
        let text = format!(
            "Resources:\n  P: {{Type: {resource}, {property}: !ImportValue x}}}}\n  L: {{Type: AWS::Logs::LogGroup}}\n"
        );
        let survey = of(&template::read(&text).unwrap());
        let all = survey.rest.get("Resources").unwrap();
        assert!(all.get("P").is_none(), "{text}{:#?}", survey.found);
        assert!(all.get("L").is_some(), "{text}");
        assert!(survey.found.iter().all(|found| found.can_be_skipped));
    }
}

#[test]
fn what_takes_rights_away_is_never_left_out() {
    for text in [
        "Resources: {R: {Type: AWS::IAM::Role, Properties: {PermissionsBoundary: a}}}",
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {PermissionsBoundary: a}}}",
        "Globals: {Function: {PermissionsBoundary: a}}",
        "Globals: {Function: {CodeSigningConfigArn: !ImportValue x}}",
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeSigningConfigArn: !ImportValue x}}}",
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: {CodeSigningConfigArn: !ImportValue x}}}",
        // It refers to what is not made.
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: {CodeSigningConfigArn: !Ref S}}, S: {Type: AWS::Signer::Nothing}}",
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: {CodeSigningConfigArn: !Ref S}}, S: {Type: AWS::Lambda::CodeSigningConfig, Properties: {CodeSigningPolicies: !ImportValue x}}}",
        // A function without its role gets one that its policies fill.
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Role: !ImportValue x, Policies: AdministratorAccess}}}",
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {AssumeRolePolicyDocument: !ImportValue x}}}",
        // A statement that denies.
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Policies: [a, {Statement: [{Effect: Deny, Action: '*', Resource: !Ref T}]}]}}, T: {Type: AWS::DynamoDB::Table}}",
        "Resources: {P: {Type: AWS::IAM::RolePolicy, Properties: {PolicyDocument: {Statement: {Effect: Deny}}}}}",
        "Resources: {P: {Type: AWS::IAM::Policy, Properties: {PolicyDocument: {Statement: {Effect: Deny}}, Roles: !ImportValue x}}}",
        "Resources: {P: {Type: AWS::IAM::Policy, Properties: {PolicyDocument: {Statement: {Effect: Deny, Resource: !Ref T}}}}, T: {Type: AWS::DynamoDB::Table}}",
    ] {
        let survey = of(&template::read(text).unwrap());
        let is_refused = survey.found.iter().any(|found| !found.can_be_skipped);
        assert!(is_refused, "{text}: {:#?}", survey.found);
    }
}

#[test]
fn the_template_of_sam_init_is_left_with_its_function() {
    let text = include_str!("hello-world.yaml");
    let survey = of(&template::read(text).unwrap());
    let told: Vec<String> = survey
        .found
        .iter()
        .map(|found| found.what.message.clone())
        .collect();
    let expected = [
        "HelloWorldFunction: the event HelloWorld of type Api",
        "ApplicationResourceGroup: resources of type AWS::ResourceGroups::Group",
        "ApplicationInsightsMonitoring: resources of type AWS::ApplicationInsights::Application",
        "the output HelloWorldApi, which refers to ServerlessRestApi, which is not",
    ];
    assert_eq!(told, expected);
    let desired = desired(&survey.rest);
    let names: Vec<&str> = desired
        .resources
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(names, ["HelloWorldFunctionRole", "HelloWorldFunction"]);
}

#[test]
fn what_is_supported_is_found_nothing_in() {
    for text in [
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt R.Arn}}, R: {Type: AWS::IAM::Role}}",
        "Resources: [1]",
        "1",
        "Resources: {F: 1, G: {Type: [x], Properties: 1}}",
    ] {
        let root = template::read(text).unwrap();
        let survey = of(&root);
        assert_eq!(
            (survey.found.as_slice(), survey.rest),
            ([].as_slice(), root),
            "{text}"
        );
    }
}

#[test]
fn fuzz_survey() {
    use proptest::prelude::*;
    let value = prop_oneof![
        Just("1".to_owned()),
        "[A-D]".prop_map(|name| format!("{{'Ref': {name}}}")),
        "[A-D]".prop_map(|name| format!("{{'Fn::GetAtt': [{name}, Arn]}}")),
        Just("{'Fn::Nothing': 1}".to_owned()),
        Just("{'Fn::Sub': '${ServerlessRestApi}'}".to_owned()),
        Just("[{'Ref': A}]".to_owned()),
    ];
    let key = prop::sample::select(vec![
        "Events",
        "Policies",
        "Environment",
        "Code",
        "CodeUri",
        "Role",
        "FunctionName",
        "Handler",
        "Colour",
    ]);
    let kind = prop::sample::select(vec![
        FUNCTION,
        LAYER,
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::S3::Bucket",
        "[x]",
    ]);
    let resource =
        (kind, key, value.clone(), any::<bool>()).prop_map(|(kind, key, value, nested)| {
            let value = match nested {
                true => format!(
                    "{{X: {{Type: SQS, Properties: {{Queue: {value}}}}}, Y: {{Type: Api}}}}"
                ),
                false => value,
            };
            format!("{{Type: {kind}, DependsOn: A, Properties: {{{key}: {value}}}}}")
        });
    let input = (prop::collection::vec(resource, 1..4), value);
    fuzzing::run("survey", input, |(resources, output)| {
        let named = ["A", "B", "C"].iter().zip(resources);
        let resources: String = named
            .map(|(name, text)| format!("  {name}: {text}\n"))
            .collect();
        let text = format!("Resources:\n{resources}Outputs:\n  O: {{Value: {output}}}\n");
        let survey = of(&template::read(&text).unwrap());
        // All at once: of what is left nothing is found.
        let again = of(&survey.rest);
        prop_assert!(again.found.is_empty(), "{text}{:?}", again.found);
        prop_assert_eq!(again.rest, survey.rest);
        Ok(())
    });
}
