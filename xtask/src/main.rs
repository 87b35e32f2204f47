//! The one developer tool: `cargo xtask tidy` says where the tree breaks its own rules.
//!
//! What a compiler or linter checks is left to them; `tidy` runs them too, so that one command
//! tells whether a change may be handed in. Rules about words and folders are here because no
//! other tool knows them.

mod cargo;
mod fuzz;
mod tidy;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: cargo xtask tidy [--fast]
       cargo xtask fuzz [SECONDS]

  tidy    layering, file headers and sizes, words, what pages promise, rustfmt, clippy
          --fast leaves clippy out
  fuzz    every fuzz target for SECONDS each (default 60), all at once";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The number of findings.
fn run(arguments: &[&str]) -> Result<usize> {
    match arguments {
        ["tidy"] => tidy::run(&root()?, tidy::Lints::All),
        ["tidy", "--fast"] => tidy::run(&root()?, tidy::Lints::Format),
        ["fuzz"] => fuzz::run(&root()?, 60),
        ["fuzz", seconds] => fuzz::run(&root()?, seconds.parse()?),
        _ => bail!("{USAGE}"),
    }
}

/// The workspace's root, which is where this crate's folder is. Cargo names that folder to what it runs: where
/// the program was compiled may be another checkout that shares the target folder, or gone.
fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    let here = PathBuf::from(here);
    let root = here.parent().context("this crate is in no folder")?;
    Ok(root.to_owned())
}
