//! What a sandbox may use, and that it can be stopped.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use sandbox::{CpuWeight, Engine as _, Exit, Instance};

use crate::host::{Host, MB, TestResult, expect, process, python, shell, start, until};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_frozen_sandbox_stands_still,
    killing_all_keeps_tmp,
    killing_all_frees_shared_memory,
    a_program_starts_after_all_were_killed,
    killing_all_reaches_the_frozen,
    out_of_memory_kills_every_process,
    what_the_kernel_kills_counts_as_out_of_memory,
    tmp_may_be_larger_than_memory,
    memory_is_watched_with_tmp_full,
    memory_is_watched_after_tmp_was_emptied,
    cached_files_are_not_counted,
    the_peak_of_memory_is_told,
    a_fork_bomb_is_contained,
    processor_time_is_limited,
    a_share_of_the_processor_can_be_set_later,
    who_weighs_more_gets_more_of_the_processors,
    open_files_are_limited,
];

async fn a_frozen_sandbox_stands_still(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let (mut reader, writer) = std::io::pipe()?;
    let argv = ["/bin/sh", "-c", "while :; do echo; done"];
    let started = sandbox.start(process(&argv, "/", writer)).await?;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let reading = tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            counter.fetch_add(length, Ordering::Relaxed);
        }
    });
    let now = || count.load(Ordering::Relaxed);
    for _ in 0..3 {
        let before = now();
        until("it counts", || now() > before + 1_000).await?;
        sandbox.freeze()?;
        sandbox.freeze()?;
        // What was in the pipe may still be read.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let frozen = now();
        tokio::time::sleep(Duration::from_millis(200)).await;
        expect(
            now() == frozen,
            format!("{} more while frozen", now() - frozen),
        )?;
        sandbox.thaw()?;
        sandbox.thaw()?;
    }
    sandbox.destroy().await;
    expect(
        started.exited.await? == Exit::Signal(9),
        "killed by the end of the sandbox",
    )?;
    reading.await?;
    Ok(())
}

async fn killing_all_keeps_tmp(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    shell(&sandbox, "echo kept > /tmp/file").await?;
    let orphans = "for i in 1 2 3; do (setsid sleep 1000 &) ; done; echo up; sleep 1000";
    let running = start(&sandbox, &["/bin/sh", "-c", orphans]).await?;
    running.says("up").await?;
    sandbox.kill_all().await?;
    expect(running.end().await?.exit == Exit::Signal(9), "killed")?;
    let ended = shell(&sandbox, "cat /tmp/file; cat /proc/[0-9]*/comm").await?;
    let good = ended.output.starts_with("kept\n") && !ended.output.contains("sleep");
    expect(good, format!("{ended:?}"))?;
    sandbox.kill_all().await?;
    sandbox.destroy().await;
    Ok(())
}

async fn killing_all_frees_shared_memory(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let program = format!(
        "
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
id = libc.syscall({}, 42, 50 << 20, 0o1600)
ctypes.memset(libc.shmat(id, None, 0), 1, 50 << 20)
print('had it', flush=True)
import time; time.sleep(1000)",
        libc::SYS_shmget
    );
    let running = start(&sandbox, &["/usr/bin/python3", "-I", "-c", &program]).await?;
    let listed = "cat /proc/sysvipc/shm | wc -l";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while shell(&sandbox, listed).await?.output != "2\n" {
        expect(tokio::time::Instant::now() < deadline, "never shared")?;
    }
    sandbox.kill_all().await?;
    drop(running.end().await?);
    let left = shell(&sandbox, listed).await?.output;
    expect(left == "1\n", format!("still there: {left}"))?;
    sandbox.destroy().await;
    Ok(())
}

async fn a_program_starts_after_all_were_killed(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    // There is one that waits for its first program: it is killed too.
    sandbox.kill_all().await?;
    expect(
        shell(&sandbox, "exit 4").await?.exit == Exit::Status(4),
        "the first",
    )?;
    sandbox.kill_all().await?;
    expect(
        shell(&sandbox, "exit 5").await?.exit == Exit::Status(5),
        "the second",
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn killing_all_reaches_the_frozen(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let running = start(&sandbox, &["/bin/sleep", "1000"]).await?;
    sandbox.freeze()?;
    sandbox.kill_all().await?;
    expect(running.end().await?.exit == Exit::Signal(9), "killed")?;
    expect(
        shell(&sandbox, "exit 4").await?.exit == Exit::Status(4),
        "thawed",
    )?;
    sandbox.destroy().await;
    Ok(())
}

/// Takes this many MB of memory for good.
fn hog(mega_bytes: u64) -> String {
    format!(
        "b = bytearray({mega_bytes} << 20); print('had it', flush=True); import time; time.sleep(100)"
    )
}

async fn expect_out_of_memory(sandbox: &Arc<dyn Instance>) -> TestResult {
    let mut out_of_memory = sandbox.out_of_memory();
    let waited = out_of_memory.wait_for(|out| *out);
    tokio::time::timeout(Duration::from_secs(20), waited).await??;
    Ok(())
}

async fn out_of_memory_kills_every_process(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let bystander = start(&sandbox, &["/bin/sleep", "1000"]).await?;
    expect(!*sandbox.out_of_memory().borrow(), "not yet")?;
    // Less than memory and /tmp together, so the kernel itself does not mind.
    let running = start(&sandbox, &["/usr/bin/python3", "-I", "-c", &hog(140)]).await?;
    expect_out_of_memory(&sandbox).await?;
    expect(
        running.end().await?.exit == Exit::Signal(9),
        "the one who took it",
    )?;
    expect(
        bystander.end().await?.exit == Exit::Signal(9),
        "the bystander",
    )?;
    sandbox.kill_all().await?;
    expect(!*sandbox.out_of_memory().borrow(), "forgotten")?;
    let ended = shell(&sandbox, "exit 5").await?;
    expect(
        ended.exit == Exit::Status(5),
        format!("does not work again: {ended:?}"),
    )?;
    let again = start(&sandbox, &["/usr/bin/python3", "-I", "-c", &hog(140)]).await?;
    expect_out_of_memory(&sandbox).await?;
    expect(again.end().await?.exit == Exit::Signal(9), "a second time")?;
    sandbox.destroy().await;
    Ok(())
}

async fn what_the_kernel_kills_counts_as_out_of_memory(host: &Host) -> TestResult {
    let mut spec = host.spec();
    // No room for /tmp: the kernel's limit is the function's own, and the kernel is faster.
    spec.tmp_bytes = 4096;
    let sandbox = host.engine().create(spec).await?;
    let bystander = start(&sandbox, &["/bin/sleep", "1000"]).await?;
    let running = start(&sandbox, &["/usr/bin/python3", "-I", "-c", &hog(1_000)]).await?;
    let ended = running.end().await?;
    expect(ended.exit == Exit::Signal(9), format!("{ended:?}"))?;
    // Known by the time that the process's end is.
    expect(*sandbox.out_of_memory().borrow(), "said so")?;
    expect(
        bystander.end().await?.exit == Exit::Signal(9),
        "the bystander",
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn tmp_may_be_larger_than_memory(host: &Host) -> TestResult {
    let mut spec = host.spec();
    (spec.memory_bytes, spec.tmp_bytes) = (64 * MB, 300 * MB);
    let sandbox = host.engine().create(spec).await?;
    let fill = "dd if=/dev/zero of=/tmp/full bs=1M count=290 2>&1 | tail -1; stat -c %s /tmp/full";
    let ended = shell(&sandbox, fill).await?;
    expect(
        ended.output.ends_with("\n304087040\n"),
        format!("{ended:?}"),
    )?;
    let more = "dd if=/dev/zero of=/tmp/more bs=1M count=20 2>&1; stat -c %s /tmp/more";
    let ended = shell(&sandbox, more).await?;
    expect(
        ended.output.contains("No space left on device"),
        &ended.output,
    )?;
    expect(ended.output.ends_with("\n10485760\n"), &ended.output)?;
    expect(!*sandbox.out_of_memory().borrow(), "not out of memory")?;
    let ended = shell(
        &sandbox,
        "rm /tmp/*; echo gone; echo more > /tmp/again && echo written",
    )
    .await?;
    expect(ended.output == "gone\nwritten\n", &ended.output)?;
    sandbox.destroy().await;
    Ok(())
}

async fn memory_is_watched_with_tmp_full(host: &Host) -> TestResult {
    let mut spec = host.spec();
    (spec.memory_bytes, spec.tmp_bytes) = (128 * MB, 200 * MB);
    let sandbox = host.engine().create(spec).await?;
    shell(
        &sandbox,
        "dd if=/dev/zero of=/tmp/full bs=1M count=150 2>/dev/null",
    )
    .await?;
    let ended = python(&sandbox, "b = bytearray(80 << 20); print('had it')").await?;
    expect(
        ended.output == "had it\n" && ended.exit == Exit::Status(0),
        format!("{ended:?}"),
    )?;
    let ended = start(&sandbox, &["/usr/bin/python3", "-I", "-c", &hog(140)])
        .await?
        .end()
        .await?;
    expect(ended.exit == Exit::Signal(9), format!("{ended:?}"))?;
    expect(*sandbox.out_of_memory().borrow(), "said so")?;
    sandbox.destroy().await;
    Ok(())
}

async fn memory_is_watched_after_tmp_was_emptied(host: &Host) -> TestResult {
    let mut spec = host.spec();
    (spec.memory_bytes, spec.tmp_bytes) = (128 * MB, 400 * MB);
    let sandbox = host.engine().create(spec).await?;
    // Long enough for what is watched to follow.
    let script =
        "dd if=/dev/zero of=/tmp/full bs=1M count=390 2>/dev/null; sleep 0.3; rm /tmp/full";
    shell(&sandbox, script).await?;
    let program = ["/usr/bin/python3", "-I", "-c", &hog(200)];
    let ended = start(&sandbox, &program).await?.end().await?;
    expect(ended.exit == Exit::Signal(9), format!("{ended:?}"))?;
    expect(*sandbox.out_of_memory().borrow(), "said so")?;
    sandbox.destroy().await;
    Ok(())
}

async fn cached_files_are_not_counted(host: &Host) -> TestResult {
    let folder = host.config.images.join("large");
    std::fs::create_dir_all(&folder)?;
    std::fs::File::create(folder.join("file"))?.set_len(400 * MB)?;
    let mut spec = host.spec();
    (spec.task, spec.memory_bytes, spec.tmp_bytes) = (folder.clone(), 64 * MB, 512 * MB);
    let sandbox = host.engine().create(spec).await?;
    let ended = shell(&sandbox, "cat /var/task/file | wc -c").await?;
    expect(
        ended.output == format!("{}\n", 400 * MB),
        format!("{ended:?}"),
    )?;
    expect(!*sandbox.out_of_memory().borrow(), "not out of memory")?;
    sandbox.destroy().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

async fn the_peak_of_memory_is_told(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    shell(
        &sandbox,
        "dd if=/dev/zero of=/tmp/file bs=1M count=40 2>/dev/null",
    )
    .await?;
    python(&sandbox, "b = bytearray(60 << 20)").await?;
    let peak = sandbox.memory_peak_bytes();
    expect(
        (60 * MB..110 * MB).contains(&peak),
        format!("{} MB", peak / MB),
    )?;
    sandbox.destroy().await;
    Ok(())
}

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
    expect(many > ratio * few, format!("{many} s beside {few} s"))?;
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
