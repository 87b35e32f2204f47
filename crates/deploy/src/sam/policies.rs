//! SAM's policy templates: a name and a few parameters instead of a document.
//!
//! The actions are those that the services' authorisation reference names for the purpose that the
//! template's name tells. A template that is not here is refused, never guessed.

use crate::template::Error;
use crate::template::node::{Entry, Node};

/// A template: its name, its parameters, and what it allows on what.
struct PolicyTemplate {
    name: &'static str,
    parameters: &'static [&'static str],
    statements: &'static [(&'static [&'static str], &'static [&'static str])],
}

const QUEUE: &str = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${QueueName}";
const TOPIC: &str = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${TopicName}";
const FUNCTION: &str =
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${FunctionName}*";
const TABLE: &str =
    "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}";
const INDEXES: &str =
    "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}/index/*";
const TABLE_STREAM: &str = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}/stream/${StreamName}";
const STREAM: &str =
    "arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/${StreamName}";
const BUCKET: &str = "arn:${AWS::Partition}:s3:::${BucketName}";
const OBJECTS: &str = "arn:${AWS::Partition}:s3:::${BucketName}/*";

const TEMPLATES: [PolicyTemplate; 17] = [
    PolicyTemplate {
        name: "SQSPollerPolicy",
        parameters: &["QueueName"],
        statements: &[(
            &[
                "sqs:ChangeMessageVisibility",
                "sqs:ChangeMessageVisibilityBatch",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            &[QUEUE],
        )],
    },
    PolicyTemplate {
        name: "SQSSendMessagePolicy",
        parameters: &["QueueName"],
        statements: &[(&["sqs:SendMessage*"], &[QUEUE])],
    },
    PolicyTemplate {
        name: "SNSPublishMessagePolicy",
        parameters: &["TopicName"],
        statements: &[(&["sns:Publish"], &[TOPIC])],
    },
    PolicyTemplate {
        name: "SNSCrudPolicy",
        parameters: &["TopicName"],
        statements: &[(
            &[
                "sns:CreateTopic",
                "sns:ListSubscriptionsByTopic",
                "sns:Publish",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
            ],
            &[TOPIC],
        )],
    },
    PolicyTemplate {
        name: "LambdaInvokePolicy",
        parameters: &["FunctionName"],
        statements: &[(&["lambda:InvokeFunction"], &[FUNCTION])],
    },
    PolicyTemplate {
        name: "DynamoDBReadPolicy",
        parameters: &["TableName"],
        statements: &[(
            &[
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:Query",
                "dynamodb:Scan",
            ],
            &[TABLE, INDEXES],
        )],
    },
    PolicyTemplate {
        name: "DynamoDBWritePolicy",
        parameters: &["TableName"],
        statements: &[(
            &[
                "dynamodb:BatchWriteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            &[TABLE, INDEXES],
        )],
    },
    PolicyTemplate {
        name: "DynamoDBCrudPolicy",
        parameters: &["TableName"],
        statements: &[(
            &[
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:Scan",
                "dynamodb:UpdateItem",
            ],
            &[TABLE, INDEXES],
        )],
    },
    PolicyTemplate {
        name: "DynamoDBStreamReadPolicy",
        parameters: &["TableName", "StreamName"],
        statements: &[
            (
                &[
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                ],
                &[TABLE_STREAM],
            ),
            (&["dynamodb:ListStreams"], &["*"]),
        ],
    },
    PolicyTemplate {
        name: "KinesisStreamReadPolicy",
        parameters: &["StreamName"],
        statements: &[(
            &[
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
                "kinesis:ListStreams",
            ],
            &[STREAM],
        )],
    },
    PolicyTemplate {
        name: "S3ReadPolicy",
        parameters: &["BucketName"],
        statements: &[(
            &[
                "s3:GetBucketLocation",
                "s3:GetLifecycleConfiguration",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListBucket",
            ],
            &[BUCKET, OBJECTS],
        )],
    },
    PolicyTemplate {
        name: "S3WritePolicy",
        parameters: &["BucketName"],
        statements: &[(
            &[
                "s3:PutLifecycleConfiguration",
                "s3:PutObject",
                "s3:PutObjectAcl",
            ],
            &[BUCKET, OBJECTS],
        )],
    },
    PolicyTemplate {
        name: "S3CrudPolicy",
        parameters: &["BucketName"],
        statements: &[(
            &[
                "s3:DeleteObject",
                "s3:GetBucketLocation",
                "s3:GetLifecycleConfiguration",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListBucket",
                "s3:PutLifecycleConfiguration",
                "s3:PutObject",
                "s3:PutObjectAcl",
            ],
            &[BUCKET, OBJECTS],
        )],
    },
    PolicyTemplate {
        name: "CloudWatchPutMetricPolicy",
        parameters: &[],
        statements: &[(&["cloudwatch:PutMetricData"], &["*"])],
    },
    PolicyTemplate {
        name: "EventBridgePutEventsPolicy",
        parameters: &["EventBusName"],
        statements: &[(
            &["events:PutEvents"],
            &[
                "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}",
            ],
        )],
    },
    PolicyTemplate {
        name: "AWSSecretsManagerGetSecretValuePolicy",
        parameters: &["SecretArn"],
        statements: &[(&["secretsmanager:GetSecretValue"], &["${SecretArn}"])],
    },
    PolicyTemplate {
        name: "StepFunctionsExecutionPolicy",
        parameters: &["StateMachineName"],
        statements: &[(
            &["states:StartExecution"],
            &[
                "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${StateMachineName}",
            ],
        )],
    },
];

/// Whether there is a template of that name.
pub(crate) fn is_template(name: &str) -> bool {
    TEMPLATES.iter().any(|template| template.name == name)
}

/// The document that a template stands for.
pub(super) fn document(name: &str, given: &Node, line: usize) -> Result<Node, Error> {
    let template = TEMPLATES.iter().find(|template| template.name == name);
    let template = template.ok_or_else(|| Error {
        line,
        message: format!("the policy template {name} is not supported"),
    })?;
    for Entry { key, line, .. } in given.entries().unwrap_or_default() {
        if !template.parameters.contains(&key.as_str()) {
            return Err(Error {
                line: *line,
                message: format!("{name} has no parameter {key}"),
            });
        }
    }
    let mut values = Vec::new();
    for parameter in template.parameters {
        let value = given.get(parameter);
        let value = value.ok_or_else(|| Error {
            line,
            message: format!("{name} needs its parameter {parameter}"),
        })?;
        values.push((*parameter, value.clone()));
    }
    let own = Node::map(line, values);
    let statement = |(actions, resources): &(&[&str], &[&str])| {
        let actions = actions.iter().map(|action| Node::text(line, *action));
        let resources = resources.iter().map(|resource| {
            let pair = vec![Node::text(line, *resource), own.clone()];
            Node::map(line, [("Fn::Sub", Node::list(line, pair))])
        });
        Node::map(
            line,
            [
                ("Effect", Node::text(line, "Allow")),
                ("Action", Node::list(line, actions.collect())),
                ("Resource", Node::list(line, resources.collect())),
            ],
        )
    };
    let statements = template.statements.iter().map(statement).collect();
    Ok(Node::map(
        line,
        [
            ("Version", Node::text(line, "2012-10-17")),
            ("Statement", Node::list(line, statements)),
        ],
    ))
}
