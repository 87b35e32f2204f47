//! AWS's managed policies that Lambda's users attach, with the actions that they allow.

use serde_json::json;

const PREFIX: &str = "arn:aws:iam::aws:policy/";
const LOGS: [&str; 3] = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// Names after [`PREFIX`], whether logs come with them, and the actions.
const POLICIES: &[(&str, bool, &[&str])] = &[
    ("AdministratorAccess", false, &["*"]),
    (
        "ReadOnlyAccess",
        false,
        &[
            "lambda:Get*",
            "lambda:List*",
            "logs:Get*",
            "logs:Describe*",
            "logs:FilterLogEvents",
            "logs:List*",
            "iam:Get*",
            "iam:List*",
            "s3:Get*",
            "s3:List*",
            "sqs:Get*",
            "sqs:List*",
            "dynamodb:Get*",
            "dynamodb:Describe*",
            "dynamodb:List*",
        ],
    ),
    (
        "AWSLambda_FullAccess",
        false,
        &[
            "lambda:*",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoles",
            "iam:PassRole",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
        ],
    ),
    (
        "AWSLambda_ReadOnlyAccess",
        false,
        &[
            "lambda:Get*",
            "lambda:List*",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
        ],
    ),
    (
        "service-role/AWSLambdaRole",
        false,
        &["lambda:InvokeFunction"],
    ),
    ("service-role/AWSLambdaBasicExecutionRole", true, &[]),
    (
        "service-role/AWSLambdaSQSQueueExecutionRole",
        true,
        &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
    ),
    (
        "service-role/AWSLambdaKinesisExecutionRole",
        true,
        &[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:ListStreams",
            "kinesis:SubscribeToShard",
        ],
    ),
    (
        "service-role/AWSLambdaDynamoDBExecutionRole",
        true,
        &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
    ),
    (
        "service-role/AWSLambdaVPCAccessExecutionRole",
        true,
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
    ),
    (
        "AmazonS3ReadOnlyAccess",
        false,
        &[
            "s3:Get*",
            "s3:List*",
            "s3:Describe*",
            "s3-object-lambda:Get*",
            "s3-object-lambda:List*",
        ],
    ),
    ("AmazonS3FullAccess", false, &["s3:*", "s3-object-lambda:*"]),
    ("AmazonSQSFullAccess", false, &["sqs:*"]),
    ("AmazonDynamoDBFullAccess", false, &["dynamodb:*"]),
    (
        "AWSXRayDaemonWriteAccess",
        false,
        &[
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:GetSamplingStatisticSummaries",
        ],
    ),
];

/// The document of a managed policy, if there is one of that ARN.
pub(crate) fn managed(arn: &str) -> Option<String> {
    let name = arn.strip_prefix(PREFIX)?;
    let (_, logs, actions) = POLICIES.iter().find(|(known, ..)| *known == name)?;
    let logs = if *logs { &LOGS[..] } else { &[] };
    let actions: Vec<&str> = logs.iter().chain(*actions).copied().collect();
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    });
    Some(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_managed_policy_is_one() {
        for (name, ..) in POLICIES {
            let text = managed(&format!("{PREFIX}{name}")).unwrap();
            policy::Policy::parse(&text, policy::Form::Identity).unwrap();
        }
        assert!(managed("arn:aws:iam::aws:policy/None").is_none());
    }
}
