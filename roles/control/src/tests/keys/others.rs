//! Of operations on what belongs to functions.

use serde_json::{Value, json};
use wire::uri::encode;

use super::{ANY, IS, case, check_in};
use crate::tests::harness::{ARN, World};

#[tokio::test]
async fn event_source_mappings() {
    const MAPPINGS: &str = "/2015-03-31/event-source-mappings/";
    let world = World::with_function().await;
    let source = |queue: &str| {
        json!({ "FunctionName": "f", "Tags": { "Team": "red" },
            "EventSourceArn": format!("arn:aws:sqs:us-east-1:000000000000:{queue}") })
    };
    let made = world.call("POST", MAPPINGS, source("one")).await;
    assert_eq!(made.status, 202, "{}", made.body);
    let id = made.body["UUID"].as_str().unwrap();
    let one = format!("{MAPPINGS}{id}");
    let arn = made.body["EventSourceMappingArn"].as_str().unwrap();
    let tags = format!("/2017-03-31/tags/{}", encode(arn));
    let of_f = ("ArnEquals", "lambda:FunctionArn", ARN);
    let red = (IS, "aws:ResourceTag/Team", "red");
    let get = || ("GET", one.as_str(), Value::Null);
    let update = || ("PUT", one.as_str(), json!({ "BatchSize": 5 }));
    let create = || ("POST", MAPPINGS, source("two"));
    check_in(
        &world,
        vec![
            case(
                create(),
                "lambda:CreateEventSourceMapping",
                (IS, "aws:RequestTag/Team", "red"),
            ),
            case(
                create(),
                "lambda:CreateEventSourceMapping",
                (ANY, "aws:TagKeys", "Team"),
            ),
            case(create(), "lambda:CreateEventSourceMapping", of_f),
            case(get(), "lambda:GetEventSourceMapping", of_f),
            case(get(), "lambda:GetEventSourceMapping", red),
            case(update(), "lambda:UpdateEventSourceMapping", of_f),
            case(update(), "lambda:UpdateEventSourceMapping", red),
            case(("GET", &tags, Value::Null), "lambda:ListTags", red),
            case(
                ("DELETE", &one, Value::Null),
                "lambda:DeleteEventSourceMapping",
                of_f,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_mapping_is_not_moved_to_a_function_that_is_denied() {
    let world = World::with_function().await;
    let source = json!({ "FunctionName": "f",
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:one" });
    let made = world
        .call("POST", "/2015-03-31/event-source-mappings/", source)
        .await;
    let id = made.body["UUID"].as_str().unwrap();
    let g = ARN.replace("function:f", "function:g");
    let target = format!("/2015-03-31/event-source-mappings/{id}");
    let moved = case(
        ("PUT", &target, json!({ "FunctionName": "g" })),
        "lambda:UpdateEventSourceMapping",
        ("ArnEquals", "lambda:FunctionArn", &g),
    );
    let ann = world.client.user("ann", None).await;
    let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let denied = json!([everything, moved.statement("Deny", true)]);
    assert_eq!(moved.status(&world, &ann, denied).await, 403);
    assert_ne!(moved.status(&world, &ann, json!([everything])).await, 403);
}

#[tokio::test]
async fn code_signing_configs() {
    const CONFIGS: &str = "/2020-04-22/code-signing-configs/";
    let world = World::with_function().await;
    let body = || {
        json!({ "Tags": { "Team": "red" }, "AllowedPublishers": { "SigningProfileVersionArns":
            ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"] } })
    };
    let made = world.call("POST", CONFIGS, body()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let arn = made.body["CodeSigningConfig"]["CodeSigningConfigArn"]
        .as_str()
        .unwrap();
    let one = format!("{CONFIGS}{}", encode(arn));
    let red = (IS, "aws:ResourceTag/Team", "red");
    let put = (
        "PUT",
        "/2020-06-30/functions/f/code-signing-config",
        json!({ "CodeSigningConfigArn": arn }),
    );
    let functions = format!("{one}/functions");
    check_in(
        &world,
        vec![
            case(
                ("POST", CONFIGS, body()),
                "lambda:CreateCodeSigningConfig",
                (IS, "aws:RequestTag/Team", "red"),
            ),
            case(
                ("POST", CONFIGS, body()),
                "lambda:CreateCodeSigningConfig",
                (ANY, "aws:TagKeys", "Team"),
            ),
            case(
                ("GET", &one, Value::Null),
                "lambda:GetCodeSigningConfig",
                red,
            ),
            case(
                ("PUT", &one, json!({ "Description": "x" })),
                "lambda:UpdateCodeSigningConfig",
                red,
            ),
            case(
                ("GET", &functions, Value::Null),
                "lambda:ListFunctionsByCodeSigningConfig",
                red,
            ),
            case(
                put,
                "lambda:PutFunctionCodeSigningConfig",
                ("ArnEquals", "lambda:CodeSigningConfigArn", arn),
            ),
            case(
                ("DELETE", &one, Value::Null),
                "lambda:DeleteCodeSigningConfig",
                red,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn urls_and_permissions() {
    let world = World::with_function().await;
    let url = "/2021-10-31/functions/f/url";
    let policy = "/2015-03-31/functions/f/policy";
    let kind = |word| (IS, "lambda:FunctionUrlAuthType", word);
    let of_f = ("ArnEquals", "lambda:FunctionArn", ARN);
    let create = || ("POST", url, json!({ "AuthType": "NONE" }));
    let get = || ("GET", url, Value::Null);
    let statement = |id: &str| {
        json!({ "StatementId": id, "Action": "lambda:InvokeFunctionUrl", "Principal": "111122223333",
            "FunctionUrlAuthType": "NONE" })
    };
    let add = |id| ("POST", policy, statement(id));
    for id in ["one", "two"] {
        assert_eq!(world.call("POST", policy, statement(id)).await.status, 201);
    }
    let (one, two) = (format!("{policy}/one"), format!("{policy}/two"));
    check_in(
        &world,
        vec![
            case(create(), "lambda:CreateFunctionUrlConfig", kind("NONE")),
            case(create(), "lambda:CreateFunctionUrlConfig", of_f),
            case(get(), "lambda:GetFunctionUrlConfig", kind("NONE")),
            case(get(), "lambda:GetFunctionUrlConfig", of_f),
            case(
                ("PUT", url, json!({ "AuthType": "AWS_IAM" })),
                "lambda:UpdateFunctionUrlConfig",
                kind("AWS_IAM"),
            ),
            case(
                ("PUT", url, json!({})),
                "lambda:UpdateFunctionUrlConfig",
                kind("AWS_IAM"),
            ),
            case(
                ("DELETE", url, Value::Null),
                "lambda:DeleteFunctionUrlConfig",
                kind("AWS_IAM"),
            ),
            case(
                add("a"),
                "lambda:AddPermission",
                (IS, "lambda:Principal", "111122223333"),
            ),
            case(add("b"), "lambda:AddPermission", kind("NONE")),
            case(
                ("DELETE", &one, Value::Null),
                "lambda:RemovePermission",
                (IS, "lambda:Principal", "111122223333"),
            ),
            case(
                ("DELETE", &two, Value::Null),
                "lambda:RemovePermission",
                kind("NONE"),
            ),
        ],
    )
    .await;
}
