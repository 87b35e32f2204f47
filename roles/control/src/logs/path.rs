//! From the names of groups and streams to those of folders and files, and back.
//!
//! ```text
//!   /aws/lambda/f   ─▶  =%2Faws%2Flambda%2Ff
//!   a long name     ─▶  ~<hex SHA-256>, with the name itself in ~<hex>.name beside it
//! ```
//!
//! Everything but letters, digits, `-` and `_` is percent-encoded, and `=` stands in front, so that
//! no name is empty, `.`, `..` or has a slash.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use api::logs::StreamName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use types::Scope;

/// What stands for itself beside letters and digits.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// Longer names are hashed: file systems take 255 bytes, and `.jsonl` comes behind.
const ENCODED_BYTES_MAX: usize = 240;
/// What a stream's file ends with.
const STREAM: &str = ".jsonl";
/// What the file that holds a hashed name ends with.
const NAME: &str = ".name";

/// Where a scope's groups are.
pub(super) fn scope_folder(root: &Path, scope: &Scope) -> PathBuf {
    // Both are checked where they are made: digits, and letters, digits and hyphens.
    root.join(scope.account.as_str())
        .join(scope.region.as_str())
}

/// Where a group's streams are.
pub(super) fn group_folder(root: &Path, scope: &Scope, group: &str) -> PathBuf {
    scope_folder(root, scope).join(component(group))
}

/// A stream's file.
pub(super) fn stream_file(root: &Path, name: &StreamName) -> PathBuf {
    let folder = group_folder(root, &name.scope, &name.group);
    folder.join(format!("{}{STREAM}", component(&name.stream)))
}

/// Makes what a stream's file needs around it.
pub(super) fn prepare(root: &Path, name: &StreamName) -> io::Result<()> {
    let scope = scope_folder(root, &name.scope);
    let group = group_folder(root, &name.scope, &name.group);
    make_folder(&group)?;
    remember(&scope, &name.group)?;
    remember(&group, &name.stream)
}

/// The groups in a scope's folder.
pub(super) fn groups(folder: &Path) -> io::Result<Vec<String>> {
    names(folder, "")
}

/// The streams in a group's folder.
pub(super) fn streams(folder: &Path) -> io::Result<Vec<String>> {
    names(folder, STREAM)
}

/// Makes a folder and those above it, for us alone.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn component(name: &str) -> String {
    let encoded = format!("={}", utf8_percent_encode(name, ENCODED));
    if encoded.len() <= ENCODED_BYTES_MAX {
        return encoded;
    }
    let hash = digest(&SHA256, name.as_bytes());
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("~{hex}")
}

/// Writes down a name that its component does not tell.
fn remember(folder: &Path, name: &str) -> io::Result<()> {
    let component = component(name);
    if !component.starts_with('~') {
        return Ok(());
    }
    let path = folder.join(format!("{component}{NAME}"));
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => file.write_all(name.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The names of all entries that end with `suffix`; what is not of our making is passed over.
fn names(folder: &Path, suffix: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?.file_name();
        let Some(entry) = entry.to_str().filter(|entry| !entry.ends_with(NAME)) else {
            continue;
        };
        let Some(component) = entry.strip_suffix(suffix) else {
            continue;
        };
        let name = match component.strip_prefix('=') {
            Some(encoded) => percent_decode_str(encoded)
                .decode_utf8()
                .ok()
                .map(Into::into),
            None => fs::read_to_string(folder.join(format!("{component}{NAME}"))).ok(),
        };
        names.extend(name);
    }
    names.sort();
    Ok(names)
}
