//! Condition keys: each operation has those that AWS's service authorisation reference gives it, so
//! that what is allowed or denied by them is.

use identity::examples::Held;
use serde_json::{Value, json};
use wire::uri::encode;

use super::harness::{ARN, FUNCTIONS, World, create_with};

mod others;

/// An operation, and a condition that holds for it.
struct Case {
    method: &'static str,
    target: String,
    body: Value,
    action: &'static str,
    /// `operator key value`.
    condition: [String; 3],
}

fn case(
    (method, target, body): (&'static str, &str, Value),
    action: &'static str,
    (operator, key, value): (&str, &str, &str),
) -> Case {
    Case {
        method,
        target: target.to_owned(),
        body,
        action,
        condition: [operator, key, value].map(str::to_owned),
    }
}

impl Case {
    /// A statement about the action, under the condition or under one that does not hold.
    fn statement(&self, effect: &str, holds: bool) -> Value {
        let [operator, key, value] = &self.condition;
        let wrong = match (operator.as_str(), value.as_str()) {
            ("Bool", "true") => "false",
            ("Bool", _) => "true",
            _ => "arn:aws:x:::never",
        };
        let value = if holds { value } else { wrong };
        json!({ "Effect": effect, "Action": self.action, "Resource": "*",
            "Condition": { operator.as_str(): { key.as_str(): value } } })
    }

    async fn status(&self, world: &World, ann: &Held, statements: Value) -> u16 {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let own = [
            ("UserName", "ann"),
            ("PolicyName", "p"),
            ("PolicyDocument", policy.as_str()),
        ];
        world.client.iam("PutUserPolicy", &own).await;
        let body = match &self.body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let signer = ann.signer("lambda");
        let answer = world
            .send(&signer, self.method, &self.target, body.as_bytes())
            .await;
        let denied = answer.error == "AccessDeniedException";
        assert_eq!(denied, answer.status == 403, "{}", answer.body);
        answer.status
    }

    /// Denied where a denial holds, or no permission does; not where a permission holds.
    async fn check(&self, world: &World, ann: &Held) {
        let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let rest = json!({ "Effect": "Allow", "NotAction": self.action, "Resource": "*" });
        let name = format!("{} by {:?}", self.action, self.condition);
        let denied = json!([everything, self.statement("Deny", true)]);
        assert_eq!(
            self.status(world, ann, denied).await,
            403,
            "{name}: a denial"
        );
        let elsewhere = json!([rest, self.statement("Allow", false)]);
        assert_eq!(
            self.status(world, ann, elsewhere).await,
            403,
            "{name}: no permission"
        );
        let allowed = json!([rest, self.statement("Allow", true)]);
        assert_ne!(
            self.status(world, ann, allowed).await,
            403,
            "{name}: a permission"
        );
    }
}

async fn check(cases: Vec<Case>) {
    let world = World::with_function().await;
    check_in(&world, cases).await;
}

async fn check_in(world: &World, cases: Vec<Case>) {
    let ann = world.client.user("ann", None).await;
    for case in cases {
        case.check(world, &ann).await;
    }
}

const ANY: &str = "ForAnyValue:StringEquals";
const IS: &str = "StringEquals";
const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l:1";
const CONFIG: &str =
    "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0";

#[tokio::test]
async fn settings_of_functions() {
    let create = || {
        (
            "POST",
            FUNCTIONS,
            create_with(json!({
                "FunctionName": "g", "Layers": [LAYER], "Tags": { "Team": "red" },
                "CodeSigningConfigArn": CONFIG,
                "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
            })),
        )
    };
    let action = "lambda:CreateFunction";
    let target = format!("{FUNCTIONS}/f/configuration");
    let update = || {
        (
            "PUT",
            target.as_str(),
            json!({ "Layers": [LAYER],
            "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] } }),
        )
    };
    let update_action = "lambda:UpdateFunctionConfiguration";
    let network = "vpc-00000000000000000";
    check(vec![
        case(create(), action, (ANY, "lambda:Layer", LAYER)),
        case(create(), action, (IS, "lambda:VpcIds", network)),
        case(create(), action, (ANY, "lambda:SubnetIds", "subnet-1")),
        case(create(), action, (ANY, "lambda:SecurityGroupIds", "sg-1")),
        case(
            create(),
            action,
            ("ArnEquals", "lambda:CodeSigningConfigArn", CONFIG),
        ),
        case(create(), action, (IS, "aws:RequestTag/team", "red")),
        case(create(), action, (ANY, "aws:TagKeys", "Team")),
        case(
            create(),
            "iam:PassRole",
            (IS, "iam:PassedToService", "lambda.amazonaws.com"),
        ),
        case(
            create(),
            "iam:PassRole",
            (
                "ArnLike",
                "iam:AssociatedResourceArn",
                "arn:aws:lambda:*:*:function:g",
            ),
        ),
        case(update(), update_action, (ANY, "lambda:Layer", LAYER)),
        case(update(), update_action, (IS, "lambda:VpcIds", network)),
        case(
            update(),
            update_action,
            (ANY, "lambda:SubnetIds", "subnet-1"),
        ),
        case(
            update(),
            update_action,
            (ANY, "lambda:SecurityGroupIds", "sg-1"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn tags() {
    let world = World::with_function().await;
    let tags = format!("/2017-03-31/tags/{}", encode(ARN));
    let given = json!({ "Tags": { "Team": "red" } });
    assert_eq!(world.call("POST", &tags, given.clone()).await.status, 204);
    let tag = || ("POST", tags.as_str(), given.clone());
    let untag = format!("{tags}?tagKeys=a&tagKeys=b");
    let untag = || ("DELETE", untag.as_str(), Value::Null);
    let get = || ("GET", "/2015-03-31/functions/f", Value::Null);
    let red = (IS, "aws:ResourceTag/Team", "red");
    check_in(
        &world,
        vec![
            case(
                tag(),
                "lambda:TagResource",
                (IS, "aws:RequestTag/Team", "red"),
            ),
            case(tag(), "lambda:TagResource", (ANY, "aws:TagKeys", "Team")),
            case(tag(), "lambda:TagResource", red),
            case(untag(), "lambda:UntagResource", (ANY, "aws:TagKeys", "b")),
            case(untag(), "lambda:UntagResource", red),
            case(("GET", &tags, Value::Null), "lambda:ListTags", red),
            case(get(), "lambda:GetFunction", red),
        ],
    )
    .await;
}

#[tokio::test]
async fn whoever_asks() {
    let world = World::with_function().await;
    let tag = [
        ("UserName", "ann"),
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "red"),
    ];
    let ann = world.client.user("ann", None).await;
    world.client.iam("TagUser", &tag).await;
    let get = || ("GET", "/2015-03-31/functions/f", Value::Null);
    let action = "lambda:GetFunction";
    for condition in [
        (IS, "aws:username", "ann"),
        (IS, "aws:PrincipalTag/team", "red"),
        (IS, "aws:PrincipalAccount", "000000000000"),
        (IS, "aws:PrincipalType", "User"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/ann"),
        ("StringLike", "aws:userid", "AIDA*"),
        (IS, "aws:RequestedRegion", "us-east-1"),
        ("Bool", "aws:SecureTransport", "false"),
        ("Bool", "aws:ViaAWSService", "false"),
        ("Bool", "aws:PrincipalIsAWSService", "false"),
        ("StringLike", "aws:CurrentTime", "2026-01-31T*"),
    ] {
        case(get(), action, condition).check(&world, &ann).await;
    }
}
