//! Removing the remains of a run that was killed before it could clean up.
//!
//! Its processes have died with it by then: spawners with their owner, inits with their spawner,
//! functions with their init. What remains are cgroup folders, which hold nothing, and the packet
//! filter's rules for interfaces that no longer exist. A process that still lives in one is killed
//! first.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cgroup::{candidates, write_value};
use crate::config::is_name;
use crate::error::Error;
use crate::nat;
use crate::sys::processes;

/// How long killed processes may take to leave their cgroup.
const EMPTY_WITHIN: Duration = Duration::from_secs(5);
/// How often this is checked.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How deep our folders are: parent, sandbox, function.
const DEPTH_MAX: u32 = 3;

/// What was found and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Processes that still lived.
    pub processes: usize,
    /// Cgroup folders.
    pub cgroups: usize,
}

/// Removes what an earlier run with this tag left. Only when no such run is alive: it would be killed.
/// Harmless twice.
pub fn sweep(tag: &str) -> Result<Swept, Error> {
    if !is_name(tag, 32) {
        return Err(Error::Invalid {
            field: "tag",
            rule: "1 to 32 of a-z, 0-9 and -",
        });
    }
    let mut swept = Swept::default();
    let folders = candidates(tag).map_err(Error::step("find an earlier run's cgroups"))?;
    for folder in folders {
        remove_tree(&folder, DEPTH_MAX, &mut swept)
            .map_err(Error::step("remove an earlier run's cgroups"))?;
    }
    nat::close(tag);
    Ok(swept)
}

fn remove_tree(folder: &Path, depth: u32, swept: &mut Swept) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && depth > 1 {
            remove_tree(&entry.path(), depth - 1, swept)?;
        }
    }
    let deadline = Instant::now() + EMPTY_WITHIN;
    loop {
        swept.processes += kill_members(folder)?;
        match fs::remove_dir(folder) {
            Ok(()) => break swept.cgroups += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error)
                if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline =>
            {
                std::thread::park_timeout(LOOK_EVERY);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Kills the processes of a group, and returns how many there were.
fn kill_members(folder: &Path) -> io::Result<usize> {
    let members = match fs::read_to_string(folder.join("cgroup.procs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        members => members?,
    };
    let members: Vec<i32> = members
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    if members.is_empty() {
        return Ok(0);
    }
    // All at once where the kernel can (the v2 tree), else one by one.
    if write_value(&folder.join("cgroup.kill"), "1").is_err() {
        // Number 0 is a process of another pid namespace, which is not ours.
        for pid in members.iter().filter(|pid| **pid > 0) {
            processes::signal(*pid, libc::SIGKILL)?;
        }
    }
    Ok(members.len())
}
