//! Which crate may use which: the folder tree is the architecture's picture, and an arrow that is
//! not in the picture does not compile a mess, it becomes one later.

use crate::tidy::Finding;
use crate::tree::File;

/// A crate and the workspace's crates it may use in addition to `types`, which everyone may.
const MAY_USE: &[(&str, &[&str])] = &[
    ("types", &[]),
    // For tests alone.
    ("fuzzing", &[]),
    // Accepts connections for all that listen.
    ("accepting", &[]),
    ("wire", &[]),
    // Spans, and the header by which they are one trace.
    ("traces", &[]),
    ("policy", &[]),
    // Rows hold policies.
    ("records", &["policy"]),
    ("api", &["records"]),
    // The arrows between machines.
    ("far", &["accepting", "api", "records"]),
    // Who is let into the cluster: its rows, sealed keys and certificates.
    ("authority", &["accepting", "api", "keyring", "storage"]),
    // Knows the signatures of every protocol, and says in its words why one is refused.
    ("authn", &["api", "policy", "records", "wire"]),
    // Master keys, and what is derived from them.
    ("keyring", &[]),
    ("storage", &[]),
    ("filters", &[]),
    // Look-ups below folders that others filled.
    ("beneath", &[]),
    ("sandbox", &[]),
    // Calls other services, in AWS's formats.
    ("aws", &["wire", "api"]),
    // Uses the worker's arrow's types for requests and answers.
    ("environment", &["accepting", "api"]),
    ("image", &["beneath", "storage"]),
    // A client: it knows the API from outside, as every other client does.
    ("deploy", &["wire"]),
    ("leasing", &["storage"]),
    ("membership", &["api", "leasing", "storage"]),
    ("backends", &["storage"]),
    ("jetstream", &["storage"]),
    // Copies stores, whatever is in them.
    ("backup", &["storage"]),
    // Says in Lambda's words why a row is not as asked for.
    ("tables", &["storage", "wire"]),
    // What callers may say, in the words in which they are answered.
    ("settings", &["records", "filters", "wire", "policy"]),
    (
        "control",
        &[
            "authn",
            "keyring",
            "records",
            "settings",
            "wire",
            "api",
            "storage",
            "tables",
            "image",
            "policy",
            // Tells hosts to drain.
            "membership",
        ],
    ),
    (
        "identity",
        &[
            "authn", "keyring", "records", "wire", "api", "storage", "tables", "policy",
        ],
    ),
    (
        "logs",
        &[
            "authn", "records", "wire", "api", "storage", "tables", "policy",
        ],
    ),
    (
        "admission",
        &["authn", "records", "wire", "api", "storage", "policy"],
    ),
    (
        "frontend",
        &[
            "authn",
            "records",
            "admission",
            "traces",
            "wire",
            "api",
            "policy",
        ],
    ),
    (
        "event-invoke",
        &[
            "authn",
            "records",
            "admission",
            "wire",
            "api",
            "policy",
            "storage",
            "leasing",
            "aws",
        ],
    ),
    // A network before any arrow and any store.
    ("faulty", &["api", "records", "storage"]),
    ("event-sources", &["api", "records", "filters", "storage"]),
    ("counting", &["api", "records", "storage"]),
    ("assignment", &["api", "records", "storage"]),
    ("placement", &["api", "records"]),
    ("az-cache", &["api", "image"]),
    (
        "worker",
        &[
            "accepting",
            "api",
            "records",
            "beneath",
            "image",
            "sandbox",
            "traces",
            "environment",
        ],
    ),
    ("xtask", &[]),
];

/// May use everything, and nobody uses them: they wire the parts together, or drive them from outside.
const FREE: &[&str] = &["lambent", "benches", "sim"];

/// Checks every crate's `Cargo.toml`. Tests may use what they like.
pub fn check(files: &[File]) -> Vec<Finding> {
    let manifests = files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    manifests
        .flat_map(|file| manifest(&file.path, &file.text))
        .collect()
}

fn manifest(path: &str, text: &str) -> Vec<Finding> {
    let name = text.lines().find_map(|line| line.strip_prefix("name = \""));
    let name = name
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default();
    if FREE.contains(&name) {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
        return vec![Finding::new(
            path,
            0,
            format!("crate `{name}` has no place in the layers"),
        )];
    };
    let mut section = "";
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('[') {
            section = line.trim();
        } else if section == "[dependencies]" {
            let used = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let ours = FREE.contains(&used) || MAY_USE.iter().any(|(known, _)| *known == used);
            if ours && used != "types" && !allowed.contains(&used) {
                let rule = format!("`{name}` may not use `{used}`");
                findings.push(Finding::new(path, number, rule));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<String> {
        manifest("x/Cargo.toml", text)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn a_role_may_not_use_a_role() {
        let text =
            "name = \"placement\"\n[dependencies]\napi.workspace = true\nworker.workspace = true";
        assert_eq!(rules(text), ["`placement` may not use `worker`"]);
    }

    #[test]
    fn nobody_may_use_what_wires_the_parts_together() {
        let text = "name = \"worker\"\n[dependencies]\nsim.workspace = true";
        assert_eq!(rules(text), ["`worker` may not use `sim`"]);
    }

    #[test]
    fn tests_of_a_crate_may_use_another() {
        let text =
            "name = \"placement\"\n[dependencies]\n[dev-dependencies]\nworker.workspace = true";
        assert!(rules(text).is_empty());
    }

    #[test]
    fn a_crate_nobody_drew_is_found() {
        assert_eq!(
            rules("name = \"misc\""),
            ["crate `misc` has no place in the layers"]
        );
    }
}
