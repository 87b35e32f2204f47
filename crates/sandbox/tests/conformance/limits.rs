//! Processes, processor time and open files have limits.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandbox::{CpuWeight, Engine as _, Exit, Instance};

use crate::host::{Host, TestResult, expect, python, shell, start};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_fork_bomb_is_contained,
    processor_time_is_limited,
    a_share_of_the_processor_can_be_set_later,
    who_weighs_more_gets_more_of_the_processors,
    open_files_are_limited,
];

async fn a_fork_bomb_is_contained(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let bomb = "
import os, time
made = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
    except BlockingIOError:
        break
print(made, flush=True)
os.kill(0, 9)
";
    let ended = python(&sandbox, bomb).await?;
    // 64 processes in all, this one among them.
    expect(ended.output == "63\n", format!("{ended:?}"))?;
    let running = start(
        &sandbox,
        &["/bin/sh", "-c", "f() { f | f & }; f; sleep 1000"],
    )
    .await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    sandbox.kill_all().await?;
    drop(running.end().await?);
    expect(
        shell(&sandbox, "exit 6").await?.exit == Exit::Status(6),
        "works again",
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn processor_time_is_limited(host: &Host) -> TestResult {
    let mut spec = host.spec();
    spec.cpu_millis = 200;
    let sandbox = host.engine().create(spec).await?;
    let program = "
import os, time
end = time.monotonic() + 2
while time.monotonic() < end: pass
print(sum(os.times()[:2]))
";
    let ended = python(&sandbox, program).await?;
    let seconds: f64 = ended.output.trim().parse()?;
    expect(
        seconds < 1.0,
        format!("{seconds} s of processor in 2 s at 0.2 CPU"),
    )?;
    // The share can be changed later.
    sandbox.limit_cpu(50)?;
    let ended = python(&sandbox, program).await?;
    let seconds: f64 = ended.output.trim().parse()?;
    expect(
        seconds < 0.25,
        format!("{seconds} s of processor in 2 s at 0.05 CPU"),
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn a_share_of_the_processor_can_be_set_later(host: &Host) -> TestResult {
    let mut spec = host.spec();
    // More than any host has, so that there is no limit to begin with.
    spec.cpu_millis = 10_000_000;
    let sandbox = host.engine().create(spec).await?;
    sandbox.limit_cpu(500)?;
    let program = "
import os, time
end = time.monotonic() + 2
while time.monotonic() < end: pass
print(sum(os.times()[:2]))
";
    let ended = python(&sandbox, program).await?;
    let seconds: f64 = ended.output.trim().parse()?;
    // A tenth would be a share of another period. Other work on the host may take some, too.
    let good = (0.35..1.6).contains(&seconds);
    expect(good, format!("{seconds} s of processor in 2 s at 0.5 CPU"))?;
    sandbox.destroy().await;
    Ok(())
}

async fn who_weighs_more_gets_more_of_the_processors(host: &Host) -> TestResult {
    let spec = |weight| {
        let mut spec = host.spec();
        spec.cpu_millis = 10_000_000;
        spec.cpu_weight = weight;
        spec
    };
    let (least, most) = (CpuWeight::Share(100), CpuWeight::Share(2_000));
    let one = host.engine().create(spec(least)).await?;
    let other = host.engine().create(spec(most)).await?;
    compare(&one, &other, 2.0).await?;
    // It can be changed later, and what one takes that others leave is far less.
    one.weigh_cpu(most)?;
    other.weigh_cpu(least)?;
    compare(&other, &one, 2.0).await?;
    other.weigh_cpu(CpuWeight::Rest)?;
    compare(&other, &one, 8.0).await?;
    // One that had the rest can have a share again.
    other.weigh_cpu(most)?;
    one.weigh_cpu(least)?;
    compare(&one, &other, 2.0).await?;
    one.destroy().await;
    other.destroy().await;
    Ok(())
}

/// Has both compute until the same moment, on one processor, so that nothing but the weights decides.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandboxes' clock is the machine's"
)]
async fn compare(less: &Arc<dyn Instance>, more: &Arc<dyn Instance>, ratio: f64) -> TestResult {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let program = format!(
        "
import os, time
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
while time.time() < {}: pass
print(sum(os.times()[:2]))
",
        (now + Duration::from_secs(4)).as_secs_f64()
    );
    let counted = less.cpu_used().ok_or("it is not counted")?;
    let (few, many) = tokio::join!(python(less, &program), python(more, &program));
    let (few, many): (f64, f64) = (few?.output.trim().parse()?, many?.output.trim().parse()?);
    expect(many > ratio * few, format!("{many} s against {few} s"))?;
    let now = less.cpu_used().ok_or("it is not counted")?;
    let counted = (now - counted).as_secs_f64();
    let good = counted + 0.02 >= few;
    expect(good, format!("{few} s were used, {counted} s counted"))
}

async fn open_files_are_limited(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let program = "
import os, resource
made = 0
try:
    while True:
        os.dup(0)
        made += 1
except OSError as error:
    print(error.errno, made)
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
except (ValueError, OSError):
    print('refused')
";
    let ended = python(&sandbox, program).await?;
    // 128, less the three standard streams.
    expect(ended.output == "24 125\nrefused\n", &ended.output)?;
    sandbox.destroy().await;
    Ok(())
}
