//! `lambent secret`: the master key of a data folder takes another's place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use keyring::Keyring;
use types::SystemRandom;

use crate::access::DATA_DIR;
use crate::cli::{Retire, Secret, SecretAction};
use crate::terminal::say;

/// No session is longer (AWS: GetSessionToken's most).
const SESSION_MAX: Duration = Duration::from_secs(36 * 60 * 60);

/// Rotates, or retires.
pub(crate) fn secret(options: &Secret) -> anyhow::Result<ExitCode> {
    match &options.action {
        SecretAction::Rotate(folder) => rotate(&path(folder.data_dir.as_deref())),
        SecretAction::Retire(options) => retire(&path(options.folder.data_dir.as_deref()), options),
    }
}

fn path(given: Option<&Path>) -> PathBuf {
    let folder = given.map(Path::to_owned);
    let folder = folder.or_else(|| std::env::var_os("LAMBENT_DATA_DIR").map(PathBuf::from));
    folder.unwrap_or_else(|| DATA_DIR.into()).join("secret")
}

fn rotate(path: &Path) -> anyhow::Result<ExitCode> {
    let id = Keyring::rotate(path, &SystemRandom);
    let id = id.with_context(|| format!("{} cannot be changed", path.display()))?;
    say!("The newest master key is {id}. A running server takes it within 15 seconds.");
    say!("Sessions go on. When all have expired, in 36 hours, run: lambent secret retire");
    Ok(ExitCode::SUCCESS)
}

fn retire(path: &Path, options: &Retire) -> anyhow::Result<ExitCode> {
    let describe = || format!("{} cannot be changed", path.display());
    let changed = fs::metadata(path).and_then(|facts| facts.modified());
    // A clock that was set back makes it wait longer.
    let age = changed
        .with_context(describe)?
        .elapsed()
        .unwrap_or_default();
    if age < SESSION_MAX && !options.now {
        let hours = (SESSION_MAX - age).as_secs().div_ceil(3_600);
        bail!(
            "sessions that an old master key has sealed may be valid for another {hours} hours: wait, or end \
             them with --now"
        );
    }
    let old = Keyring::retire(path, &SystemRandom).with_context(describe)?;
    match old.len() {
        0 => say!("There is one master key: nothing is to be retired."),
        count => {
            say!("Master keys removed: {count}. A running server forgets them within 15 seconds.")
        }
    }
    Ok(ExitCode::SUCCESS)
}
