//! How a Rust file must look.

use crate::tidy::Finding;

const LINES_MAX: usize = 600;
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
    if lines > LINES_MAX {
        let rule = format!("{lines} lines; more than {LINES_MAX} hold more than one idea");
        findings.push(Finding::new(path, 0, rule));
    }
    for (number, line) in (1..).zip(text.lines()) {
        findings.extend(line_rules(path, line).map(|rule| Finding::new(path, number, rule)));
    }
    findings
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
    fn long_files_are_found() {
        let text = format!("//! Long.\n{}", "\n".repeat(LINES_MAX));
        assert_eq!(
            rules("a.rs", &text),
            [(0, "601 lines; more than 600 hold more than one idea".into())]
        );
    }
}
