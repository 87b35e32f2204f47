//! The control plane as its callers see it, over stores in memory.

mod access;
mod aliases;
mod concurrency;
mod functions;
mod harness;
mod hostile;
mod keys;
mod layers;
mod misc;
mod people;
mod permissions;
mod provisioning;
mod recovery;
mod sts;
mod unused_packages;
mod updates;
mod versions;

use api::functions::Function;

/// A function as it is once it has been settled.
pub(crate) fn function(name: &str) -> Function {
    use api::functions::{Code, Configuration, LastUpdate, State};
    Function {
        scope: types::Scope {
            account: types::AccountId::new("000000000000").unwrap(),
            region: types::Region::new("us-east-1").unwrap(),
        },
        name: types::FunctionName::new(name).unwrap(),
        instance: "i".to_owned(),
        serving: None,
        published: 0,
        publishing: None,
        published_generation: 0,
        reserved_concurrency: None,
        tags: Default::default(),
        latest: Configuration {
            version: types::Version::Latest,
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
            logging: api::functions::Logging {
                group: "/aws/lambda/f".to_owned(),
                ..Default::default()
            },
            layers: Vec::new(),
            vpc: None,
            file_systems: Vec::new(),
            dead_letter_target: None,
            kms_key: None,
            snap_start: api::functions::SnapStart::None,
            code: Code {
                image: "00".to_owned(),
                sha256: "AA==".to_owned(),
                bytes: 1,
                unpacked_bytes: 1,
            },
            last_modified: types::Timestamp::default(),
            state: State::Active,
            last_update: LastUpdate::Successful,
        },
    }
}
