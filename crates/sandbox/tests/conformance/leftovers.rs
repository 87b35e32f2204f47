//! That nothing remains of a sandbox, whichever way it or its owner ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use sandbox::{Engine as _, Error, Exit, ProcessEngine, Signal, sweep};

use crate::egress;
use crate::host::{Host, TestResult, expect, process, shell, signal, start, until};
use crate::spawners;
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    nothing_is_left_of_a_destroyed_sandbox,
    a_dropped_sandbox_is_destroyed,
    giving_up_on_a_creation_leaves_nothing,
    the_end_of_init_is_told,
    many_come_and_go_at_once,
    a_shut_down_engine_leaves_nothing_and_makes_nothing,
    nothing_survives_the_owners_sudden_death,
];

/// The argument that makes this program an owner to be killed.
pub(crate) const OWNER: &str = "--owner";

/// The living processes of the users from `first_uid` on. Not counted are the dead that the
/// kernel has not taken off its list yet, and the pooled ones.
pub(crate) fn processes_of(first_uid: u32) -> Vec<i32> {
    let users = first_uid..first_uid + 65_536;
    let uid_of = |pid: i32| -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        let not_counted = ["\nState:\tZ", "\nState:\tX", "Name:\tlambent-standby\n"];
        if not_counted.iter().any(|line| status.contains(line)) {
            return None;
        }
        line.split_whitespace().next()?.parse().ok()
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| uid_of(*pid).is_some_and(|uid| users.contains(&uid)))
        .collect()
}

/// The init above the process of the users from `first_uid` on whose command line has this.
pub(crate) fn init_of(first_uid: u32, marker: &str) -> Option<i32> {
    processes_of(first_uid).into_iter().find_map(|pid| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        command
            .contains(marker)
            .then(|| parent.trim().parse().ok())?
    })
}

/// All cgroup folders of a tag.
pub(crate) fn cgroups_of(tag: &str) -> Vec<PathBuf> {
    fn below(folder: PathBuf, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                below(entry.path(), found);
            }
        }
        found.push(folder);
    }
    let (mut found, mut tops) = (Vec::new(), Vec::new());
    for hierarchy in fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten()
    {
        tops.extend(
            fs::read_dir(hierarchy.path())
                .into_iter()
                .flatten()
                .flatten(),
        );
        tops.push(hierarchy);
    }
    let (parent, begin) = (format!("lambent-{tag}"), format!("lambent-{tag}."));
    for top in tops {
        let name = top.file_name().into_string().unwrap_or_default();
        if top.path().is_dir() && (name == parent || name.starts_with(&begin)) {
            below(top.path(), &mut found);
        }
    }
    found
}

fn mounts() -> TestResult<String> {
    Ok(fs::read_to_string("/proc/self/mountinfo")?)
}

async fn nothing_is_left_of_a_destroyed_sandbox(host: &Host) -> TestResult {
    let quiet = || processes_of(host.config.first_uid).is_empty();
    until("no sandbox of another case", quiet).await?;
    let before = mounts()?;
    let sandbox = host.sandbox().await?;
    let orphans = "for i in 1 2 3; do (setsid sleep 1000 &) ; done; echo x > /tmp/x; sleep 1000";
    let running = start(&sandbox, &["/bin/sh", "-c", orphans]).await?;
    until("its processes are there", || {
        processes_of(host.config.first_uid).len() >= 5
    })
    .await?;
    sandbox.destroy().await;
    expect(quiet(), "processes")?;
    expect(mounts()? == before, "mounts")?;
    expect(running.end().await?.exit == Exit::Signal(9), "killed")?;
    expect(*sandbox.dead().borrow(), "it is told to be dead")?;
    // Every call on it says so, and none hangs.
    sandbox.destroy().await;
    expect(sandbox.kill_all().await.is_err(), "nothing to kill")?;
    let refused = start(&sandbox, &["/bin/true"]).await;
    expect(matches!(refused, Err(Error::Gone)), "nothing to start in")?;
    let refused = sandbox.signal(2, Signal::Kill).await;
    expect(matches!(refused, Err(Error::Gone)), "nothing to signal")?;
    Ok(())
}

async fn a_dropped_sandbox_is_destroyed(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    shell(&sandbox, "true").await?;
    drop(sandbox);
    until("it is gone", || {
        processes_of(host.config.first_uid).is_empty()
    })
    .await
}

async fn giving_up_on_a_creation_leaves_nothing(host: &Host) -> TestResult {
    for micros in [0, 50, 100, 200, 400, 800, 1_600, 3_200] {
        let wait = std::time::Duration::from_micros(micros);
        // Either it was made in time and is dropped, or nobody waits for it.
        let _ = tokio::time::timeout(wait, host.sandbox()).await;
    }
    until("all are gone", || {
        processes_of(host.config.first_uid).is_empty()
    })
    .await
}

async fn the_end_of_init_is_told(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let mut dead = sandbox.dead();
    let running = start(&sandbox, &["/bin/sleep", "4321"]).await?;
    let init = init_of(host.config.first_uid, "4321").ok_or("no such process")?;
    signal(init, rustix::process::Signal::KILL)?;
    tokio::time::timeout(
        std::time::Duration::from_secs(10),
        dead.wait_for(|dead| *dead),
    )
    .await??;
    expect(
        running.end().await?.exit == Exit::Signal(9),
        "killed with it",
    )?;
    let refused = start(&sandbox, &["/bin/true"]).await;
    expect(matches!(refused, Err(Error::Gone)), "nothing to start in")?;
    sandbox.destroy().await;
    Ok(())
}

async fn many_come_and_go_at_once(host: &Host) -> TestResult {
    let engine = Arc::clone(host.engine());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_u32 {
        let engine = Arc::clone(&engine);
        let specs: Vec<_> = (0..10).map(|_| host.spec()).collect();
        tasks.spawn(async move {
            for spec in specs {
                let sandbox = engine
                    .create(spec)
                    .await
                    .map_err(|error| error.to_string())?;
                let code = format!("exit {task}");
                let ended = shell(&sandbox, &code)
                    .await
                    .map_err(|error| error.to_string())?;
                if ended.exit != Exit::Status(task as i32) {
                    return Err(format!("{ended:?}"));
                }
                sandbox.destroy().await;
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    expect(processes_of(host.config.first_uid).is_empty(), "processes")
}

/// Starts this program (which may have been rebuilt meanwhile) as an owner in a process of its own; returns once its sandboxes are up.
pub(crate) fn start_owner(tag: &str, how: &str) -> TestResult<(std::process::Child, u32)> {
    // With fewer open files than three sandboxes and a pool need, unless the owner asks for more.
    let few_files = "ulimit -Sn 64; exec \"$@\"";
    let myself = format!("/proc/{}/exe", std::process::id());
    let mut owner = Command::new("/bin/sh")
        .args(["-c", few_files, "sh", &myself, OWNER, tag, how])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(owner.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let first_uid = line
        .trim()
        .parse()
        .map_err(|_| format!("the owner said {line:?}"))?;
    Ok((owner, first_uid))
}

/// The owner's part: makes sandboxes with something running in each, then does as told.
pub(crate) fn be_owner(tag: &str, how: &str) -> TestResult {
    let folder = tempfile::Builder::new().prefix("sandbox-test-").tempdir()?;
    fs::create_dir_all(folder.path().join("images/task"))?;
    fs::create_dir_all(folder.path().join("runtimes"))?;
    fs::create_dir_all(folder.path().join("root"))?;
    let mut config = Host::config_in(folder.path().into(), tag);
    if how == "out" {
        config.network = egress::nat(true, Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let engine = ProcessEngine::start(config.clone()).await?;
        let mut sandboxes = Vec::new();
        for number in 0..3 {
            let spec = Host::spec_in(&config, &format!("owned-{number}"));
            let sandbox = engine.create(spec).await?;
            let (_, writer) = std::io::pipe()?;
            let busy = process(&["/bin/sh", "-c", "while :; do :; done"], "/", writer);
            sandbox.start(busy).await?;
            sandboxes.push(sandbox);
        }
        if how == "frozen" {
            sandboxes.iter().try_for_each(|sandbox| sandbox.freeze())?;
        }
        if how == "bereft" {
            spawners::kill_spawners()?;
            for sandbox in &sandboxes {
                spawners::told(sandbox.dead()).await?;
            }
            // Before anything is created again: what waits in the pool has died too.
        }
        // A killed process cleans nothing up: the folder goes now, its mounts keep what they need.
        folder.close()?;
        println!("{}", config.first_uid);
        if how == "orderly" || how == "bereft" {
            engine.shutdown().await;
            let spec = Host::spec_in(&config, "late");
            expect(
                engine.create(spec).await.is_err(),
                "a shut down engine makes nothing",
            )?;
            engine.shutdown().await;
            return Ok(());
        }
        // Until killed.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        Ok(())
    })
}

async fn a_shut_down_engine_leaves_nothing_and_makes_nothing(_: &Host) -> TestResult {
    let tag = format!("orderly-{}", std::process::id());
    let (mut owner, first_uid) = start_owner(&tag, "orderly")?;
    expect(owner.wait()?.success(), "the owner succeeded")?;
    expect(processes_of(first_uid).is_empty(), "processes")?;
    expect(
        cgroups_of(&tag).is_empty(),
        format!("{:?}", cgroups_of(&tag)),
    )
}

async fn nothing_survives_the_owners_sudden_death(_: &Host) -> TestResult {
    for how in ["running", "frozen"] {
        let tag = format!("killed-{}", std::process::id());
        let (mut owner, first_uid) = start_owner(&tag, how)?;
        expect(processes_of(first_uid).len() >= 6, "inits and functions")?;
        owner.kill()?;
        owner.wait()?;
        until("its processes are gone", || {
            processes_of(first_uid).is_empty()
        })
        .await?;
        // Those too that waited in the pool, as the host's own user still.
        let empty = |folder: &PathBuf| {
            let members = fs::read_to_string(folder.join("cgroup.procs"));
            members.is_ok_and(|members| members.is_empty())
        };
        until("its cgroups are empty", || {
            cgroups_of(&tag).iter().all(empty)
        })
        .await?;
        expect(
            !cgroups_of(&tag).is_empty(),
            "folders remain, as the header says",
        )?;
        let swept = sweep(&tag)?;
        expect(
            swept.cgroups > 3 && swept.processes == 0,
            format!("{swept:?}"),
        )?;
        expect(
            cgroups_of(&tag).is_empty(),
            format!("{:?}", cgroups_of(&tag)),
        )?;
        let again = sweep(&tag)?;
        expect(again == sandbox::Swept::default(), format!("{again:?}"))?;
    }
    Ok(())
}
