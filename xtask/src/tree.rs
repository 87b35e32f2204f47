//! The files of the working tree, as far as people wrote them.
//!
//! Walked without git, so that the rules hold in an unpacked archive too.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders nobody wrote by hand. Git's is a file where the tree is one of several of a repository.
const MADE: [&str; 7] = [
    ".git",
    "target",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
    "lambent-data",
    ".venv",
];

/// A text file.
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Every text file below `root`, in the order of their paths.
pub fn files(root: &Path) -> Result<Vec<File>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let made = MADE.iter().any(|made| entry.file_name() == *made);
            if kind.is_dir() && !made {
                folders.push(entry.path());
            } else if kind.is_file() && !made {
                found.extend(text_file(root, entry.path())?);
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Nothing for what is not UTF-8 text, or was removed while the tree was walked.
fn text_file(root: &Path, path: PathBuf) -> Result<Option<File>> {
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.with_context(|| format!("read {}", path.display()))?,
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(None);
    };
    let path = path.strip_prefix(root).context("a file below the root")?;
    let path = path.to_string_lossy().into_owned();
    Ok(Some(File { path, text }))
}
