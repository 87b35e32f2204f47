//! Names become versions.

use bytes::Bytes;
use records::examples;
pub(crate) use records::examples::scope;
use records::functions::{Configuration, Function, PROVISIONED, URLS};
use records::policies::ResourcePolicy;
use storage::{Change, Row};
use types::{FunctionRef, Timestamp};

use super::*;

pub(crate) fn name() -> FunctionName {
    FunctionName::new("f").unwrap()
}

fn configuration(version: Version, generation: u64, state: State) -> Configuration {
    Configuration {
        version,
        generation,
        state,
        ..examples::configuration()
    }
}

pub(crate) fn function(state: State, published: u64, reserved: Option<u32>) -> Function {
    Function {
        latest: configuration(Version::Latest, 9, state),
        published,
        reserved_concurrency: reserved,
        ..examples::function("f")
    }
}

fn put(key: String, value: &impl serde::Serialize, revision: u64) -> Change {
    let value = Bytes::from(serde_json::to_vec(value).unwrap());
    Change::Put(Row {
        key,
        value,
        revision: Revision(revision),
    })
}

fn known() -> Functions {
    let mut functions = Functions::default();
    let function = function(State::Active, 2, Some(5));
    functions.apply(&put(function_key(&scope(), &name()), &function, 1));
    for number in 1..=3 {
        let version = configuration(Version::Published(number), number, State::Active);
        functions.apply(&put(version_key(&scope(), &name(), number), &version, 1));
    }
    let alias = Alias {
        name: AliasName::new("live").unwrap(),
        instance: "a".to_owned(),
        version: Version::Published(1),
        additional: Some((Version::Published(2), 0.25)),
        description: String::new(),
        revision_id: String::new(),
    };
    functions.apply(&put(alias_key(&scope(), &name(), &alias.name), &alias, 1));
    functions
}

fn check(functions: &Functions, text: &str, fraction: f64, expected: Option<Version>) {
    let parsed = FunctionRef::parse(text).unwrap();
    let arn = FunctionArn {
        scope: scope(),
        name: parsed.name,
        qualifier: parsed.qualifier,
    };
    let found = functions.resolve(&arn, || fraction).unwrap();
    let version = found.map(|found| found.function.configuration.version);
    assert_eq!(version, expected, "{text}");
}

#[test]
fn names_versions_and_aliases_resolve() {
    let functions = known();
    check(&functions, "f", 0.0, Some(Version::Latest));
    check(&functions, "f:$LATEST", 0.0, Some(Version::Latest));
    check(&functions, "f:2", 0.0, Some(Version::Published(2)));
    check(&functions, "f:live", 0.24, Some(Version::Published(2)));
    check(&functions, "f:live", 0.25, Some(Version::Published(1)));
    check(&functions, "f:other", 0.0, None);
    check(&functions, "g", 0.0, None);
}

#[test]
fn a_version_beyond_the_published_ones_does_not_count() {
    check(&known(), "f:3", 0.0, None);
}

#[test]
fn what_serves_during_an_update_is_what_runs() {
    let mut functions = known();
    let mut updating = function(State::Active, 2, None);
    updating.serving = Some(Arc::new(configuration(Version::Latest, 8, State::Active)));
    functions.apply(&put(function_key(&scope(), &name()), &updating, 2));
    let arn = FunctionArn {
        scope: scope(),
        name: name(),
        qualifier: None,
    };
    let found = functions.resolve(&arn, || 0.0).unwrap().unwrap();
    assert_eq!(found.function.configuration.generation, 8);
}

#[test]
fn a_pending_function_cannot_be_invoked() {
    let mut functions = known();
    let pending = function(State::Pending, 2, None);
    functions.apply(&put(function_key(&scope(), &name()), &pending, 2));
    let arn = FunctionArn {
        scope: scope(),
        name: name(),
        qualifier: None,
    };
    let error = functions.resolve(&arn, || 0.0).unwrap_err();
    assert_eq!(error.code, "ResourceConflictException");
}

#[test]
fn reservations_are_summed_and_changes_that_come_late_are_ignored() {
    let mut functions = known();
    assert_eq!(functions.reserved_total(&scope()), 5);
    functions.apply(&put(
        function_key(&scope(), &name()),
        &function(State::Active, 2, Some(7)),
        3,
    ));
    assert_eq!(functions.reserved_total(&scope()), 7);
    functions.apply(&put(
        function_key(&scope(), &name()),
        &function(State::Active, 2, Some(9)),
        2,
    ));
    assert_eq!(functions.reserved_total(&scope()), 7);
    functions.apply(&Change::Delete {
        key: function_key(&scope(), &name()),
    });
    assert_eq!(functions.reserved_total(&scope()), 0);
    check(&functions, "f", 0.0, None);
}

#[test]
fn rows_that_cannot_be_read_are_left_out() {
    let mut functions = known();
    for key in [
        "function/x",
        "function/000000000000/us-east-1/f",
        "version/a/b/c/d",
        "alias/",
    ] {
        let row = Row {
            key: key.into(),
            value: Bytes::from_static(b"{"),
            revision: Revision(9),
        };
        functions.apply(&Change::Put(row));
    }
    check(&functions, "f", 0.0, Some(Version::Latest));
}

#[test]
fn a_policy_holds_for_its_own_name_and_its_own_function() {
    use records::policies::{Principal, Statement};
    let mut functions = known();
    let arn = |qualifier: Option<&str>| FunctionArn {
        scope: scope(),
        name: name(),
        qualifier: qualifier.map(|text| Qualifier::parse(text).unwrap()),
    };
    let policy = |bound_to: &str, qualifier: Option<&str>, revision| {
        let statement = Statement {
            sid: "s".to_owned(),
            effect: "Allow".to_owned(),
            principal: Principal::Anyone("*".to_owned()),
            action: "lambda:*".to_owned(),
            resource: arn(qualifier).to_string(),
            condition: None,
        };
        let policy = ResourcePolicy {
            bound_to: bound_to.to_owned(),
            revision_id: String::new(),
            statements: vec![statement],
        };
        put(attached_key(POLICIES, &arn(qualifier)), &policy, revision)
    };
    let has =
        |functions: &Functions, qualifier| functions.standing(&arn(qualifier)).policy.is_some();
    functions.apply(&policy("i", None, 5));
    assert!(has(&functions, None) && !has(&functions, Some("1")) && !has(&functions, Some("live")));
    functions.apply(&policy("other", None, 6));
    assert!(
        !has(&functions, None),
        "of a function that had the name before"
    );
    functions.apply(&policy("i/a", Some("live"), 7));
    assert!(has(&functions, Some("live")));
    functions.apply(&policy("i/b", Some("live"), 8));
    assert!(
        !has(&functions, Some("live")),
        "of an alias that had the name before"
    );
    functions.apply(&policy("i", Some("1"), 9));
    assert!(has(&functions, Some("1")));
    let key = attached_key(POLICIES, &arn(Some("1")));
    functions.apply(&Change::Delete { key });
    assert!(!has(&functions, Some("1")));
}

#[test]
fn a_url_leads_to_the_function_or_alias_it_was_made_for() {
    use records::urls::{Auth, InvokeMode};
    let mut functions = known();
    let made = |bound_to: &str, qualifier: Option<&str>, revision| {
        let function = FunctionArn {
            scope: scope(),
            name: name(),
            qualifier: qualifier.map(|text| Qualifier::parse(text).unwrap()),
        };
        let key = attached_key(URLS, &function);
        let url = Url {
            id: qualifier.unwrap_or("own").to_owned(),
            function,
            bound_to: bound_to.to_owned(),
            auth: Auth::None,
            cors: None,
            invoke_mode: InvokeMode::Buffered,
            created: Timestamp::default(),
            modified: Timestamp::default(),
        };
        put(key, &url, revision)
    };
    let check = |functions: &Functions, own: bool, alias: bool| {
        assert_eq!(functions.url("own").is_some(), own);
        assert_eq!(functions.url("live").is_some(), alias);
    };
    functions.apply(&made("i", None, 5));
    functions.apply(&made("i/a", Some("live"), 6));
    check(&functions, true, true);
    functions.apply(&made("other", None, 7));
    functions.apply(&made("i/b", Some("live"), 8));
    check(&functions, false, false);
    // From before that was written down.
    functions.apply(&made("", None, 9));
    check(&functions, true, false);
}

fn provisioned_row(qualifier: &str, at: u64, requested: u32, allocations: &str) -> Change {
    let value = format!(
        r#"{{"requested":{requested},"last_modified":0,"status":"Ready","allocations":[{allocations}]}}"#
    );
    let key = format!("{PROVISIONED}000000000000/us-east-1/f/{qualifier}");
    Change::Put(Row {
        key,
        value: Bytes::from(value),
        revision: Revision(at),
    })
}

fn allocation(version: u64, allocated: u32, in_service: bool) -> String {
    format!(
        r#"{{"version":"{version}","wanted":5,"allocated":{allocated},"in_service":{in_service},"leaving":false}}"#
    )
}

#[test]
fn what_is_provisioned_is_known_by_version_and_set_aside() {
    let mut functions = Functions::default();
    let row = |function: &Function, at| {
        Change::Put(Row {
            key: function_key(&scope(), &name()),
            value: Bytes::from(serde_json::to_vec(function).unwrap()),
            revision: Revision(at),
        })
    };
    let two = format!("{},{}", allocation(1, 4, true), allocation(2, 1, false));
    functions.apply(&provisioned_row("live", 1, 5, &two));
    assert_eq!(
        functions.reserved_total(&scope()),
        0,
        "there is no function yet"
    );
    functions.apply(&row(&function(State::Active, 0, None), 2));
    assert_eq!(functions.reserved_total(&scope()), 5);
    functions.apply(&provisioned_row("3", 3, 2, &allocation(3, 2, true)));
    assert_eq!(functions.reserved_total(&scope()), 7);
    functions.apply(&row(&function(State::Active, 0, Some(10)), 4));
    assert_eq!(
        functions.reserved_total(&scope()),
        10,
        "it is part of the reservation"
    );
    let entry = &functions.functions[&(scope(), name())];
    let available = |version| entry.provisioned.available(Version::Published(version));
    assert_eq!([available(1), available(2), available(3)], [4, 0, 2]);
    assert_eq!(entry.provisioned.requested(), 7);
    functions.apply(&row(&function(State::Active, 0, None), 5));
    let key = format!("{PROVISIONED}000000000000/us-east-1/f/live");
    functions.apply(&Change::Delete { key });
    assert_eq!(functions.reserved_total(&scope()), 2);
}

#[test]
fn a_provisioned_row_that_cannot_be_read_is_left_out() {
    let mut functions = Functions::default();
    functions.apply(&provisioned_row("live", 1, 5, "{}"));
    functions.apply(&provisioned_row("3", 2, 2, ""));
    let entry = &functions.functions[&(scope(), name())];
    assert_eq!(entry.provisioned.requested(), 2);
}
