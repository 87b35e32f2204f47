//! Where settings come from and which of them counts.

use super::*;

fn load(file: &str, variables: &[(&str, &str)]) -> anyhow::Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lambent.toml");
    std::fs::write(&path, file).unwrap();
    let variables = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Config::load(Some(&path), variables)
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let file = "listen = '127.0.0.1:1'\n[sandbox]\npool = 7\n[functions.environment]\nA = '1'";
    let variables = [
        ("LAMBENT_LISTEN", "127.0.0.1:2"),
        ("LAMBENT_ACCOUNT_CONCURRENCY", "50"),
    ];
    let config = load(file, &variables).unwrap();
    assert_eq!(config.listen, "127.0.0.1:2");
    assert_eq!(config.sandbox.pool, 7);
    assert_eq!(config.account.concurrency, 50);
    assert_eq!(config.assignment.idle_seconds, 600);
    assert_eq!(config.functions.environment["A"], "1");
}

#[test]
fn maps_and_lists_are_given_as_toml() {
    let variables = [
        ("LAMBENT_FUNCTIONS_ENVIRONMENT", "{ B = \"2\" }"),
        ("LAMBENT_FUNCTIONS_ROLE_ACTIONS", "[\"lambda:Get*\"]"),
        (
            "LAMBENT_ACCESS_KEYS",
            "[{ id = 'test', secret = 'test', account = '123456789012' }]",
        ),
    ];
    let config = load("", &variables).unwrap();
    assert_eq!(config.functions.environment["B"], "2");
    assert_eq!(config.functions.role_actions, ["lambda:Get*"]);
    assert_eq!(config.access_keys[0].account.as_str(), "123456789012");
}

#[test]
fn what_is_wrong_is_named() {
    for (file, variable, named) in [
        ("lisen = 'x'", ("LAMBENT_LOG", "info"), "lisen"),
        ("", ("LAMBENT_SANDBOX_POL", "1"), "LAMBENT_SANDBOX_POL"),
        ("", ("LAMBENT_SANDBOX_POOL", "many"), "LAMBENT_SANDBOX_POOL"),
        (
            "[account]\nid = '12'",
            ("LAMBENT_LOG", "info"),
            "twelve digits",
        ),
        ("[", ("LAMBENT_LOG", "info"), "not valid TOML"),
    ] {
        let error = format!("{:#}", load(file, &[variable]).unwrap_err());
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let variable = [(
        "LAMBENT_ACCESS_KEYS",
        "[{ id = 'k', secret = 'hidden', account = '123456789012' }]",
    )];
    let config = load("", &variable).unwrap();
    assert!(!format!("{config:?}").contains("hidden"));
}
