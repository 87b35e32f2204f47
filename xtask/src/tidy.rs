//! Everything `tidy` checks, in one list of findings.

mod answers;
mod contracts;
mod layers;
mod pages;
mod paths;
mod phrases;
mod promises;
mod source;
mod toolchain;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use crate::tree;

/// One broken rule at one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Relative to the root.
    pub path: String,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// The rule.
    pub rule: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        let (path, rule) = (path.to_owned(), rule.into());
        Self { path, line, rule }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.rule),
            line => write!(f, "{}:{line}: {}", self.path, self.rule),
        }
    }
}

/// How much is left to the compiler's own tools.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lints {
    /// rustfmt.
    Format,
    /// rustfmt and clippy.
    All,
}

/// Prints what is wrong and says how much that is.
pub fn run(root: &Path, lints: Lints) -> Result<usize> {
    let files = tree::files(root)?;
    let mut findings = layers::check(&files);
    findings.extend(contracts::check(&files));
    for file in &files {
        if file.path.ends_with(".rs") {
            findings.extend(source::check(&file.path, &file.text));
            findings.extend(paths::check(&file.path, &file.text));
            findings.extend(answers::check(&file.path, &file.text));
        }
        findings.extend(words::check(&file.path, &file.text));
        findings.extend(phrases::check(&file.path, &file.text));
    }
    findings.extend(promises::check(&files));
    findings.extend(pages::check(&files));
    for finding in &findings {
        println!("{finding}");
    }
    let failed = findings.len() + toolchain::check(root, lints)?;
    match failed {
        0 => println!("tidy: {} files, nothing found", files.len()),
        count => println!("tidy: {} files, {count} findings", files.len()),
    }
    Ok(failed)
}
