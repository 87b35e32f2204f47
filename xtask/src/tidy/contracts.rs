//! What is sent over an arrow is data: every type of `crates/api` serialises. `crates/api/tests/contracts.rs` shows that
//! each comes back equal, so it names each of them.

use crate::tidy::Finding;
use crate::tree::File;

/// Where the arrows are.
const ARROWS: &str = "crates/api/src/";
/// Where each type is sent and comes back.
const TEST: &str = "crates/api/tests/contracts.rs";
/// Types that are not data themselves: a body, whose events are, what holds one, and what is derived from an error.
const NO_DATA: [&str; 4] = ["Body", "Response", "Stream", "Kind"];

/// Checks the crate of the arrows.
pub fn check(files: &[File]) -> Vec<Finding> {
    let test = files.iter().find(|file| file.path == TEST);
    let test = test.map_or("", |file| &file.text);
    let arrows = files.iter().filter(|file| file.path.starts_with(ARROWS));
    arrows
        .flat_map(|file| types(&file.path, &file.text, test))
        .collect()
}

fn types(path: &str, text: &str, test: &str) -> Vec<Finding> {
    let module = path.trim_start_matches(ARROWS).trim_end_matches(".rs");
    let mut derived = String::new();
    // Whether the attribute continues on the next line.
    let mut going_on = false;
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("#[derive(") {
            derived.clear();
            going_on = true;
        }
        if going_on {
            derived.push_str(line);
            going_on = !line.ends_with(")]");
        }
        let Some(name) = declared(line) else { continue };
        if NO_DATA.contains(&name) {
            continue;
        }
        let serialises = derived.contains("Serialize") && derived.contains("Deserialize");
        if !serialises {
            let rule = format!("{name} is sent over an arrow and does not serialise");
            findings.push(Finding::new(path, number, rule));
        }
        let module = match module {
            "lib" | "kind" | "secret" => name.to_owned(),
            module => format!("{module}::{name}"),
        };
        if !test.contains(&module) {
            let rule = format!("{TEST} does not show that {module} comes back equal");
            findings.push(Finding::new(path, number, rule));
        }
        derived.clear();
    }
    findings
}

/// The name of a public type that begins on this line.
fn declared(line: &str) -> Option<&str> {
    let rest = ["pub struct ", "pub enum "]
        .iter()
        .find_map(|start| line.strip_prefix(start))?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_serialise_or_is_not_shown_to_is_found() {
        let text = "#[derive(\n    Debug, Serialize, Deserialize,\n)]\npub struct Asks {\n}\n\
                    #[derive(Debug)]\npub enum Told { A }\npub struct Body(u8);\n";
        let path = "crates/api/src/asking.rs";
        let found = |test: &str| -> Vec<(usize, String)> {
            let all = types(path, text, test).into_iter();
            all.map(|finding| (finding.line, finding.rule)).collect()
        };
        let all_shown = found("asking::Asks asking::Told");
        let rule = "Told is sent over an arrow and does not serialise".to_owned();
        assert_eq!(all_shown, [(7, rule)]);
        assert_eq!(found("asking::Told").len(), 2);
    }
}
