//! A sandbox can be frozen, and all that runs in it killed.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sandbox::Exit;

use crate::host::{Host, TestResult, expect, process, shell, start, until};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_frozen_sandbox_stands_still,
    killing_all_keeps_tmp,
    killing_all_frees_shared_memory,
    a_program_starts_after_all_were_killed,
    killing_all_reaches_the_frozen,
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
