//! A share of the processors that cannot be set: then there is no sandbox, rather than one without a limit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::{Engine as _, Error};

use crate::host::{Host, MB, TestResult, expect, python, start};
use crate::leftovers::cgroups_of;
use crate::spawners::told;
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    without_its_share_none_is_made,
    one_whose_share_cannot_be_restored_ends,
];

/// The file of a cgroup that has its share, in either kind of hierarchy.
fn shares(host: &Host) -> Vec<PathBuf> {
    let file = |folder: PathBuf| {
        let names = ["cpu.cfs_quota_us", "cpu.max"].into_iter();
        let mut files = names.map(|name| folder.join(name));
        files.find(|file| file.exists())
    };
    cgroups_of(&host.config.tag)
        .into_iter()
        .filter_map(file)
        .collect()
}

/// Files of the kernel's that cannot be written until this is dropped: another is in their place.
struct Covered(Vec<PathBuf>);

impl Covered {
    fn cover(files: Vec<PathBuf>) -> TestResult<Self> {
        let mut covered = Self(Vec::new());
        for file in files {
            let over = Path::new("/proc/version");
            let mount = Command::new("mount")
                .arg("--bind")
                .args([over, &file])
                .status()?;
            expect(mount.success(), format!("{} is covered", file.display()))?;
            covered.0.push(file);
        }
        Ok(covered)
    }
}

impl Drop for Covered {
    fn drop(&mut self) {
        for file in &self.0 {
            // With its folder the mount has gone as well.
            let mut umount = Command::new("umount");
            let _ = umount.arg(file).stderr(Stdio::null()).status();
        }
    }
}

async fn without_its_share_none_is_made(host: &Host) -> TestResult {
    let covered = Covered::cover(shares(host))?;
    expect(covered.0.len() >= host.config.pool, "some are pooled")?;
    let mut spec = host.spec();
    spec.cpu_millis = 500;
    let made = host.engine().create(spec).await;
    let at = |error: &Error| matches!(error, Error::Step { step, .. } if step == "set the limits");
    let refused = made.as_ref().is_err_and(at);
    drop(covered);
    expect(refused, format!("{:?}", made.map(|_| "it was made")))
}

async fn one_whose_share_cannot_be_restored_ends(host: &Host) -> TestResult {
    let before = shares(host);
    let mut spec = host.spec();
    spec.cpu_millis = 500;
    let sandbox = host.engine().create(spec).await?;
    // It is lifted for what is killed, so that it ends soon.
    let hog = format!("x = b'x' * {}", 256 * MB);
    let ended = python(&sandbox, &hog).await?;
    expect(ended.exit == sandbox::Exit::Signal(9), "killed")?;
    sandbox.kill_all().await?;
    // Pooled ones have none at all, so the file has no number.
    let quota = |file: &PathBuf| -> Option<u64> {
        let text = std::fs::read_to_string(file).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let lifted: Vec<PathBuf> = shares(host)
        .into_iter()
        .filter(|file| before.contains(file) && quota(file) > Some(10_000))
        .collect();
    expect(lifted.len() == 1, format!("one is lifted: {lifted:?}"))?;
    let covered = Covered::cover(lifted)?;
    let started = start(&sandbox, &["/bin/sleep", "1000"]).await;
    let at = "limit a sandbox's processor";
    let refused = matches!(&started, Err(Error::Step { step, .. }) if step == at);
    expect(refused, format!("{:?}", started.map(|_| "it was started")))?;
    told(sandbox.dead()).await?;
    sandbox.destroy().await;
    drop(covered);
    Ok(())
}
