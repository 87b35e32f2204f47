//! Where answers are made, an error becomes text by `ForCallers::told` alone: what `Display` says of any
//! other may hold paths, the kernel's words or a store's, which are for the server's own log.

use crate::tidy::Finding;

/// What answers people, or is asked by what does.
const ANSWERS: [&str; 17] = [
    "crates/admission/src/",
    "crates/api/src/",
    "crates/authn/src/",
    "crates/records/src/",
    "crates/environment/src/",
    "crates/settings/src/",
    "crates/tables/src/",
    "crates/wire/src/",
    "roles/assignment/src/",
    "roles/control/src/",
    "roles/event-invoke/src/",
    "roles/frontend/src/",
    "roles/identity/src/",
    "roles/logs/src/",
    "roles/worker/src/",
    "server/src/dispatch",
    "server/src/front_door",
];
/// Read when the server starts, and shown to the operator.
const OPERATORS: [&str; 1] = ["roles/worker/src/runtimes.rs"];
/// What errors are called.
const ERRORS: [&str; 11] = [
    "cause",
    "denied",
    "e",
    "err",
    "error",
    "failed",
    "failure",
    "malformed",
    "panicked",
    "problem",
    "refused",
];

/// Checks one file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let answers = ANSWERS.iter().any(|start| path.starts_with(start));
    let tests = path.ends_with("/tests.rs") || path.contains("/tests/");
    if !answers || tests || OPERATORS.contains(&path) {
        return Vec::new();
    }
    let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(code) {
        let line = line.split("//").next().unwrap_or_default();
        if is_text_of_an_error(line) {
            let rule = "an error's text is `told()`, if its words are for callers, or goes to the log as a field";
            findings.push(Finding::new(path, number, rule));
        }
    }
    findings
}

fn is_text_of_an_error(line: &str) -> bool {
    let named = |name: &str| {
        let before = line
            .match_indices(&format!("{name}.to_string()"))
            .any(|(at, _)| {
                let letter = |c: char| c.is_alphanumeric() || c == '_';
                !line[..at].ends_with(letter)
            });
        let within = [":", "}"]
            .iter()
            .any(|end| line.contains(&format!("{{{name}{end}")));
        before || within
    };
    line.contains("ToString::to_string") || ERRORS.iter().any(|name| named(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_is_found_where_answers_are_made() {
        let text = "//! x\nfn f() {\n    a(error.to_string());\n    b(id.to_string()); // e.to_string()\n\
                    \x20   format!(\"no: {error:?}\");\n    list.map_err(ToString::to_string);\n    type_e.to_string();\n}\n\
                    #[cfg(test)]\nmod tests { fn g() { error.to_string() } }\n";
        let found: Vec<usize> = check("roles/control/src/a.rs", text)
            .into_iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(found, [3, 5, 6]);
        assert!(check("roles/control/src/a/tests.rs", text).is_empty());
        assert!(check("crates/sandbox/src/a.rs", text).is_empty());
    }
}
