//! `Events` of a function: what reads queues and streams for it.

use super::companion;
use crate::template::node::{Entry, Node};
use crate::template::{Declared, Error};

/// Properties that a mapping has under the same name.
const SAME: [&str; 18] = [
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "Enabled",
    "FilterCriteria",
    "FunctionResponseTypes",
    "KmsKeyArn",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MetricsConfig",
    "ParallelizationFactor",
    "ProvisionedPollerConfig",
    "ScalingConfig",
    "SourceAccessConfigurations",
    "StartingPosition",
    "StartingPositionTimestamp",
    "TumblingWindowInSeconds",
];

/// A mapping, and what the function's role needs for it.
pub(super) struct Event {
    pub(super) mapping: Declared,
    /// A policy of AWS's own, by its name below `service-role/`.
    pub(super) policy: Option<&'static str>,
}

/// What an event of that type reads from: the property that names it, and the policy for it.
fn source_of(kind: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match kind {
        "SQS" => ("Queue", Some("AWSLambdaSQSQueueExecutionRole")),
        "Kinesis" => ("Stream", Some("AWSLambdaKinesisExecutionRole")),
        "DynamoDB" => ("Stream", Some("AWSLambdaDynamoDBExecutionRole")),
        "MSK" => ("Stream", Some("AWSLambdaMSKExecutionRole")),
        "MQ" => ("Broker", None),
        "SelfManagedKafka" => ("", None),
        _ => return None,
    })
}

/// Whether events of that type are made.
pub(crate) fn is_kind(kind: &str) -> bool {
    source_of(kind).is_some()
}

/// Whether events of that type have that property.
pub(crate) fn knows(kind: &str, key: &str) -> bool {
    source_of(kind).is_some_and(|(source, _)| source == key)
        || ["Topics", "Queues", "ConsumerGroupId"].contains(&key)
        || key == "KafkaBootstrapServers" && kind == "SelfManagedKafka"
        || SAME.contains(&key)
}

/// One of `Events`; `target` is the function or its alias.
pub(super) fn expand(owner: &Declared, entry: &Entry, target: &Node) -> Result<Event, Error> {
    let what = format!("{}: the event {}", owner.name, entry.key);
    entry.value.expect_map(&what)?;
    let kind = entry.value.get("Type").and_then(Node::as_text);
    let kind = kind.ok_or_else(|| entry.value.error(format!("{what} has no Type")))?;
    let (source, policy) = source_of(kind).ok_or_else(|| {
        entry.value.error(format!(
            "{what}: events of type {kind} are not supported; there are SQS, Kinesis, DynamoDB, MSK, MQ and SelfManagedKafka"
        ))
    })?;
    let mut properties = Node::map(entry.line, [("FunctionName", target.clone())]);
    let none = Node::map(entry.line, Vec::<(String, Node)>::new());
    let given = entry.value.get("Properties").unwrap_or(&none);
    for Entry { key, line, value } in given.expect_map(&what)? {
        match key.as_str() {
            key if key == source => properties.set("EventSourceArn", value.clone()),
            "Topics" | "Queues" => properties.set(key, value.clone()),
            "KafkaBootstrapServers" if kind == "SelfManagedKafka" => {
                let servers = Node::map(*line, [("KafkaBootstrapServers", value.clone())]);
                let source = Node::map(*line, [("Endpoints", servers)]);
                properties.set("SelfManagedEventSource", source);
            }
            "ConsumerGroupId" => {
                let group = Node::map(*line, [(key, value.clone())]);
                let name = match kind {
                    "MSK" => "AmazonManagedKafkaEventSourceConfig",
                    _ => "SelfManagedKafkaEventSourceConfig",
                };
                properties.set(name, group);
            }
            key if SAME.contains(&key) => properties.set(key, value.clone()),
            _ => {
                return Err(Error {
                    line: *line,
                    message: format!("{what}: {key} is not supported"),
                });
            }
        }
    }
    let name = format!("{}{}", owner.name, entry.key);
    Ok(Event {
        mapping: companion(owner, name, "AWS::Lambda::EventSourceMapping", properties),
        policy,
    })
}
