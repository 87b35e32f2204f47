//! What the death of a spawner means: its sandboxes end with it, and new ones are made.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sandbox::{Engine as _, Error, Exit};

use crate::host::{Host, TestResult, expect, shell, signal, start, until};
use crate::leftovers::{cgroups_of, processes_of, start_owner};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    the_sandboxes_of_a_killed_spawner_end_and_others_are_made,
    whoever_makes_sandboxes_while_spawners_die_gets_them,
    a_killed_spawner_leaves_nothing,
];

/// The living spawners of this process.
pub(crate) fn spawners() -> Vec<i32> {
    let parent = format!("\nPPid:\t{}\n", std::process::id());
    let is_ours = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.starts_with("Name:\tlambent-spawner\n")
            && status.contains(&parent)
            && !status.contains("\nState:\tZ")
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_ours)
        .collect()
}

/// Kills them all, as the kernel does when memory is short, and says how many that were.
pub(crate) fn kill_spawners() -> TestResult<usize> {
    let found = spawners();
    for pid in &found {
        signal(*pid, Signal::KILL)?;
    }
    Ok(found.len())
}

/// Waits until something is so that is told by a watch.
pub(crate) async fn told(mut flag: tokio::sync::watch::Receiver<bool>) -> TestResult {
    let waited = tokio::time::timeout(Duration::from_secs(10), flag.wait_for(|told| *told)).await;
    waited.map_err(|_| "it was never told")??;
    Ok(())
}

async fn the_sandboxes_of_a_killed_spawner_end_and_others_are_made(host: &Host) -> TestResult {
    let (running, frozen) = (host.sandbox().await?, host.sandbox().await?);
    let sleeping = start(&running, &["/bin/sleep", "1000"]).await?;
    let standing = start(&frozen, &["/bin/sleep", "1000"]).await?;
    frozen.freeze()?;
    let before = spawners();
    expect(kill_spawners()? > 0, "there were spawners")?;
    for sandbox in [&running, &frozen] {
        told(sandbox.dead()).await?;
        let refused = start(sandbox, &["/bin/true"]).await;
        expect(matches!(refused, Err(Error::Gone)), "nothing to start in")?;
    }
    for started in [sleeping, standing] {
        expect(started.end().await?.exit == Exit::Signal(9), "killed")?;
    }
    // The pooled ones have died too, and are not given to anybody.
    let mut made = Vec::new();
    for _ in 0..2 * host.config.pool {
        let sandbox = host.sandbox().await?;
        expect(
            shell(&sandbox, "exit 3").await?.exit == Exit::Status(3),
            "it works",
        )?;
        made.push(sandbox);
    }
    for sandbox in made.iter().chain([&running, &frozen]) {
        sandbox.destroy().await;
    }
    expect(
        processes_of(host.config.first_uid).is_empty(),
        "processes remain",
    )?;
    until("as many spawners as before", || {
        let after = spawners();
        after.len() == before.len() && after.iter().all(|pid| !before.contains(pid))
    })
    .await
}

async fn whoever_makes_sandboxes_while_spawners_die_gets_them(host: &Host) -> TestResult {
    let engine = Arc::clone(host.engine());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4_u32 {
        let engine = Arc::clone(&engine);
        let specs: Vec<_> = (0..12).map(|_| host.spec()).collect();
        tasks.spawn(async move {
            for spec in specs {
                let sandbox = engine.create(spec).await;
                let sandbox = sandbox.map_err(|error| error.to_string())?;
                match shell(&sandbox, "exit 5").await {
                    Ok(ended) if ended.exit == Exit::Status(5) => {}
                    // Its spawner died meanwhile.
                    Ok(_) | Err(_) if *sandbox.dead().borrow() => {}
                    other => return Err(format!("{other:?}")),
                }
                sandbox.destroy().await;
            }
            Ok(())
        });
    }
    for _ in 0..3 {
        until("there are spawners", || !spawners().is_empty()).await?;
        kill_spawners()?;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    expect(
        processes_of(host.config.first_uid).is_empty(),
        "processes remain",
    )
}

async fn a_killed_spawner_leaves_nothing(_: &Host) -> TestResult {
    let tag = format!("bereft-{}", std::process::id());
    let (mut owner, first_uid) = start_owner(&tag, "bereft")?;
    expect(owner.wait()?.success(), "the owner succeeded")?;
    expect(processes_of(first_uid).is_empty(), "processes")?;
    expect(
        cgroups_of(&tag).is_empty(),
        format!("{:?}", cgroups_of(&tag)),
    )
}
