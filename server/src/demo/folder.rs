//! The folder of a demo, and what it could leave on the machine.
//!
//! It is in the folder for temporary files, is named after its process, and is locked while that lives. What is not
//! locked was left by one that was killed.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::data_dir::DataDir;

const PREFIX: &str = "lambent-demo-";
const LOCK: &str = "lock";
/// Where each process's own folder is.
pub(super) const HOSTS: &str = "hosts";
/// A process's data folder, below its own.
pub(super) const DATA: &str = "data";
/// Killed processes let go of what they hold within this time.
const LET_GO_WITHIN: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// A new one.
    pub(super) fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        let describe = || format!("{} cannot be made", path.display());
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(describe)?;
        let lock = File::create(path.join(LOCK)).with_context(describe)?;
        lock.try_lock().with_context(describe)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, and the cgroups of servers that were killed. All its processes have ended.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        remove(&self.path)
    }
}

/// Removes what demos left that were killed.
pub(super) fn sweep() -> anyhow::Result<()> {
    for entry in fs::read_dir(std::env::temp_dir())? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        // Other users make folders there, too.
        let facts = fs::symlink_metadata(entry.path())?;
        if facts.is_dir() && facts.uid() == 0 && !is_alive(&entry.path(), owner) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// One that is not locked yet is being made, or its maker was killed at that moment.
fn is_alive(folder: &Path, owner: &str) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_err(),
        Err(_) => Path::new("/proc").join(owner).exists(),
    }
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    let hosts = fs::read_dir(folder.join(HOSTS)).into_iter().flatten();
    for host in hosts.flatten() {
        let data = host.path().join(DATA);
        if data.exists() {
            sandbox::sweep(&let_go(&data)?.tag()).context("cgroups cannot be removed")?;
        }
    }
    fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))
}

/// A data folder, when the process that had it is gone.
fn let_go(data: &Path) -> anyhow::Result<DataDir> {
    let deadline = Instant::now() + LET_GO_WITHIN;
    loop {
        match DataDir::open(data) {
            Err(_) if Instant::now() < deadline => std::thread::park_timeout(AGAIN),
            opened => return opened,
        }
    }
}
