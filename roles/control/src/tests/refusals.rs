//! Refusals about functions, in the service's words.

use serde_json::{Value, json};

use super::harness::{FUNCTIONS, World, create_with};

#[tokio::test]
async fn what_is_not_there_is_not_found_by_its_arn() {
    let world = World::with_function().await;
    for (target, arn) in [
        ("/2015-03-31/functions/g", "function:g"),
        ("/2015-03-31/functions/f?Qualifier=7", "function:f:7"),
        (
            "/2015-03-31/functions/f:live/configuration",
            "function:f:live",
        ),
        ("/2015-03-31/functions/f/versions/x/aliases", ""),
        ("/2015-03-31/functions/g/versions", "function:g"),
        ("/2015-03-31/functions/g/aliases", "function:g"),
        ("/2019-09-30/functions/g/concurrency", "function:g"),
    ] {
        let answer = world.get(target).await;
        if arn.is_empty() {
            answer.refused(404, "UnknownOperationException", "Unknown operation: GET");
            continue;
        }
        let expected = format!("Function not found: arn:aws:lambda:us-east-1:000000000000:{arn}");
        answer.refused(404, "ResourceNotFoundException", &expected);
        assert_eq!(answer.body["Type"], "User");
    }
}

#[tokio::test]
async fn wrong_functions_are_refused_in_the_services_words() {
    let world = World::new();
    let validation = "ValidationException";
    let parameter = "InvalidParameterValueException";
    for (members, status, error, message) in [
        (
            json!({"FunctionName": null}),
            400,
            validation,
            "Value null at 'functionName' failed to satisfy constraint: Member must not be null",
        ),
        (
            json!({"Role": null, "Code": null}),
            400,
            validation,
            "2 validation errors detected: Value null at 'role'",
        ),
        (
            json!({"Role": "x"}),
            400,
            validation,
            "Value 'x' at 'role' failed to satisfy constraint",
        ),
        (
            json!({"MemorySize": 10241}),
            400,
            validation,
            "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
        (
            json!({"Timeout": 0}),
            400,
            validation,
            "Value '0' at 'timeout'",
        ),
        (
            json!({"Architectures": ["x86_64", "arm64"]}),
            400,
            validation,
            "Value '[x86_64, arm64]' at 'architectures'",
        ),
        (
            json!({"Runtime": "cobol"}),
            400,
            parameter,
            "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, ",
        ),
        (
            json!({"Handler": null}),
            400,
            parameter,
            "Runtime and Handler are mandatory parameters",
        ),
        (
            json!({"Role": "arn:aws:iam::111111111111:role/r"}),
            403,
            "AccessDeniedException",
            "Cross-account pass role is not allowed.",
        ),
        (
            json!({"FunctionName": "a".repeat(65)}),
            400,
            parameter,
            "at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            json!({"FunctionName": "a b"}),
            400,
            validation,
            "Value 'a b' at 'functionName'",
        ),
        (
            json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}),
            400,
            parameter,
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            json!({"Environment": {"Variables": {"KEY": "x".repeat(4_096)}}}),
            400,
            parameter,
            "exceeded the 4KB limit. String measured: ",
        ),
        (
            json!({"Code": {}}),
            400,
            parameter,
            "Please provide a source for function code.",
        ),
        (
            json!({"Code": {"S3Bucket": "bucket", "S3Key": "k"}}),
            400,
            parameter,
            "Code cannot be read from S3 here",
        ),
        (
            json!({"Code": {"ImageUri": "x"}}),
            400,
            parameter,
            "Please don't provide ImageUri when creating a function with packageType Zip.",
        ),
        (
            json!({"PackageType": "Image"}),
            400,
            parameter,
            "Please don't provide Handler or Runtime or Layer",
        ),
        (
            json!({"PackageType": "Image", "Handler": null, "Runtime": null}),
            501,
            "NotImplementedException",
            "PackageType Image",
        ),
        (
            json!({"Layers": ["arn"]}),
            400,
            validation,
            "Value '[arn]' at 'layers'",
        ),
        (
            json!({"Code": {"ZipFile": "AAAA"}}),
            400,
            parameter,
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            json!({"Code": {"ZipFile": ""}}),
            400,
            parameter,
            "Uploaded file must be a non-empty zip",
        ),
        (
            json!({"Code": {"ZipFile": "*"}}),
            400,
            "SerializationException",
            "not base64",
        ),
        (
            json!({"Timeout": "3"}),
            400,
            "SerializationException",
            "Could not parse request body into json",
        ),
    ] {
        let answer = world.call("POST", FUNCTIONS, create_with(members)).await;
        answer.refused(status, error, message);
    }
    let none = world.get(FUNCTIONS).await;
    assert_eq!(none.body, json!({"Functions": []}));
}

#[tokio::test]
async fn every_operation_has_an_answer() {
    let world = World::new();
    for operation in wire::rest::Operation::ALL {
        let target = operation.template().replace('{', "x").replace('}', "");
        let method = operation.method().as_str();
        let answer = world.call(method, &target, Value::Null).await;
        if answer.status == 501 {
            answer.refused(501, "NotImplementedException", "Lambent does not implement");
        }
        let known = [200, 400, 404, 501].contains(&answer.status);
        assert!(known, "{operation:?}: {} {}", answer.status, answer.body);
    }
    world
        .get("/2015-03-31/nothing")
        .await
        .refused(404, "UnknownOperationException", "/nothing");
}
