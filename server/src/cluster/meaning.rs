//! Which rows, messages and blobs are copied, and why others are not.

use backup::{Meaning, Message};
use event_invoke::{Kind, told};
use records::functions::{Configuration, FUNCTIONS, Function, VERSIONS};
use records::layers::{LAYER_VERSIONS, LayerVersion};
use serde::de::DeserializeOwned;
use storage::Row;

use crate::process::stores::cluster::UNFINISHED;

/// Where the stored logs of a cluster are among the blobs.
const LOGS: &str = "logs/";
/// A prefix of keys; what such rows are called.
type Named = (&'static str, &'static str);

/// Rows that are copied, as people call them. The first prefix that fits counts.
const COPIED: &[Named] = &[
    (FUNCTIONS, "functions"),
    (VERSIONS, "versions"),
    (records::functions::ALIASES, "aliases"),
    (records::functions::POLICIES, "policies of functions"),
    (records::functions::URLS, "function URLs"),
    // Requested again of the new system: its environments are re-created.
    (
        records::functions::PROVISIONED,
        "provisioned concurrency configurations",
    ),
    (
        records::functions::EVENT_INVOKES,
        "event invoke configurations",
    ),
    (records::functions::RECURSIONS, "recursion configurations"),
    (
        records::functions::RUNTIME_MANAGEMENT,
        "runtime update configurations",
    ),
    (
        records::functions::CODE_SIGNINGS,
        "functions with code signing",
    ),
    (
        records::code_signing::CONFIGS,
        "code signing configurations",
    ),
    (records::event_sources::MAPPINGS, "event source mappings"),
    // Two mappings of one source and function are refused by them.
    (
        records::event_sources::CLAIMS,
        "sources of event source mappings",
    ),
    (LAYER_VERSIONS, "versions of layers"),
    ("layer/", "layers"),
    (records::log_groups::LOG_GROUPS, "log groups"),
    ("stack/", "stacks"),
    (records::iam::USERS, "users"),
    (records::iam::POLICIES, "managed policies"),
    ("iam/group/", "groups"),
    ("iam/role/", "roles"),
    ("iam-use/", "access keys in use"),
    // How many queues functions share: the events are in them.
    ("event-queues/", "settings of queues"),
];

/// Rows that mean nothing elsewhere, or later.
const LEFT: &[Named] = &[
    ("lease/", "who did what in the system that was copied"),
    (
        "cluster/",
        "its processes, and the certificates of its hosts",
    ),
    (
        records::packages::UNUSED_PACKAGES,
        "packages that are not copied, as nothing names them",
    ),
    (
        "concurrency-claim/",
        "requests that were in progress: a minute later they are void",
    ),
    (UNFINISHED, "a restore that was in progress"),
];

/// See the module. Rows of kinds that are not known here are copied: a later version may have made them.
pub(super) struct Lambent {
    others: Vec<String>,
}

impl Lambent {
    pub(super) fn new(with_logs: bool) -> Self {
        let logs = with_logs.then(|| LOGS.to_owned());
        Self {
            others: logs.into_iter().collect(),
        }
    }
}

impl Meaning for Lambent {
    fn row(&self, key: &str) -> Option<&'static str> {
        let fits = |(prefix, _): &&Named| key.starts_with(prefix);
        if LEFT.iter().any(|left| fits(&left)) {
            return None;
        }
        let known = COPIED.iter().find(fits);
        Some(known.map_or("others", |(_, kind)| kind))
    }

    fn blobs(&self, row: &Row) -> Result<Vec<String>, String> {
        let names = |packages: Vec<&str>| packages.into_iter().map(image::blob_name).collect();
        Ok(match row.key.as_str() {
            key if key.starts_with(FUNCTIONS) => names(read::<Function>(row)?.packages().collect()),
            key if key.starts_with(VERSIONS) => {
                names(read::<Configuration>(row)?.packages().collect())
            }
            key if key.starts_with(LAYER_VERSIONS) => {
                names(vec![read::<LayerVersion>(row)?.image.as_str()])
            }
            _ => Vec::new(),
        })
    }

    fn message(&self, queue: &str, body: &[u8]) -> Message {
        let told = told(queue, body);
        Message {
            kind: match told.kind {
                Kind::Pending => "events to invoke",
                Kind::Delivering => "outcomes to deliver",
                Kind::Failed => "failed events",
                Kind::Unreadable => "unreadable events",
                Kind::Foreign => "messages of other queues",
            },
            identity: told.request.map(|request| request.to_string()),
        }
    }

    fn other_blobs(&self) -> &[String] {
        &self.others
    }
}

fn read<T: DeserializeOwned>(row: &Row) -> Result<T, String> {
    serde_json::from_slice(&row.value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use storage::Revision;

    use super::*;

    #[test]
    fn every_kind_of_row_is_copied_or_left_for_a_reason() {
        let lambent = Lambent::new(false);
        for (key, kind) in [
            ("function/0/r/f", Some("functions")),
            (
                "layer-version/0/r/l/000000000001",
                Some("versions of layers"),
            ),
            ("layer/0/r/l", Some("layers")),
            ("iam/user/0/ann", Some("users")),
            ("iam-use/AKIA", Some("access keys in use")),
            (
                "code-signing-of/0/r/f/$LATEST",
                Some("functions with code signing"),
            ),
            (
                "code-signing/0/r/csc-1",
                Some("code signing configurations"),
            ),
            ("of-a-later-version/x", Some("others")),
            ("lease/x/held/y", None),
            ("unused-package/00", None),
            ("cluster/member/x", None),
            ("restore/unfinished", None),
        ] {
            assert_eq!(lambent.row(key), kind, "{key}");
        }
    }

    #[test]
    fn rows_name_their_packages() {
        let lambent = Lambent::new(true);
        assert_eq!(lambent.other_blobs(), ["logs/"]);
        let row = |key: &str, value: &[u8]| Row {
            key: key.to_owned(),
            value: Bytes::copy_from_slice(value),
            revision: Revision(1),
        };
        let layer =
            br#"{"number":1,"description":"","license":null,"runtimes":null,"architectures":null,
            "image":"ab","sha256":"","bytes":1,"unpacked_bytes":1,"created":0}"#;
        let layer = row("layer-version/0/r/l/000000000001", layer);
        assert_eq!(lambent.blobs(&layer).unwrap(), ["code/ab.zip"]);
        assert!(lambent.blobs(&row("function/0/r/f", b"?")).is_err());
        assert_eq!(lambent.blobs(&row("alias/0/r/f/a", b"?")), Ok(Vec::new()));
    }
}
