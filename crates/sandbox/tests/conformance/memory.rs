//! Memory and `/tmp` have limits, each its own, and what is used is known.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Engine as _, Exit, Instance};

use crate::host::{Host, MB, TestResult, expect, python, shell, start};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    out_of_memory_kills_every_process,
    what_the_kernel_kills_counts_as_out_of_memory,
    tmp_may_be_larger_than_memory,
    memory_is_watched_with_tmp_full,
    memory_is_watched_after_tmp_was_emptied,
    cached_files_are_not_counted,
    the_peak_of_memory_is_told,
];

/// Takes this many MB of memory and keeps them.
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
