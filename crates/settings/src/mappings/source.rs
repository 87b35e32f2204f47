//! Which source a request names, and which parameters it accepts.

use records::event_sources::Source;
use types::Region;
use wire::ApiError;

use super::members::Members;

/// Sources that have the same rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// SQS.
    Queue,
    /// SQS, in order.
    FifoQueue,
    /// Streams of Kinesis.
    Kinesis,
    /// Streams of DynamoDB's tables.
    DynamoDb,
    /// MSK.
    ManagedKafka,
    /// Kafka that AWS does not run.
    SelfManagedKafka,
    /// Amazon MQ.
    Broker,
    /// Change streams of DocumentDB.
    DocumentDb,
}

impl Kind {
    /// Of a source.
    pub fn of(source: &Source) -> Self {
        match source {
            Source::Queue { arn } if arn.ends_with(".fifo") => Self::FifoQueue,
            Source::Queue { .. } => Self::Queue,
            Source::Kinesis { .. } => Self::Kinesis,
            Source::DynamoDb { .. } => Self::DynamoDb,
            Source::ManagedKafka { .. } => Self::ManagedKafka,
            Source::SelfManagedKafka { .. } => Self::SelfManagedKafka,
            Source::Broker { .. } => Self::Broker,
            Source::DocumentDb { .. } => Self::DocumentDb,
        }
    }

    /// As refusals name it.
    fn name(self) -> &'static str {
        match self {
            Self::Queue | Self::FifoQueue => "SQS",
            Self::Kinesis => "Kinesis",
            Self::DynamoDb => "DynamoDB",
            Self::ManagedKafka => "MSK",
            Self::SelfManagedKafka => "self-managed Kafka",
            Self::Broker => "MQ",
            Self::DocumentDb => "DocumentDB",
        }
    }

    /// Kinesis and DynamoDB: shards of records in order.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Kinesis | Self::DynamoDb)
    }

    /// SQS, in order or not.
    pub fn is_queue(self) -> bool {
        matches!(self, Self::Queue | Self::FifoQueue)
    }

    /// Kafka, on MSK or self-managed.
    pub fn is_kafka(self) -> bool {
        matches!(self, Self::ManagedKafka | Self::SelfManagedKafka)
    }

    /// Records are read from a position on.
    pub(crate) fn has_position(self) -> bool {
        self.is_stream() || self.is_kafka() || self == Self::DocumentDb
    }

    /// The default number of records in one invoke (AWS).
    pub(crate) fn batch_size_default(self) -> u32 {
        if self.is_queue() { 10 } else { 100 }
    }

    /// The most records in one invoke (AWS).
    pub(crate) fn batch_size_max(self) -> u32 {
        match self {
            Self::FifoQueue => 10,
            _ => 10_000,
        }
    }

    fn takes(self, parameter: &str) -> bool {
        match parameter {
            "MaximumBatchingWindowInSeconds" => self != Self::FifoQueue,
            "ParallelizationFactor" | "TumblingWindowInSeconds" => self.is_stream(),
            "StartingPosition" | "StartingPositionTimestamp" => self.has_position(),
            "MaximumRecordAgeInSeconds"
            | "BisectBatchOnFunctionError"
            | "MaximumRetryAttempts"
            | "DestinationConfig" => self.is_stream() || self.is_kafka(),
            "Topics" => self.is_kafka(),
            "Queues" => self == Self::Broker,
            "SourceAccessConfigurations" => {
                self.is_kafka() || matches!(self, Self::Broker | Self::DocumentDb)
            }
            "SelfManagedEventSource" | "SelfManagedKafkaEventSourceConfig" => {
                self == Self::SelfManagedKafka
            }
            "AmazonManagedKafkaEventSourceConfig" => self == Self::ManagedKafka,
            "FunctionResponseTypes" | "MetricsConfig" => {
                self.is_queue() || self.is_stream() || self.is_kafka()
            }
            "ScalingConfig" => self.is_queue(),
            "DocumentDBEventSourceConfig" => self == Self::DocumentDb,
            "LoggingConfig" => self.is_kafka(),
            "ProvisionedPollerConfig" => self.is_queue() || self.is_kafka(),
            _ => true,
        }
    }

    /// Refuses parameters that the source does not accept.
    pub fn check(self, members: &Members) -> Result<(), ApiError> {
        let given = members.given();
        match given.into_iter().find(|parameter| !self.takes(parameter)) {
            None => Ok(()),
            Some("DestinationConfig") => Err(unsupported_destinations()),
            Some(parameter) => Err(ApiError::invalid_parameter(format!(
                "{parameter} is not valid for {} event sources.",
                self.name()
            ))),
        }
    }
}

/// The refusal of destinations that a source does not support.
pub fn unsupported_destinations() -> ApiError {
    ApiError::invalid_parameter(
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    )
}

/// The source that a creation names. `id` is the new mapping's, which names its consumer group if the
/// request does not.
pub fn source(members: &Members, id: &str, region: &Region) -> Result<Source, ApiError> {
    let found = match (
        &members.event_source_arn,
        &members.self_managed_event_source,
    ) {
        (Some(arn), None) => by_arn(arn, members, id, region)?,
        (None, Some(_)) => self_managed(members, id)?,
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid_parameter(
                "EventSourceArn and SelfManagedEventSource cannot both be specified.",
            ));
        }
        (None, None) => return Err(ApiError::invalid_parameter("Unrecognized event source.")),
    };
    Kind::of(&found).check(members)?;
    Ok(found)
}

fn by_arn(arn: &str, members: &Members, id: &str, region: &Region) -> Result<Source, ApiError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, in_region, _, resource] = parts[..] else {
        return Err(unrecognized(arn));
    };
    let arn_of = || arn.to_owned();
    let found = match service {
        "sqs" if is_name(resource) => Source::Queue { arn: arn_of() },
        "kinesis" if resource.starts_with("stream/") => Source::Kinesis { arn: arn_of() },
        "dynamodb" if is_table_stream(resource) => Source::DynamoDb { arn: arn_of() },
        "kafka" if resource.starts_with("cluster/") => Source::ManagedKafka {
            arn: arn_of(),
            topic: only("Topics", &members.topics)?,
            group: group(
                members.amazon_managed_kafka_event_source_config.as_ref(),
                id,
            ),
        },
        "mq" if resource.starts_with("broker:") => Source::Broker {
            arn: arn_of(),
            queue: only("Queues", &members.queues)?,
        },
        "rds" if resource.starts_with("cluster:") => document_db(arn, members)?,
        _ => return Err(unrecognized(arn)),
    };
    if in_region != region.as_str() {
        return Err(ApiError::invalid_parameter(format!(
            "The event source {arn} is not in this region ('{region}')."
        )));
    }
    Ok(found)
}

fn self_managed(members: &Members, id: &str) -> Result<Source, ApiError> {
    let endpoints = members.self_managed_event_source.as_ref();
    let servers = endpoints.and_then(|own| own.endpoints.get("KAFKA_BOOTSTRAP_SERVERS"));
    let Some(bootstrap_servers) = servers.cloned() else {
        return Err(ApiError::invalid_parameter(
            "SelfManagedEventSource must have the endpoints KAFKA_BOOTSTRAP_SERVERS.",
        ));
    };
    Ok(Source::SelfManagedKafka {
        bootstrap_servers,
        topic: only("Topics", &members.topics)?,
        group: group(members.self_managed_kafka_event_source_config.as_ref(), id),
    })
}

fn document_db(arn: &str, members: &Members) -> Result<Source, ApiError> {
    let config = members.document_db_event_source_config.as_ref();
    let database = config.and_then(|config| config.database_name.clone());
    let Some(database) = database else {
        return Err(ApiError::invalid_parameter(
            "DatabaseName is required for DocumentDB event sources.",
        ));
    };
    Ok(Source::DocumentDb {
        arn: arn.to_owned(),
        database,
        collection: config.and_then(|config| config.collection_name.clone()),
        full_document: config
            .and_then(|config| config.full_document.clone())
            .unwrap_or_else(|| "Default".to_owned()),
    })
}

/// The only name that a list must hold.
fn only(parameter: &str, list: &Option<Vec<String>>) -> Result<String, ApiError> {
    match list.as_deref() {
        Some([one]) => Ok(one.clone()),
        _ => Err(ApiError::invalid_parameter(format!(
            "{parameter} must contain exactly one name for this event source."
        ))),
    }
}

fn group(config: Option<&super::members::KafkaConfig>, id: &str) -> String {
    let given = config.and_then(|config| config.consumer_group_id.clone());
    given.unwrap_or_else(|| id.to_owned())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([':', '/'])
}

fn is_table_stream(resource: &str) -> bool {
    resource.starts_with("table/") && resource.contains("/stream/")
}

fn unrecognized(arn: &str) -> ApiError {
    ApiError::invalid_parameter(format!(
        "Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source arn {arn}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<Kind, &str>) {
        let members: Members = serde_json::from_str(json).unwrap();
        let region = Region::new("us-east-1").unwrap();
        let found = source(&members, "id", &region).map(|source| Kind::of(&source));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{json}"),
            (Err(error), Err(words)) => {
                assert!(error.message.contains(words), "{json}: {}", error.message);
            }
            (found, expected) => panic!("{json}: {found:?}, not {expected:?}"),
        }
    }

    fn by_arn(resource: &str, more: &str) -> String {
        format!(r#"{{"EventSourceArn":"arn:aws:{resource}"{more}}}"#)
    }

    #[test]
    fn a_source_is_known_by_its_arn() {
        let stream = "dynamodb:us-east-1:000000000000:table/t/stream/2024";
        check(&by_arn("sqs:us-east-1:000000000000:q", ""), Ok(Kind::Queue));
        check(
            &by_arn("sqs:us-east-1:000000000000:q.fifo", ""),
            Ok(Kind::FifoQueue),
        );
        check(
            &by_arn("kinesis:us-east-1:000000000000:stream/s", ""),
            Ok(Kind::Kinesis),
        );
        check(&by_arn(stream, ""), Ok(Kind::DynamoDb));
        let topics = r#","Topics":["t"]"#;
        check(
            &by_arn("kafka:us-east-1:000000000000:cluster/c/1", topics),
            Ok(Kind::ManagedKafka),
        );
        let queues = r#","Queues":["q"]"#;
        check(
            &by_arn("mq:us-east-1:000000000000:broker:b:1", queues),
            Ok(Kind::Broker),
        );
        check(
            r#"{"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["a:1"]}},"Topics":["t"]}"#,
            Ok(Kind::SelfManagedKafka),
        );
    }

    #[test]
    fn what_is_no_source_is_refused() {
        check("{}", Err("Unrecognized event source."));
        check(
            &by_arn("s3:::b", ""),
            Err("Unsupported source arn arn:aws:s3:::b"),
        );
        check(
            &by_arn("sns:us-east-1:000000000000:t", ""),
            Err("Unrecognized event source, must be"),
        );
        check(
            &by_arn("dynamodb:us-east-1:000000000000:table/t", ""),
            Err("Unrecognized"),
        );
        check(
            &by_arn("sqs:us-west-2:000000000000:q", ""),
            Err("not in this region"),
        );
        check(
            &by_arn("mq:us-east-1:000000000000:broker:b:1", ""),
            Err("Queues must contain"),
        );
    }

    #[test]
    fn parameters_of_other_sources_are_refused() {
        let queue = "sqs:us-east-1:000000000000:q";
        for (member, name) in [
            (
                r#""StartingPosition":"LATEST""#,
                "StartingPosition is not valid for SQS event sources.",
            ),
            (
                r#""ParallelizationFactor":2"#,
                "ParallelizationFactor is not valid for SQS",
            ),
            (r#""Topics":["t"]"#, "Topics is not valid for SQS"),
            (
                r#""DestinationConfig":{"OnFailure":{"Destination":"x"}}"#,
                "Unsupported DestinationConfig parameter",
            ),
        ] {
            check(&by_arn(queue, &format!(",{member}")), Err(name));
        }
        let stream = "kinesis:us-east-1:000000000000:stream/s";
        let scaling = r#","ScalingConfig":{"MaximumConcurrency":2}"#;
        check(
            &by_arn(stream, scaling),
            Err("ScalingConfig is not valid for Kinesis"),
        );
        let window = r#","MaximumBatchingWindowInSeconds":1"#;
        check(
            &by_arn(&format!("{queue}.fifo"), window),
            Err("MaximumBatchingWindowInSeconds"),
        );
        let nothing = r#","Topics":[],"DestinationConfig":{"OnFailure":{}},"ScalingConfig":{}"#;
        check(&by_arn(queue, nothing), Ok(Kind::Queue));
    }
}
