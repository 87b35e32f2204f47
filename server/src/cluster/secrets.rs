//! The master keys and the root access key: into a backup, and out of it into this host's folder.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use keyring::Keyring;
use types::Random;

use super::folder::{CREDENTIALS, SECRET};
use crate::data_dir::write_secret;
use crate::terminal::say;

/// Copies both.
pub(super) fn copy(from: &Path, to: &Path, random: &dyn Random) -> anyhow::Result<()> {
    let describe = |name: &str| {
        format!(
            "{} cannot be copied (--without-secrets makes a backup without it)",
            from.join(name).display()
        )
    };
    let taken = Keyring::take_in(&to.join(SECRET), &from.join(SECRET), random);
    taken.with_context(|| describe(SECRET))?;
    let text = fs::read_to_string(from.join(CREDENTIALS));
    let written = text.and_then(|text| write_secret(&to.join(CREDENTIALS), &text));
    written.with_context(|| describe(CREDENTIALS))
}

/// Adds the keys of a backup to those of this host, and tells what else has to be done.
pub(super) fn take_in(from: &Path, host: &Path, random: &dyn Random) -> anyhow::Result<()> {
    let (theirs, ours) = (from.join(SECRET), host.join(SECRET));
    if theirs.exists() {
        let taken = Keyring::take_in(&ours, &theirs, random);
        let taken =
            taken.with_context(|| format!("{} cannot take the backup's keys", ours.display()))?;
        if !taken.is_empty() {
            say!("Master keys added to {}: {}.", ours.display(), taken.len());
        }
        say!(
            "Hosts that join from now on are given them. A host that has joined before needs the same file: copy it there, mode 600, before its processes start."
        );
    } else {
        say!(
            "The backup has no master keys. Users' access keys work when the keys of the system that was backed up are in {} \
             on all hosts.",
            ours.display()
        );
    }
    let (theirs, ours) = (from.join(CREDENTIALS), host.join(CREDENTIALS));
    let Ok(text) = fs::read_to_string(&theirs) else {
        return Ok(());
    };
    match fs::read_to_string(&ours) {
        Ok(present) if present == text => {}
        Ok(_) => say!(
            "The cluster keeps its own root access key. To go on with the backup's, copy its file credentials to {} on all hosts.",
            ours.display()
        ),
        Err(_) => {
            let written = write_secret(&ours, &text);
            written.with_context(|| format!("{} cannot be written", ours.display()))?;
            say!(
                "The root access key is in {}; the other hosts need it, too.",
                ours.display()
            );
        }
    }
    Ok(())
}
