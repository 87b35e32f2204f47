//! Pages name files; a file that has moved since leaves its reader in the wrong place.

use crate::tidy::Finding;
use crate::tree::File;

/// Folders whose files a page names by their whole path.
const FOLDERS: [&str; 7] = [
    "server/",
    "roles/",
    "crates/",
    "runtimes/",
    "sim/",
    "tests/",
    "xtask/",
];

/// Checks every page at the root and in `docs/`: what is in back quotes, has no blank or
/// placeholder in it and begins with one of our folders, exists.
pub fn check(files: &[File]) -> Vec<Finding> {
    let is_page = |file: &&File| {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        file.path.ends_with(".md") && ["", "docs"].contains(&folder)
    };
    let mut findings = Vec::new();
    for page in files.iter().filter(is_page) {
        for (number, line) in (1..).zip(page.text.lines()) {
            for path in paths(line).filter(|path| !exists(files, path)) {
                findings.push(Finding::new(
                    &page.path,
                    number,
                    format!("there is no {path}"),
                ));
            }
        }
    }
    findings
}

fn paths(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let named = quoted.map(|text| text.split("::").next().unwrap_or_default());
    named.filter(|text| {
        let plain = !text.contains(|c: char| c.is_whitespace() || "*<{…$".contains(c));
        plain && FOLDERS.iter().any(|folder| text.starts_with(folder))
    })
}

fn exists(files: &[File], path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    files
        .iter()
        .any(|file| file.path == path || file.path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_found() {
        let file = |path: &str, text: &str| File {
            path: path.into(),
            text: text.into(),
        };
        let text =
            "see `roles/a.rs`, `crates/b/`,\n`roles/gone.rs` and `roles/a.rs::name`, not `roles/*`";
        let files = [
            file("A.md", text),
            file("roles/a.rs", ""),
            file("crates/b/c.rs", ""),
        ];
        let found = check(&files);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].rule.as_str()),
            (2, "there is no roles/gone.rs")
        );
    }
}
