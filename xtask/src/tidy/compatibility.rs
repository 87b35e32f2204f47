//! `docs/compatibility.md` promises nothing that no test keeps: every row that says "works" names
//! a test, and the test is there.
//!
//! A row is `| what | works | text, then tests as `path::name` |`.

use crate::tidy::Finding;
use crate::tree::File;

const PAGE: &str = "docs/compatibility.md";

/// Checks the page, if there is one, against the tree.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        return vec![Finding::new(PAGE, 0, "the page is missing")];
    };
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(page.text.lines()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() < 4 {
            continue;
        }
        let tests: Vec<&str> = tests(line).collect();
        if cells[2] == "works" && tests.is_empty() {
            findings.push(Finding::new(
                PAGE,
                number,
                "a row that works names its test",
            ));
        }
        for test in tests.into_iter().filter(|test| !exists(files, test)) {
            findings.push(Finding::new(
                PAGE,
                number,
                format!("there is no test {test}"),
            ));
        }
    }
    findings
}

/// What is in back quotes and has `::` in it.
fn tests(line: &str) -> impl Iterator<Item = &str> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| quoted.contains("::"))
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

    fn rules(row: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File {
            path: path.into(),
            text: text.into(),
        };
        let files = [
            file(PAGE, row),
            file("tests/test_a.py", "def test_one(client):\n"),
        ];
        check(&files)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn what_works_names_a_test_that_exists() {
        assert!(rules("| Invoke | works | `tests/test_a.py::test_one` |").is_empty());
        assert!(rules("| Layers | not yet | |").is_empty());
        assert_eq!(
            rules("| Invoke | works | |"),
            ["a row that works names its test"]
        );
        assert_eq!(
            rules("| Invoke | works | `tests/test_a.py::test_two` |"),
            ["there is no test tests/test_a.py::test_two"]
        );
    }
}
