//! Constraints in the service's words, and how settings are applied to a configuration.

use records::functions::{Configuration, LogFormat};

use super::*;

fn settings(json: &str) -> Settings {
    serde_json::from_str(json).unwrap()
}

fn check(json: &str, expected: &str) {
    let mut violations = Violations::new();
    settings(json).violations(&mut violations);
    assert_eq!(
        violations.finish().unwrap_err().message,
        format!("1 validation error detected: {expected}")
    );
}

fn applied(before: &Configuration, json: &str) -> Configuration {
    let mut violations = Violations::new();
    let settings = settings(json);
    settings.violations(&mut violations);
    violations.finish().unwrap();
    settings.refuse_what_is_not_for_packages().unwrap();
    let mut next = before.clone();
    let resolved = Resolved {
        layers: None,
        vpc_id: "vpc-1",
    };
    settings.apply(&mut next, &resolved).unwrap();
    next
}

#[test]
fn constraints_beyond_the_model_have_the_services_words() {
    check(
        r#"{"Timeout":901}"#,
        "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
    );
    check(
        r#"{"MemorySize":10241}"#,
        "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
    );
}

#[test]
fn what_belongs_elsewhere_is_refused_by_name() {
    let refused = |json: &str| {
        settings(json)
            .refuse_what_is_not_for_packages()
            .unwrap_err()
    };
    let image = refused(r#"{"ImageConfig":{"Command":["x"]}}"#);
    assert_eq!(image.code, "InvalidParameterValueException");
    assert!(image.message.contains("ImageConfig"));
    for member in ["CapacityProviderConfig", "DurableConfig"] {
        let error = refused(&format!(r#"{{"{member}":{{}}}}"#));
        assert_eq!(error.code, "NotImplementedException");
        assert!(error.message.contains(member), "{}", error.message);
    }
    let harmless = settings(r#"{"ImageConfig":{},"Unheard":1}"#);
    assert!(harmless.refuse_what_is_not_for_packages().is_ok());
}

#[test]
fn what_is_given_is_put_in_and_what_is_empty_taken_away() {
    let before = records::examples::function("f").latest;
    assert_eq!(applied(&before, "{}"), before);
    let with = applied(
        &before,
        r#"{"KMSKeyArn":"arn:aws:kms:us-east-1:000000000000:key/1","Timeout":7,
            "DeadLetterConfig":{"TargetArn":"arn:aws:sqs:us-east-1:000000000000:q"},
            "Environment":{"Variables":{"KEY":"1"}},"SnapStart":{"ApplyOn":"PublishedVersions"},
            "VpcConfig":{"SubnetIds":["subnet-1"],"SecurityGroupIds":["sg-1"]}}"#,
    );
    assert_eq!(with.timeout_seconds, 7);
    assert_eq!(with.vpc.as_ref().unwrap().id, "vpc-1");
    assert!(with.kms_key.is_some() && with.dead_letter_target.is_some());
    let without = applied(
        &with,
        r#"{"KMSKeyArn":"","DeadLetterConfig":{"TargetArn":""},"Environment":{},
            "VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]},"SnapStart":{"ApplyOn":"None"}}"#,
    );
    assert_eq!(without.vpc, Some(records::functions::Vpc::default()));
    assert_eq!(
        (&without.kms_key, &without.dead_letter_target),
        (&None, &None)
    );
    assert_eq!(without.environment, Some(Default::default()));
    assert_eq!(without.snap_start, records::functions::SnapStart::None);
}

#[test]
fn levels_go_with_json_alone() {
    let before = records::examples::function("f").latest;
    let json = applied(&before, r#"{"LoggingConfig":{"LogFormat":"JSON"}}"#);
    assert_eq!(json.logging.format, LogFormat::Json);
    assert_eq!(json.logging.application_level.as_deref(), Some("INFO"));
    assert_eq!(json.logging.system_level.as_deref(), Some("INFO"));
    let finer = applied(
        &json,
        r#"{"LoggingConfig":{"ApplicationLogLevel":"TRACE","LogGroup":"/mine"}}"#,
    );
    assert_eq!(finer.logging.application_level.as_deref(), Some("TRACE"));
    assert_eq!(finer.logging.group, "/mine");
    let text = applied(&finer, r#"{"LoggingConfig":{"LogFormat":"Text"}}"#);
    assert_eq!(text.logging.application_level, None);
    assert_eq!(text.logging.group, "/mine");
    let wrong = settings(r#"{"LoggingConfig":{"SystemLogLevel":"WARN"}}"#);
    let refused = wrong.apply(&mut text.clone(), &Resolved::default());
    assert!(
        refused
            .unwrap_err()
            .message
            .starts_with("LogLevel is not supported when LogFormat is set to \"Text\".")
    );
}

#[test]
fn subnets_and_groups_come_together() {
    let alone = settings(r#"{"VpcConfig":{"SubnetIds":["subnet-1"]}}"#);
    let mut next = records::examples::function("f").latest;
    let refused = alone.apply(&mut next, &Resolved::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "SubnetIds and SecurityIds must coexist or be both empty list."
    );
}
