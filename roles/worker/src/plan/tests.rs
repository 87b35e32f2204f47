//! The variables a function sees.

use api::Secret;
use records::examples;
use records::functions::Configuration;
use types::{Region, Scope, Timestamp};

use super::*;

pub(crate) fn function(environment: &[(&str, &str)]) -> FunctionVersion {
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let configuration = Configuration {
        handler: Some("m.h".into()),
        environment: Some(environment.collect()),
        ..examples::configuration()
    };
    FunctionVersion {
        scope: Scope {
            region: Region::new("eu-west-1").unwrap(),
            ..examples::scope()
        },
        ..examples::function_version("f", configuration)
    }
}

fn seen(environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    let launch = Launch {
        root: "host".into(),
        folder: None,
        command: vec![],
        arguments: vec![],
        environment: BTreeMap::from([("PYTHONPATH".into(), "/var/runtime".into())]),
    };
    let credentials = Credentials {
        access_key_id: "ASIA1".into(),
        secret_access_key: Secret::new("s"),
        session_token: Secret::new("t"),
        expires: Timestamp::default(),
    };
    let common = BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), "http://x".to_owned())]);
    variables(&Given {
        function: &function(environment),
        launch: &launch,
        credentials: &credentials,
        log_stream: "stream",
        ahead: false,
        common: &common,
    })
}

#[test]
fn users_may_change_defaults_but_not_what_is_reserved() {
    let all = seen(&[
        ("PYTHONPATH", "/mine"),
        ("AWS_REGION", "mars"),
        ("LANG", "C"),
        ("A_KEY", "1"),
    ]);
    assert_eq!(all["PYTHONPATH"], "/mine");
    assert_eq!(all["LANG"], "C");
    assert_eq!(all["A_KEY"], "1");
    assert_eq!(all["AWS_REGION"], "eu-west-1");
    assert_eq!(all["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.12");
    assert_eq!(all["AWS_ENDPOINT_URL"], "http://x");
    assert_eq!(all["AWS_SESSION_TOKEN"], "t");
}

#[test]
fn extensions_do_not_see_what_is_the_runtimes() {
    let all = extension_variables(&seen(&[]));
    for hidden in NOT_FOR_EXTENSIONS {
        assert!(!all.contains_key(hidden), "{hidden}");
    }
    assert!(!all.keys().any(|key| key.contains("XRAY")));
    assert_eq!(all["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:9001");
}

#[test]
fn a_processor_is_had_in_proportion_to_memory() {
    let launch = Launch {
        root: "host".into(),
        folder: None,
        command: vec![],
        arguments: vec![],
        environment: BTreeMap::new(),
    };
    let id = EnvironmentId::from_uuid(uuid::Uuid::nil());
    let (function, paths) = (function(&[]), ("/x".into(), None));
    let spec = sandbox_spec(id, &function, &launch, paths, vec![], CpuWeight::Rest);
    assert_eq!(spec.cpu_millis, 2_000);
    assert_eq!(cpu_millis(128), 72);
    assert_eq!(cpu_millis(10_240), 5_788);
    assert_eq!(spec.memory_bytes, 128 * MIB);
    assert_eq!(spec.tmp_bytes, 512 * MIB);
}

#[test]
fn an_init_ahead_has_as_long_as_an_invoke_and_never_less_than_130_seconds() {
    let limit = |ahead, seconds| init_limit(ahead, Duration::from_secs(seconds)).as_secs();
    assert_eq!(limit(false, 900), 10);
    assert_eq!(limit(true, 3), 130);
    assert_eq!(limit(true, 900), 900);
}

#[test]
fn an_argument_is_left_out_if_the_function_says_otherwise() {
    let argument = |argument: &str, has: &str| crate::runtimes::Argument {
        argument: argument.to_owned(),
        versions: Vec::new(),
        unless: crate::runtimes::Unless {
            variable: "NODE_OPTIONS".to_owned(),
            has: has.to_owned(),
        },
    };
    let launch = Launch {
        root: "host".into(),
        folder: None,
        command: vec!["node".to_owned(), "x.cjs".to_owned()],
        arguments: vec![argument("--no-a", "--a"), argument("--no-b", "--b")],
        environment: BTreeMap::new(),
    };
    let with = |options: &str| {
        let variables = BTreeMap::from([("NODE_OPTIONS".to_owned(), options.to_owned())]);
        command(&launch, &variables)
    };
    assert_eq!(with(""), ["node", "--no-a", "--no-b", "x.cjs"]);
    assert_eq!(with("--x --a"), ["node", "--no-b", "x.cjs"]);
    assert_eq!(command(&launch, &BTreeMap::new()).len(), 4);
}
