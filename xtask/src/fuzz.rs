//! `cargo xtask fuzz`: every fuzz target of the workspace, for a given time each.
//!
//! A target is a test whose name begins with `fuzz_`; see the crate `fuzzing`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Runs all targets, two at a time, and prints what each did. The number of crates that failed.
///
/// # Errors
///
/// If cargo cannot be started.
pub fn run(root: &Path, seconds: u64) -> Result<usize> {
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["test", "--workspace", "--no-fail-fast", "--quiet", "fuzz_"])
        .args(["--", "--nocapture", "--test-threads=2"])
        .env("LAMBENT_FUZZ_SECONDS", seconds.to_string())
        .status()
        .context("cargo cannot be started")?;
    Ok(usize::from(!status.success()))
}
