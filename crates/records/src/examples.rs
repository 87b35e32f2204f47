//! A function as tests and benchmarks of every role need one: change what a test is about, and
//! nothing else needs to be said there.

#![expect(
    clippy::unwrap_used,
    reason = "this is test code, in the library to be shared"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{AccountId, FunctionName, Region, Scope, Timestamp, Version};

use crate::functions::{
    Code, Configuration, Function, FunctionVersion, LastUpdate, Logging, SnapStart, State,
};

/// Account 000000000000 in us-east-1.
pub fn scope() -> Scope {
    Scope {
        account: AccountId::new("000000000000").unwrap(),
        region: Region::new("us-east-1").unwrap(),
    }
}

/// `$LATEST` of a Python function that can be invoked: 128 MB, 3 seconds.
pub fn configuration() -> Configuration {
    Configuration {
        version: Version::Latest,
        generation: 1,
        revision_id: "r".to_owned(),
        runtime: Some("python3.12".to_owned()),
        handler: Some("a.b".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        description: String::new(),
        timeout_seconds: 3,
        memory_mb: 128,
        ephemeral_mb: 512,
        environment: None,
        architecture: "x86_64".to_owned(),
        tracing_mode: "PassThrough".to_owned(),
        logging: Logging {
            group: "/aws/lambda/f".to_owned(),
            ..Logging::default()
        },
        layers: Vec::new(),
        vpc: None,
        file_systems: Vec::new(),
        dead_letter_target: None,
        kms_key: None,
        snap_start: SnapStart::None,
        code: Code {
            image: "00".to_owned(),
            sha256: "AA==".to_owned(),
            bytes: 1,
            unpacked_bytes: 1,
        },
        last_modified: Timestamp::default(),
        state: State::Active,
        last_update: LastUpdate::Successful,
    }
}

/// A function of [`scope`] without published versions.
///
/// # Panics
/// If that is not a function's name.
pub fn function(name: &str) -> Function {
    Function {
        scope: scope(),
        name: FunctionName::new(name).unwrap(),
        instance: "i".to_owned(),
        latest: configuration(),
        serving: None,
        published: 0,
        publishing: None,
        published_generation: 0,
        reserved_concurrency: None,
        tags: BTreeMap::new(),
    }
}

/// What is invoked of a function of [`scope`].
///
/// # Panics
/// If that is not a function's name.
pub fn function_version(name: &str, configuration: Configuration) -> FunctionVersion {
    FunctionVersion {
        scope: scope(),
        name: FunctionName::new(name).unwrap(),
        configuration: Arc::new(configuration),
    }
}
