//! What patterns mean, and that any text is at worst an error.

use proptest::prelude::*;

use super::*;

fn check(pattern: &str, message: &str, expected: bool) {
    let parsed = Pattern::parse(pattern).unwrap();
    assert_eq!(parsed.matches(message), expected, "{pattern} on {message}");
}

#[test]
fn terms_are_all_there_and_excluded_ones_are_not() {
    check("", "anything", true);
    check("ERROR", "[ERROR] no", true);
    check("ERROR", "error", false);
    check("ERROR code", "ERROR code 4", true);
    check("ERROR code", "ERROR 4", false);
    check("ERROR -code", "ERROR 4", true);
    check("ERROR -code", "ERROR code 4", false);
    check("\"a phrase, so\"", "it is a phrase, so it is", true);
    check("-\"a b\"", "a b", false);
    check("?ERROR ?WARN", "WARN 1", true);
    check("?ERROR ?WARN", "INFO 1", false);
    check("?ERROR INFO", "INFO 1", true);
    check("\"say \\\"x\\\"\"", "say \"x\"", true);
    check(r"%4\d\d%", "status 404", true);
    check(r"%4\d\d%", "status 504", false);
}

#[test]
fn json_is_compared_by_its_members() {
    let event =
        r#"{"level":"ERROR","n":4,"deep":{"list":[1,{"x":"abc"}]},"t":true,"z":null,"a b":1}"#;
    for (pattern, expected) in [
        (r#"{ $.level = "ERROR" }"#, true),
        ("{ $.level = ERROR }", true),
        (r#"{ $.level != "ERROR" }"#, false),
        (r#"{ $.level = "ERR*" }"#, true),
        ("{ $.level = %^ERR% }", true),
        ("{ $.n > 3 && $.n <= 4 }", true),
        ("{ $.n = 4.0 }", true),
        ("{ $.n < 4 || $.level = X }", false),
        ("{ ($.n < 4 || $.level = ERROR) && $.t IS TRUE }", true),
        ("{ $.deep.list[0] = 1 }", true),
        ("{ $.deep.list[1].x = a*c }", true),
        ("{ $.deep.list[*].x = abc }", true),
        ("{ $.z IS NULL }", true),
        ("{ $.t IS FALSE }", false),
        ("{ $.none NOT EXISTS }", true),
        ("{ $.n EXISTS }", true),
        ("{ $.none = 1 }", false),
        ("{ $.level = * }", true),
    ] {
        check(pattern, event, expected);
    }
    check("{ $.a = 1 }", "no json", false);
    check("{ $.a = 1 }", "{\"a\":1} ", true);
}

#[test]
fn fields_are_compared_by_their_place() {
    let line = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /a b\" 404 1534";
    for (pattern, expected) in [
        ("[ip, id, user, time, request, status, bytes]", true),
        ("[ip, id, user]", false),
        ("[ip, ..., status=4*, bytes]", true),
        ("[ip, ..., status=5*, bytes]", false),
        ("[..., status = 404 || status = 410, bytes > 1000]", true),
        ("[..., bytes > 1000 && bytes < 1500]", false),
        ("[ip, id, user, time, request = \"GET*\", ...]", true),
        ("[ip = %^127\\.%, ...]", true),
        ("[ip != \"127.0.0.1\", ...]", false),
    ] {
        check(pattern, line, expected);
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "a.b",
        "\"open",
        "%open",
        "%(%",
        "-",
        "{",
        "{ $.a }",
        "{ a = 1 }",
        "{ $.a = 1 } x",
        "{ $.a > x }",
        "{ $.a[x] = 1 }",
        "{ $.a IS 1 }",
        "[",
        "[]",
        "[a, ..., ...]",
        "[a = 1 && b = 2]",
        "[a b]",
    ] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
    let term = Pattern::parse("a:b").unwrap_err().to_string();
    assert_eq!(term, "Invalid character(s) in term 'a:b'");
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    assert!(Pattern::parse(&deep).is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_pattern_or_refused(pattern in "\\PC{0,200}", message in "\\PC{0,200}") {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }

    #[test]
    fn so_is_any_text_that_looks_like_one(
        pattern in "[\\[{]?[ $.a\\[\\]*=<>!&|(){},\"%\\-?0-9]{0,60}[\\]}]?",
        message in "[{\\[]?[ \":a0,\\[\\]{}\"]{0,60}",
    ) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }
}
