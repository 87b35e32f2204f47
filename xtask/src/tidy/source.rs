//! How a Rust file must look.

use crate::tidy::Finding;

/// A file may have more lines only if a line above its code says why it is one thing.
const LINES_MAX: usize = 400;
const REASON: &str = "// Long: ";
/// rustfmt keeps code to 100. It cannot look into macros and texts; those get a little more.
const COLUMNS_MAX: usize = 110;
/// The folders that may speak to the kernel without the compiler's protection.
const UNSAFE_IN: [&str; 2] = ["crates/sandbox/", "crates/environment/"];

/// Checks one file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") && !text.starts_with("#!/") {
        findings.push(Finding::new(
            path,
            1,
            "a file begins with `//!` and what it is",
        ));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX && !has_reason(text) {
        let rule = format!(
            "{lines} lines: split it by idea, or say near its top why it is one thing, after `{REASON}`"
        );
        findings.push(Finding::new(path, 0, rule));
    }
    for (number, line) in (1..).zip(text.lines()) {
        findings.extend(line_rules(path, line).map(|rule| Finding::new(path, number, rule)));
    }
    findings
}

/// Whether a line above the first one of code says why the file is long.
fn has_reason(text: &str) -> bool {
    let mut top = text
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("//"));
    top.any(|line| {
        let reason = line.strip_prefix(REASON);
        reason.is_some_and(|reason| !reason.trim().is_empty())
    })
}

fn line_rules(path: &str, line: &str) -> impl Iterator<Item = &'static str> {
    let code = line.split("//").next().unwrap_or_default();
    // A text that must stay whole, or a row of a table, is easier to read on one line.
    let text = code.contains('"') || code.ends_with('\\');
    let wide = code.trim_end().chars().count() > COLUMNS_MAX && !text;
    let unfinished = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
    ];
    let unsafe_here = [
        concat!("unsafe", " {"),
        concat!("unsafe", " fn"),
        concat!("unsafe", " impl"),
    ];
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let may = UNSAFE_IN.iter().any(|folder| path.starts_with(folder));
    let broken = [
        wide.then_some("wider than 110 columns"),
        has(&unfinished).then_some("nothing is left unfinished or skipped"),
        (has(&unsafe_here) && !may)
            .then_some("the compiler's protection is given up in `sandbox` only"),
    ];
    broken.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, String)> {
        check(path, text)
            .into_iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn a_good_file_passes() {
        assert!(rules("a.rs", "//! What it is.\nfn main() {}\n").is_empty());
    }

    #[test]
    fn each_rule_is_found_on_its_line() {
        let long = "x".repeat(111);
        let todo = concat!("todo", "!()");
        let text = format!("fn a() {{ {todo} }}\n{long}\n// {long}\nlet a = \"{long}\";\n");
        let found: Vec<usize> = rules("a.rs", &text)
            .into_iter()
            .map(|(line, _)| line)
            .collect();
        assert_eq!(found, [1, 1, 2]);
    }

    #[test]
    fn unsafe_code_has_its_folder() {
        let text = concat!("//! Calls.\nfn a() { ", "unsafe", " { b() } }\n");
        assert_eq!(rules("crates/types/src/a.rs", text).len(), 1);
        assert!(rules("crates/sandbox/src/a.rs", text).is_empty());
        let comment = concat!("//! Calls.\n// ", "unsafe", " { }\n");
        assert!(rules("crates/types/src/a.rs", comment).is_empty());
    }

    #[test]
    fn a_long_file_needs_a_reason_above_its_code() {
        let code = "fn a() {}\n".repeat(LINES_MAX);
        let found = |top: &str| rules("a.rs", &format!("{top}{code}"));
        let none = found("//! Calls.\n");
        assert_eq!(none.len(), 1);
        assert!(none[0].1.starts_with("401 lines"), "{}", none[0].1);
        assert!(found("//! Calls.\n\n// Long: one table, a row for each call.\n").is_empty());
        assert_eq!(found("//! Calls.\n// Long: \n").len(), 1);
        assert_eq!(found("//! Calls.\nuse a;\n// Long: too late.\n").len(), 1);
        assert!(
            rules(
                "a.rs",
                &format!("//! Calls.\n{}", "\n".repeat(LINES_MAX - 1))
            )
            .is_empty()
        );
    }
}
