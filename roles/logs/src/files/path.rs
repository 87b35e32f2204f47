//! From the names of groups and streams to those of folders and files, and back.
//!
//! ```text
//!   /aws/lambda/f   ─▶  =%2Faws%2Flambda%2Ff
//!   a long name     ─▶  ~<hex SHA-256>, with the name itself in ~<hex>.name next to it
//! ```
//!
//! What follows a stream's component is in [`super::segment`].
//!
//! Everything but letters, digits, `-` and `_` is percent-encoded, and `=` comes first, so that no name
//! is empty, `.`, `..` or has a slash.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use api::logs::StreamName;
use data_encoding::HEXLOWER;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use types::{AccountId, Region, Scope};

/// What is not encoded, in addition to letters and digits.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// Longer names are hashed: file systems accept 255 bytes, and a position and `.jsonl` follow.
const ENCODED_BYTES_MAX: usize = 230;
/// The suffix of a stream's file.
const STREAM: &str = ".jsonl";
/// The suffix of the file that holds a hashed name.
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

/// The file of a stream that begins at a position.
pub(super) fn segment_file(root: &Path, name: &StreamName, base: u64) -> PathBuf {
    let component = component(&name.stream);
    let file = match base {
        0 => format!("{component}{STREAM}"),
        base => format!("{component}.{base:016}{STREAM}"),
    };
    group_folder(root, &name.scope, &name.group).join(file)
}

/// The file that holds a stream's name, if its name is too long for a file's.
pub(super) fn name_file(root: &Path, name: &StreamName) -> Option<PathBuf> {
    let component = component(&name.stream);
    let folder = group_folder(root, &name.scope, &name.group);
    component
        .starts_with('~')
        .then(|| folder.join(format!("{component}{NAME}")))
}

/// Creates what a stream's file needs around it.
pub(super) fn prepare(root: &Path, name: &StreamName) -> io::Result<()> {
    let scope = scope_folder(root, &name.scope);
    let group = group_folder(root, &name.scope, &name.group);
    make_folder(&group)?;
    remember(&scope, &name.group)?;
    remember(&group, &name.stream)
}

/// The scopes that have a folder.
pub(super) fn scopes(root: &Path) -> io::Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    for account in entries(root)? {
        let Ok(account_id) = AccountId::new(&account) else {
            continue;
        };
        let regions = entries(&root.join(account))?;
        let regions = regions.iter().filter_map(|region| Region::new(region).ok());
        scopes.extend(regions.map(|region| Scope {
            account: account_id.clone(),
            region,
        }));
    }
    Ok(scopes)
}

/// The groups in a scope's folder.
pub(super) fn groups(folder: &Path) -> io::Result<Vec<String>> {
    let mut groups: Vec<String> = entries(folder)?
        .iter()
        .filter_map(|entry| decode(folder, entry))
        .collect();
    groups.sort();
    Ok(groups)
}

/// A file of a stream, as its name describes it.
pub(super) struct StreamFile {
    /// The file's name.
    pub(super) name: String,
    /// The stream.
    pub(super) stream: String,
    /// Where in the stream it begins.
    pub(super) base: u64,
}

/// The files of all streams in a group's folder.
pub(super) fn stream_files(folder: &Path) -> io::Result<Vec<StreamFile>> {
    let found = entries(folder)?.into_iter().filter_map(|name| {
        let stem = name.strip_suffix(STREAM)?;
        // No component has a dot.
        let (component, base) = match stem.split_once('.') {
            None => (stem, 0),
            Some((component, base)) => (component, base.parse().ok()?),
        };
        let stream = decode(folder, component)?;
        Some(StreamFile { name, stream, base })
    });
    Ok(found.collect())
}

/// Removes the name of a group whose folder was deleted.
pub(super) fn forget_group(root: &Path, scope: &Scope, group: &str) -> io::Result<()> {
    let component = component(group);
    if !component.starts_with('~') {
        return Ok(());
    }
    match fs::remove_file(scope_folder(root, scope).join(format!("{component}{NAME}"))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the names of streams in a group's folder whose files were deleted.
pub(super) fn forget_streams(group: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    let mut kept = BTreeSet::new();
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let Ok(file) = entry?.file_name().into_string() else {
            continue;
        };
        // Only these have names next to them.
        if !file.starts_with('~') {
            continue;
        }
        match (file.strip_suffix(NAME), file.split_once('.')) {
            (Some(component), _) => names.push(component.to_owned()),
            (None, Some((component, _))) => drop(kept.insert(component.to_owned())),
            (None, None) => {}
        }
    }
    for component in names.iter().filter(|name| !kept.contains(*name)) {
        match fs::remove_file(group.join(format!("{component}{NAME}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Creates a folder and those above it, accessible to us only.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn component(name: &str) -> String {
    let encoded = format!("={}", utf8_percent_encode(name, ENCODED));
    if encoded.len() <= ENCODED_BYTES_MAX {
        return encoded;
    }
    let hash = digest(&SHA256, name.as_bytes());
    format!("~{}", HEXLOWER.encode(hash.as_ref()))
}

/// Stores a name that its component does not contain.
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

/// What is in a folder, without files that hold names; nothing if there is none.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().into_string().ok();
        names.extend(name.filter(|name| !name.ends_with(NAME)));
    }
    Ok(names)
}

/// The name a component stands for; `None` if we did not create it.
fn decode(folder: &Path, component: &str) -> Option<String> {
    match component.strip_prefix('=') {
        Some(encoded) => {
            let name = percent_decode_str(encoded).decode_utf8();
            name.ok().map(Into::into)
        }
        None if component.starts_with('~') => {
            fs::read_to_string(folder.join(format!("{component}{NAME}"))).ok()
        }
        None => None,
    }
}
