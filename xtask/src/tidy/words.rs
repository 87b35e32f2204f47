//! Words that have no place in the tree: it describes the project, for any reader on any machine. Paths of one
//! machine, numbers of one tracker and hosts of one network do not belong.

use crate::tidy::Finding;

/// Split in two, so that this file does not find itself.
const FORBIDDEN: [(&str, &str); 9] = [
    ("/wo", "rk/main"),
    ("/wo", "rk/shared"),
    ("issue", " #"),
    ("Issue", " #"),
    ("pypi", ".org"),
    ("registry.npm", "js.org"),
    ("repo.maven", ".apache.org"),
    ("static.crates", ".io"),
    ("index.crates", ".io"),
];

/// Lock files name where packages come from; they are made by tools.
const EXEMPT: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// Checks one text file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    if EXEMPT.iter().any(|name| path.ends_with(name)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (start, end) in FORBIDDEN {
        let word = format!("{start}{end}");
        for (number, line) in (1..).zip(text.lines()) {
            if line.contains(&word) {
                let rule = format!("`{word}` means nothing to others");
                findings.push(Finding::new(path, number, rule));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_own_path_is_found() {
        let text = concat!("one\nsee /wo", "rk/main\n");
        assert_eq!(check("README.md", text).len(), 1);
        assert_eq!(check("README.md", text)[0].line, 2);
        assert!(check("Cargo.lock", text).is_empty());
        assert!(check("README.md", "where it works\n").is_empty());
    }
}
