//! Mappings as requests make and change them.

use records::event_sources::{Failures, Mapping, Source, StartingPosition};
use types::{FunctionArn, FunctionName, Timestamp};

use super::{apply, check, defaults, starting_position};

fn mapping(arn: &str) -> Mapping {
    let scope = records::examples::scope();
    let mut mapping = Mapping {
        id: "id".to_owned(),
        scope: scope.clone(),
        function: FunctionArn {
            scope,
            name: FunctionName::new("f").unwrap(),
            qualifier: None,
        },
        source: match arn.split(':').nth(2) {
            Some("sqs") => Source::Queue { arn: arn.into() },
            Some("kinesis") => Source::Kinesis { arn: arn.into() },
            _ => Source::ManagedKafka {
                arn: arn.into(),
                topic: "t".into(),
                group: "g".into(),
            },
        },
        enabled: true,
        batch_size: 0,
        window_seconds: None,
        filters: Vec::new(),
        kms_key: None,
        starting_position: None,
        failures: Failures::default(),
        parallelization: None,
        tumbling_window_seconds: None,
        reports_item_failures: false,
        concurrency_max: None,
        pollers: None,
        access: Vec::new(),
        metrics: Vec::new(),
        system_log_level: None,
        tags: Default::default(),
        last_modified: Timestamp::default(),
    };
    defaults(&mut mapping);
    mapping
}

fn after(arn: &str, json: &str) -> Result<Mapping, String> {
    let mut mapping = mapping(arn);
    apply(&serde_json::from_str(json).unwrap(), &mut mapping);
    match check(&mapping) {
        Ok(()) => Ok(mapping),
        Err(error) => Err(error.message),
    }
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
const KAFKA: &str = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1";

#[test]
fn each_source_has_its_defaults() {
    let queue = after(QUEUE, "{}").unwrap();
    assert_eq!((queue.batch_size, queue.window_seconds), (10, Some(0)));
    assert_eq!(queue.parallelization, None);
    let stream = after(STREAM, "{}").unwrap();
    assert_eq!((stream.batch_size, stream.parallelization), (100, Some(1)));
    assert_eq!(stream.failures, Failures::default());
    assert_eq!(after(KAFKA, "{}").unwrap().window_seconds, None);
}

#[test]
fn what_is_given_with_nothing_in_it_takes_away() {
    let mut mapping = after(
        QUEUE,
        r#"{"ScalingConfig":{"MaximumConcurrency":5},"KMSKeyArn":"arn:x","FunctionResponseTypes":["x"],
            "FilterCriteria":{"Filters":[{"Pattern":"{\"body\":[\"x\"]}"}]}}"#,
    )
    .unwrap();
    assert_eq!(mapping.concurrency_max, Some(5));
    assert!(mapping.reports_item_failures && mapping.filters.len() == 1);
    let nothing =
        r#"{"ScalingConfig":{},"KMSKeyArn":"","FunctionResponseTypes":[],"FilterCriteria":{}}"#;
    apply(&serde_json::from_str(nothing).unwrap(), &mut mapping);
    let fresh = after(QUEUE, "{}").unwrap();
    assert_eq!(mapping, fresh);
}

#[test]
fn each_rule_has_its_refusal() {
    let filter = |pattern: &str| {
        format!(r#"{{"FilterCriteria":{{"Filters":[{{"Pattern":{pattern:?}}}]}}}}"#)
    };
    let six = [r#"{"Pattern":"{\"a\":[1]}"}"#; 6].join(",");
    let six = format!(r#"{{"FilterCriteria":{{"Filters":[{six}]}}}}"#);
    let invalid = "Invalid filter pattern definition.";
    for (arn, json, words) in [
        (
            QUEUE,
            r#"{"BatchSize":11}"#,
            "must be greater than 0 if maximum batch size",
        ),
        (
            &format!("{QUEUE}.fifo"),
            r#"{"BatchSize":11}"#,
            "less than or equal to 10",
        ),
        (
            STREAM,
            r#"{"MaximumRecordAgeInSeconds":59}"#,
            "-1 or at least 60",
        ),
        (
            KAFKA,
            r#"{"MaximumRetryAttempts":1}"#,
            "need ProvisionedPollerConfig",
        ),
        (
            QUEUE,
            r#"{"ProvisionedPollerConfig":{"MinimumPollers":1}}"#,
            "at least 2",
        ),
        (
            KAFKA,
            r#"{"ProvisionedPollerConfig":{"MinimumPollers":3,"MaximumPollers":2}}"#,
            "greater than or equal to MinimumPollers",
        ),
        (
            QUEUE,
            r#"{"ProvisionedPollerConfig":{"MinimumPollers":3},"ScalingConfig":{"MaximumConcurrency":2}}"#,
            "cannot both be",
        ),
        (QUEUE, &filter("{"), invalid),
        (QUEUE, &filter(r#"{"body":"x"}"#), invalid),
        (STREAM, &filter(r#"{"data":["x"]}"#), invalid),
        (QUEUE, &six, "number of filters"),
        (
            STREAM,
            r#"{"DestinationConfig":{"OnFailure":{"Destination":"kafka://t"}}}"#,
            "Unsupported DestinationConfig",
        ),
        (
            KAFKA,
            r#"{"SourceAccessConfigurations":[{"Type":"BASIC_AUTH"}]}"#,
            "both Type and URI",
        ),
    ] {
        let refused = after(arn, json).unwrap_err();
        assert!(refused.contains(words), "{json}: {refused}");
    }
    assert!(
        after(
            QUEUE,
            r#"{"BatchSize":11,"MaximumBatchingWindowInSeconds":1}"#
        )
        .is_ok()
    );
    assert!(after(STREAM, &filter(r#"{"data":{"x":["y"]}}"#)).is_ok());
    assert!(
        after(
            STREAM,
            r#"{"MaximumRecordAgeInSeconds":-1,"BatchSize":10000}"#
        )
        .is_ok()
    );
}

#[test]
fn streams_begin_somewhere() {
    let now = Timestamp::from_millis(1_000_000);
    let begin = |arn: &str, json: &str| {
        let members = serde_json::from_str(json).unwrap();
        let found = starting_position(&members, &mapping(arn).source, now);
        found.map_err(|error| error.message)
    };
    assert_eq!(begin(QUEUE, "{}"), Ok(None));
    let latest = r#"{"StartingPosition":"LATEST"}"#;
    assert_eq!(begin(STREAM, latest), Ok(Some(StartingPosition::Latest)));
    let at = |seconds: &str| {
        format!(r#"{{"StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":{seconds}}}"#)
    };
    let then = StartingPosition::AtTimestamp(Timestamp::from_millis(999_500));
    assert_eq!(begin(STREAM, &at("999.5")), Ok(Some(then)));
    assert!(begin(STREAM, &at("1001")).unwrap_err().contains("future"));
    assert!(begin(STREAM, &at("1e308")).unwrap_err().contains("future"));
    assert!(
        begin(STREAM, "{}")
            .unwrap_err()
            .contains("Value null at 'startingPosition'")
    );
    assert!(
        begin(STREAM, &at("null"))
            .unwrap_err()
            .contains("'startingPositionTimestamp'")
    );
}
