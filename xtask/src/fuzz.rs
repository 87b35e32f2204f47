//! `cargo xtask fuzz`: every fuzz target of the workspace, all at once, each for a given time.
//!
//! A target is a test whose name begins with `fuzz_`; see the crate `fuzzing`. All run at the lowest priority: a long run leaves the machine to its user.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cargo::cargo;

use anyhow::{Context, Result, ensure};

/// A program of tests, and the folder of its crate, where it expects to run.
struct Tests {
    program: PathBuf,
    folder: PathBuf,
}

/// Runs all targets, and prints what each did. The number of programs in which a target failed.
///
/// # Errors
///
/// If the tests do not compile, or one of their programs cannot be started.
pub fn run(root: &Path, seconds: u64) -> Result<usize> {
    let programs = programs(root)?;
    let running: Vec<(PathBuf, Child)> = programs
        .into_iter()
        .filter(has_targets)
        .map(|tests| Ok((tests.program.clone(), start(&tests, seconds)?)))
        .collect::<Result<_>>()?;
    println!("fuzz: {} programs, {seconds} s each", running.len());
    let mut failed = 0;
    for (program, child) in running {
        let output = child.wait_with_output().context("wait for fuzz targets")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            for line in text.lines().filter(|line| line.contains("fuzz ")) {
                println!("{}", &line[line.find("fuzz ").unwrap_or(0)..]);
            }
        } else {
            failed += 1;
            println!("{text}");
            eprintln!("fuzz: {} failed", program.display());
        }
    }
    Ok(failed)
}

/// Compiles every test of the workspace.
fn programs(root: &Path) -> Result<Vec<Tests>> {
    let output = cargo(root)
        .args(["test", "--workspace", "--no-run", "--quiet"])
        .arg("--message-format=json")
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "the tests do not compile");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    Ok(messages
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| {
            let manifest = Path::new(message["manifest_path"].as_str()?);
            if own_harness(manifest, message["target"]["name"].as_str()?) {
                return None;
            }
            Some(Tests {
                program: message["executable"].as_str()?.into(),
                folder: manifest.parent()?.to_owned(),
            })
        })
        .collect())
}

/// Whether a program's `main` is its own: it knows no `--list`.
fn own_harness(manifest: &Path, name: &str) -> bool {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    text.split("[[").any(|section| {
        section.contains(&format!("name = \"{name}\"")) && section.contains("harness = false")
    })
}

/// Whether it has a target.
fn has_targets(tests: &Tests) -> bool {
    let output = Command::new(&tests.program)
        .current_dir(&tests.folder)
        .args(["--list", "fuzz_"])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("fuzz_"))
}

/// In a network of its own, where that may be: targets open connections by the thousand, and each is kept
/// in the machine's tables for minutes after its end.
const APART: &str = "unshare --net true 2>/dev/null || exec \"$0\" \"$@\"
exec unshare --net sh -c 'ip link set lo up && exec \"$0\" \"$@\"' \"$0\" \"$@\"";

fn start(tests: &Tests, seconds: u64) -> Result<Child> {
    Command::new("nice")
        .args(["-n", "19", "sh", "-c", APART])
        .arg(&tests.program)
        .args(["fuzz_", "--nocapture", "--test-threads=64"])
        .current_dir(&tests.folder)
        .env("LAMBENT_FUZZ_SECONDS", seconds.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("start {}", tests.program.display()))
}
