//! Event source mappings: the rows that the control plane writes and pollers read.
//!
//! ```text
//!   event-source/<account>/<region>/<uuid>                Mapping
//!   event-source-index/<account>/<region>/<identity>      Claim       who has a source and a function
//! ```
//!
//! What a row leaves out is the source's own default, see [`Mapping`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{FunctionArn, Scope, Timestamp};

/// One source whose records one function gets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mapping {
    /// Its name: a UUID.
    pub id: String,
    /// Whose, and where.
    pub scope: Scope,
    /// What is invoked: a function, a version or an alias.
    pub function: FunctionArn,
    /// Where records come from.
    pub source: Source,
    /// Whether its owner wants it to run.
    pub enabled: bool,
    /// Records of one invoke at most.
    pub batch_size: u32,
    /// Seconds to wait for a batch to fill; `None` is the source's own: half a second for Kafka, brokers
    /// and DocumentDB, nothing for the others.
    pub window_seconds: Option<u32>,
    /// Patterns, of which a record must match one; any record if there are none.
    #[serde(default)]
    pub filters: Vec<String>,
    /// ARN of the key that encrypts the filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Where to begin to read: streams and Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_position: Option<StartingPosition>,
    /// What becomes of batches that fail.
    #[serde(default)]
    pub failures: Failures,
    /// Batches of one shard at once; streams only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelization: Option<u32>,
    /// Seconds of one window of aggregation; streams only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tumbling_window_seconds: Option<u32>,
    /// Whether a function may name the records of a batch that failed.
    #[serde(default)]
    pub reports_item_failures: bool,
    /// Invokes at once; queues only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    /// Pollers of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pollers: Option<Pollers>,
    /// Secrets, networks and names by which the source is reached.
    #[serde(default)]
    pub access: Vec<Access>,
    /// What is counted, by AWS's names.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// The least important lines about it that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was last written.
    pub last_modified: Timestamp,
}

/// Where records come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Source {
    /// A queue of SQS. Those in order end in `.fifo`.
    Queue {
        /// Its ARN.
        arn: String,
    },
    /// A stream of Kinesis, or a consumer of one.
    Kinesis {
        /// Its ARN.
        arn: String,
    },
    /// A table's stream.
    DynamoDb {
        /// Its ARN.
        arn: String,
    },
    /// A topic of a cluster of MSK.
    ManagedKafka {
        /// The cluster's ARN.
        arn: String,
        /// The topic.
        topic: String,
        /// The consumer group.
        group: String,
    },
    /// A topic of a cluster of one's own.
    SelfManagedKafka {
        /// `host:port` of its brokers.
        bootstrap_servers: Vec<String>,
        /// The topic.
        topic: String,
        /// The consumer group.
        group: String,
    },
    /// A queue of a broker of ActiveMQ or RabbitMQ.
    Broker {
        /// The broker's ARN.
        arn: String,
        /// The queue.
        queue: String,
    },
    /// Changes of a database of DocumentDB.
    DocumentDb {
        /// The cluster's ARN.
        arn: String,
        /// The database.
        database: String,
        /// One collection of it.
        collection: Option<String>,
        /// `Default` or `UpdateLookup`.
        full_document: String,
    },
}

/// Where to begin to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StartingPosition {
    /// With the oldest record there is.
    TrimHorizon,
    /// With what comes from now on.
    Latest,
    /// With the first record of that time or later.
    AtTimestamp(Timestamp),
}

/// What becomes of batches that fail. Streams, and Kafka with pollers of its own.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Failures {
    /// ARN of the destination for discarded batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// How often a batch is tried again; `None` is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_max: Option<u32>,
    /// Seconds after which a record is given up; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_age_seconds_max: Option<u32>,
    /// Whether a batch that fails is halved.
    #[serde(default)]
    pub bisects: bool,
}

/// Pollers that a mapping has for itself.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Pollers {
    /// At least.
    pub min: Option<u32>,
    /// At most.
    pub max: Option<u32>,
    /// Mappings of one name share theirs.
    pub group: Option<String>,
}

/// Something by which a source is reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Access {
    /// `BASIC_AUTH`, `VPC_SUBNET` …
    pub kind: String,
    /// A secret's ARN, or a name.
    pub uri: String,
}

/// Who has a source and a function: no two mappings may. The mapping it names counts only while it is
/// there and still has that identity; else the claim is anybody's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// [`Mapping::id`].
    pub mapping: String,
}

impl Source {
    /// Its ARN, if it has one.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Queue { arn }
            | Self::Kinesis { arn }
            | Self::DynamoDb { arn }
            | Self::ManagedKafka { arn, .. }
            | Self::Broker { arn, .. }
            | Self::DocumentDb { arn, .. } => Some(arn),
            Self::SelfManagedKafka { .. } => None,
        }
    }
}

impl Mapping {
    /// Its ARN.
    pub fn arn(&self) -> String {
        mapping_arn(&self.scope, &self.id)
    }
}

/// The ARN of a mapping.
pub fn mapping_arn(scope: &Scope, id: &str) -> String {
    let Scope { account, region } = scope;
    format!("arn:aws:lambda:{region}:{account}:event-source-mapping:{id}")
}

/// Key of a [`Mapping`] row.
pub fn mapping_key(scope: &Scope, id: &str) -> String {
    format!("{}{id}", mappings_prefix(scope))
}

/// Where a scope's [`Mapping`] rows begin.
pub fn mappings_prefix(scope: &Scope) -> String {
    format!("{MAPPINGS}{}/{}/", scope.account, scope.region)
}

/// Key of a [`Claim`] row.
pub fn claim_key(scope: &Scope, identity: &str) -> String {
    format!("{CLAIMS}{}/{}/{identity}", scope.account, scope.region)
}

/// Where all [`Mapping`] rows begin.
pub const MAPPINGS: &str = "event-source/";
/// Where all [`Claim`] rows begin.
pub const CLAIMS: &str = "event-source-index/";
