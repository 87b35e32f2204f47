//! Descriptors that are lost in transit, as their receiver can have no more: each time somebody is
//! told, and nobody waits for what will not come.
//!
//! The limits are real ones, of this process or of the one that is to receive. Cases run one after the
//! other, so that nobody else notices.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use sandbox::{Engine as _, Error, Instance, Spec};
use tokio::task::JoinHandle;

use crate::host::{Host, TestResult, expect, shell, start, until};
use crate::leftovers::{cgroups_of, init_of, processes_of};
use crate::spawners::spawners;
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_ready_sandbox_whose_descriptor_is_lost_ends,
    a_sandbox_whose_handle_is_lost_ends_and_the_next_is_made,
    a_spawner_that_loses_descriptors_says_so_and_goes_on,
    an_init_that_loses_its_folders_or_an_output_says_so,
];

/// Much less than any wait for an answer: a notified caller does not wait for its end.
const TOLD_WITHIN: Duration = Duration::from_secs(8);
/// A pool that has given none for this long is empty.
const EMPTY_AFTER: Duration = Duration::from_secs(1);
/// How often something is tried whose place in time cannot be seen from outside.
const TRIES: usize = 5;
/// Sandboxes that are made to see that they can be.
const MANY: usize = 20;

/// Sets how many descriptors a process may have from now on; `None` is as many as before.
fn allow(pid: Option<i32>, most: Option<u64>) -> TestResult {
    let pid = pid.map(|pid| Pid::from_raw(pid).ok_or("no process"));
    let before = rustix::process::getrlimit(Resource::Nofile);
    let current = most.or(before.maximum);
    prlimit(
        pid.transpose()?,
        Resource::Nofile,
        Rlimit { current, ..before },
    )?;
    Ok(())
}

/// Limits another process, which is stopped, to the descriptors that it has.
fn allow_no_more(pid: i32) -> TestResult {
    let is_free = |fd: &u64| fs::symlink_metadata(format!("/proc/{pid}/fd/{fd}")).is_err();
    allow(Some(pid), (0..).find(is_free))
}

/// No more descriptors for this process, until it is dropped.
struct NoMore;

impl NoMore {
    fn begin() -> TestResult<Self> {
        // Its standard streams are always there.
        allow(None, Some(3))?;
        Ok(Self)
    }
}

impl Drop for NoMore {
    fn drop(&mut self) {
        allow(None, None).expect("a limit can be lifted up to the hard one");
    }
}

/// Processes that are stopped until this is dropped.
struct Still(Vec<Pid>);

impl Still {
    fn stop(pids: impl IntoIterator<Item = i32>) -> TestResult<Self> {
        let pids: Vec<Pid> = pids.into_iter().filter_map(Pid::from_raw).collect();
        let still = Self(pids);
        for pid in &still.0 {
            kill_process(*pid, Signal::STOP)?;
        }
        Ok(still)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        for pid in &self.0 {
            // It may have been killed.
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

/// Makes a sandbox. What a pool lost in a test before this one may be told only now.
async fn one(host: &Host, spec: impl Fn() -> Spec) -> TestResult<Arc<dyn Instance>> {
    for _ in 0..MANY {
        match host.engine().create(spec()).await {
            Err(Error::Step { source, .. }) if source.raw_os_error() == Some(libc::EMFILE) => {}
            made => return Ok(made?),
        }
    }
    Err("descriptors are still lost".into())
}

/// The pooled inits, where no sandbox has been made: as many as the pools hold.
async fn standing_ready(host: &Host) -> TestResult<Vec<i32>> {
    // Those of a spawner that was killed since still fill their places, until somebody asks for them.
    for root in &host.config.roots {
        for _ in 0..=host.config.pool {
            let spec = || Spec {
                root: root.name.clone(),
                runtime: None,
                ..host.spec()
            };
            one(host, spec).await?.destroy().await;
        }
    }
    let many = host.config.pool * host.config.roots.len();
    until("the pools are full", || inits().len() >= many).await?;
    Ok(inits())
}

/// What the spawners have forked.
fn inits() -> Vec<i32> {
    let spawners = spawners();
    let forked = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let parent = line("PPid:").and_then(|parent| parent.trim().parse().ok());
        parent.is_some_and(|parent: i32| spawners.contains(&parent))
            && !status.contains("\nState:\tZ")
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(forked)
        .collect()
}

/// Makes a sandbox on a task of its own.
fn making(host: &Host) -> JoinHandle<Result<Arc<dyn Instance>, Error>> {
    let (engine, spec) = (Arc::clone(host.engine()), host.spec());
    tokio::spawn(async move { engine.create(spec).await })
}

/// What came of it, which must be soon.
async fn made(
    making: JoinHandle<Result<Arc<dyn Instance>, Error>>,
) -> TestResult<Result<Arc<dyn Instance>, Error>> {
    let made = tokio::time::timeout(TOLD_WITHIN, making).await;
    Ok(made.map_err(|_| "the caller that creates a sandbox is not notified in time")??)
}

/// Whether descriptors were lost at this step.
fn is_lost_at(error: &Error, at: &str) -> bool {
    let lost = |source: &io::Error| source.raw_os_error() == Some(libc::EMFILE);
    matches!(error, Error::Step { step, source } if step == at && lost(source))
}

/// Whatever failed meanwhile, sandboxes can be made again, and nothing is left.
async fn all_is_well(host: &Host) -> TestResult {
    let mut well = 0;
    for _ in 0..MANY {
        // What the pool could not make meanwhile is told once.
        let Ok(sandbox) = host.sandbox().await else {
            continue;
        };
        let ended = shell(&sandbox, "exit 3").await?;
        expect(ended.exit == sandbox::Exit::Status(3), "it works")?;
        sandbox.destroy().await;
        well += 1;
    }
    expect(well > host.config.pool, format!("{well} could be made"))?;
    let none = || processes_of(host.config.first_uid).is_empty();
    until("none but the pooled ones", none).await
}

/// The cgroups in which there is a limit: those of sandboxes that have been taken from the pool.
fn taken(host: &Host) -> usize {
    let limit = |folder: &std::path::PathBuf| {
        fs::read_to_string(folder.join("pids.max")).is_ok_and(|text| text.trim() == "64")
    };
    let of = cgroups_of(&host.config.tag);
    of.iter().filter(|folder| limit(folder)).count()
}

async fn a_ready_sandbox_whose_descriptor_is_lost_ends(host: &Host) -> TestResult {
    let still = Still::stop(standing_ready(host).await?)?;
    let making = making(host);
    // It has its limits, and is told at that moment what it is to be.
    until("one is taken", || taken(host) > 0).await?;
    let none = NoMore::begin()?;
    drop(still);
    // Its init says that it is ready, and sends its /tmp along.
    let made = made(making).await;
    drop(none);
    let Err(error) = made? else {
        return Err("it was made without its /tmp".into());
    };
    let lost = is_lost_at(&error, "hear a sandbox's init");
    expect(lost, format!("it says what was lost: {error:?}"))?;
    until("its cgroups are gone", || taken(host) == 0).await?;
    all_is_well(host).await
}

async fn a_sandbox_whose_handle_is_lost_ends_and_the_next_is_made(host: &Host) -> TestResult {
    for _ in 0..TRIES {
        standing_ready(host).await?;
        let still = Still::stop(spawners())?;
        let mut ready = Vec::new();
        // Until there is none left, and one waits for what a spawner is asked for.
        let waiting = loop {
            let mut making = making(host);
            match tokio::time::timeout(EMPTY_AFTER, &mut making).await {
                Ok(made) => ready.push(made??),
                Err(_) => break making,
            }
        };
        let none = NoMore::begin()?;
        drop(still);
        let made = made(waiting).await;
        drop(none);
        for sandbox in ready {
            sandbox.destroy().await;
        }
        match made? {
            Err(error) if is_lost_at(&error, "take a sandbox's handle") => {
                return all_is_well(host).await;
            }
            // It was not as far as that on a busy machine.
            Err(_) => {}
            Ok(_) => return Err("it was made without its handle".into()),
        }
        all_is_well(host).await?;
    }
    Err("no handle was ever lost".into())
}

async fn a_spawner_that_loses_descriptors_says_so_and_goes_on(host: &Host) -> TestResult {
    let before = spawners();
    for spawner in &before {
        allow_no_more(*spawner)?;
    }
    let mut told = 0;
    // The pooled ones are good.
    for _ in 0..2 * host.config.pool + 2 {
        match made(making(host)).await? {
            Ok(sandbox) => sandbox.destroy().await,
            Err(error) => {
                let lost = is_lost_at(&error, "take a sandbox's descriptors");
                expect(lost, format!("it says what was lost: {error:?}"))?;
                told += 1;
            }
        }
    }
    for spawner in &before {
        allow(Some(*spawner), None)?;
    }
    expect(told > 0, "somebody was told")?;
    expect(spawners() == before, "they live on")?;
    all_is_well(host).await
}

async fn an_init_that_loses_its_folders_or_an_output_says_so(host: &Host) -> TestResult {
    let sandbox = one(host, || host.spec()).await?;
    let sleeping = start(&sandbox, &["/bin/sleep", "8765"]).await?;
    let init = init_of(host.config.first_uid, "8765").ok_or("no such process")?;
    // Once it has received this it has finished what came before.
    let nobody = sandbox.signal(1, sandbox::Signal::Kill).await;
    let none = matches!(nobody, Err(Error::NoSuchProcess));
    expect(none, "there is no such process")?;
    allow_no_more(init)?;
    let second = tokio::time::timeout(TOLD_WITHIN, start(&sandbox, &["/bin/true"])).await?;
    let Err(error) = second else {
        return Err("it was started without an output".into());
    };
    let lost = is_lost_at(&error, "take a process's output");
    expect(lost, format!("it says what was lost: {error:?}"))?;
    allow(Some(init), None)?;
    let third = shell(&sandbox, "exit 3").await?;
    expect(third.exit == sandbox::Exit::Status(3), "it works again")?;
    sandbox.destroy().await;
    sleeping.end().await?;

    for init in standing_ready(host).await? {
        allow_no_more(init)?;
    }
    let Err(error) = made(making(host)).await? else {
        return Err("it was made without its folders".into());
    };
    let lost = is_lost_at(&error, "take a sandbox's folders");
    expect(lost, format!("it says what was lost: {error:?}"))?;
    all_is_well(host).await
}
