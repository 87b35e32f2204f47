//! Code that reads folders which a package filled must not use plain paths: only `beneath`
//! knows how such a name is looked up.

use crate::tidy::Finding;

/// Files, and folders of files, that handle such folders. Their tests may do what they like.
const LOOKED_AT: [&str; 2] = ["crates/image/src/", "roles/worker/src/init"];

/// What the standard library offers to look up a path by.
const BANNED: [&str; 28] = [
    "fs::read",
    "fs::write",
    "fs::create_dir",
    "fs::remove",
    "fs::rename",
    "fs::hard_link",
    "fs::copy",
    "fs::metadata",
    "fs::symlink",
    "fs::exists",
    "fs::set_permissions",
    "fs::canonicalize",
    "fs::openat",
    "tokio::fs",
    "DirBuilder",
    "OpenOptions",
    "File::open",
    "File::create",
    "File::options",
    ".exists()",
    ".try_exists()",
    ".is_file()",
    ".canonicalize()",
    ".read_dir()",
    ".read_link()",
    ".symlink_metadata()",
    "chown(",
    "set_current_dir",
];

/// Checks one file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let looked_at = LOOKED_AT.iter().any(|start| path.starts_with(start));
    if !looked_at || path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(code) {
        let line = line.split("//").next().unwrap_or_default();
        if let Some(banned) = BANNED.iter().find(|banned| line.contains(**banned)) {
            let rule = format!("{banned}: only `beneath` reads a folder that a package filled");
            findings.push(Finding::new(path, number, rule));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_machine_is_found_where_packages_are() {
        let text = "//! x\nuse std::fs;\nfn f() {\n    fs::read_dir(x); // fs::write\n}\n";
        let found = check("crates/image/src/unpack.rs", text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, 4);
        assert!(check("crates/image/src/unpack/tests.rs", text).is_empty());
        assert!(check("crates/backends/src/local_blobs.rs", text).is_empty());
        let tested = "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { std::fs::write(x) } }\n";
        assert!(check("roles/worker/src/init.rs", tested).is_empty());
    }
}
