//! Pages promise nothing that no test keeps.
//!
//! - In `docs/compatibility.md` every row whose state is "works" names a test.
//! - In every page a row of a table whose last column is headed "shown by" names a test.
//! - In every page a test that is named exists.
//!
//! A test is named as `path::name`, in back quotes.

use crate::tidy::Finding;
use crate::tree::File;

const COMPATIBILITY: &str = "docs/compatibility.md";
const SECURITY: &str = "docs/security.md";

/// Checks all pages in `docs/`.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in [COMPATIBILITY, SECURITY] {
        if !files.iter().any(|file| file.path == page) {
            findings.push(Finding::new(page, 0, "the page is missing"));
        }
    }
    let is_page = |file: &&File| file.path.starts_with("docs/") && file.path.ends_with(".md");
    for page in files.iter().filter(is_page) {
        let mut shown_by = false;
        for (number, line) in (1..).zip(page.text.lines()) {
            let cells: Vec<&str> = line.trim().split('|').map(str::trim).collect();
            let row = cells.len() >= 4;
            let tests: Vec<&str> = tests(line).collect();
            for test in tests.iter().filter(|test| !exists(files, test)) {
                let rule = format!("there is no test {test}");
                findings.push(Finding::new(&page.path, number, rule));
            }
            if !row {
                shown_by = false;
            } else if cells[cells.len() - 2] == "shown by" {
                shown_by = true;
            } else {
                let ruler = cells[1].starts_with("---");
                let works = page.path == COMPATIBILITY && cells[2] == "works";
                if (works || shown_by && !ruler) && tests.is_empty() {
                    findings.push(Finding::new(&page.path, number, "a promise names its test"));
                }
            }
        }
    }
    findings
}

/// What is in back quotes and has `::` in it, below one of our folders.
fn tests(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|text| {
        let path = text.split_once("::").map_or("", |(path, _)| path);
        path.contains('/') && (path.ends_with(".rs") || path.ends_with(".py"))
    })
}

fn exists(files: &[File], test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else {
        return false;
    };
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return false;
    };
    ["def ", "fn "]
        .iter()
        .any(|word| file.text.contains(&format!("{word}{name}(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(page: &str, text: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File {
            path: path.into(),
            text: text.into(),
        };
        let other = if page == SECURITY {
            COMPATIBILITY
        } else {
            SECURITY
        };
        let files = [
            file(page, text),
            file(other, ""),
            file("tests/test_a.py", "def test_one(client):\n"),
        ];
        check(&files)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn what_works_names_a_test_that_exists() {
        let rules = |row| rules(COMPATIBILITY, row);
        assert!(rules("| Invoke | works | `tests/test_a.py::test_one` |").is_empty());
        assert!(rules("| Layers | not yet | |").is_empty());
        assert_eq!(rules("| Invoke | works | |"), ["a promise names its test"]);
        assert_eq!(
            rules("| Invoke | works | `tests/test_a.py::test_two` |"),
            ["there is no test tests/test_a.py::test_two"]
        );
    }

    #[test]
    fn every_row_that_is_to_be_shown_names_a_test() {
        let rules = |rows: &str| rules(SECURITY, rows);
        let head = "| promise | shown by |\n| --- | --- |\n";
        assert!(rules(&format!("{head}| a | `tests/test_a.py::test_one` |\n")).is_empty());
        assert_eq!(
            rules(&format!("{head}| a | trust us |\n")),
            ["a promise names its test"]
        );
        let other = "| limit | value |\n| --- | --- |\n| a | 1 |\n";
        assert!(rules(other).is_empty());
    }

    #[test]
    fn both_pages_are_there() {
        assert_eq!(check(&[]).len(), 2);
    }
}
