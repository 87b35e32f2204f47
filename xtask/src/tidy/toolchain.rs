//! What Rust's own tools find.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::tidy::Lints;

const FORMAT: &[&str] = &["fmt", "--all", "--check"];
const CLIPPY: &[&str] = &[
    "clippy",
    "--workspace",
    "--all-targets",
    "--quiet",
    "--",
    "-D",
    "warnings",
];

/// Runs them; what they print goes through. The number of those that failed.
pub fn check(root: &Path, lints: Lints) -> Result<usize> {
    let runs: &[&[&str]] = match lints {
        Lints::Format => &[FORMAT],
        Lints::All => &[FORMAT, CLIPPY],
    };
    let mut failed = 0;
    for arguments in runs {
        println!("tidy: cargo {}", arguments.join(" "));
        let status = cargo(root).args(*arguments).status();
        if !status.context("start cargo")?.success() {
            failed += 1;
        }
    }
    Ok(failed)
}
