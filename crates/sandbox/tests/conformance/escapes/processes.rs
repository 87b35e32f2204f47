//! Attempts on other processes and on the sandbox's own limits.

use sandbox::Exit;

use super::{all_refused, attempt, still_works};
use crate::host::{Host, TestResult, expect, run, shell, start};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    seeing_other_processes,
    looking_into_init,
    signalling_init_and_the_host,
    raising_its_own_limits,
    tracing,
];

async fn seeing_other_processes(host: &Host) -> TestResult {
    let (one, other) = (host.sandbox().await?, host.sandbox().await?);
    let sleeping = start(&other, &["/bin/sleep", "1000"]).await?;
    let program =
        "print(*[p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()])";
    let others = attempt(&one, program).await?;
    expect(others.is_empty(), format!("{others:?}"))?;
    other.destroy().await;
    drop(sleeping);
    still_works(&one).await
}

async fn looking_into_init(host: &Host) -> TestResult {
    let files = [
        "mem", "environ", "maps", "cmdline", "fd", "ns/mnt", "root", "cwd", "exe", "status",
    ];
    let attempts: Vec<String> = files
        .iter()
        .map(|file| format!("attempt(os.stat, '/proc/1/{file}')"))
        .collect();
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["ENOENT", "EACCES", "EPERM"]).await
}

async fn signalling_init_and_the_host(host: &Host) -> TestResult {
    let myself = std::process::id();
    let beyond = format!("attempt(os.kill, {myself}, 9)");
    let attempts = [
        "attempt(os.kill, 1, 9)",
        "attempt(os.kill, 1, 19)",
        "attempt(os.kill, 1, 15)",
        &beyond,
    ];
    all_refused(host, &attempts, &["EPERM", "ESRCH"]).await?;
    let sandbox = host.sandbox().await?;
    // All it can signal: its own.
    let ended = run(&sandbox, &["/bin/sh", "-c", "kill -9 -1; echo survived"]).await?;
    expect(
        matches!(ended.exit, Exit::Signal(9) | Exit::Status(0)),
        format!("{ended:?}"),
    )?;
    expect(!*sandbox.dead().borrow(), "init lives")?;
    still_works(&sandbox).await
}

async fn raising_its_own_limits(host: &Host) -> TestResult {
    let mount = format!(
        "call({}, b'cgroup', b'/tmp', b'cgroup2', 0, 0)",
        libc::SYS_mount
    );
    let prlimit = format!(
        "(lambda r: call({}, 0, 7, ctypes.addressof(r), 0))((ctypes.c_ulong * 2)(4096, 4096))",
        libc::SYS_prlimit64
    );
    all_refused(
        host,
        &["attempt(os.listdir, '/sys/fs/cgroup')", &mount, &prlimit],
        &["ENOENT", "EPERM"],
    )
    .await?;
    let sandbox = host.sandbox().await?;
    let lower = shell(
        &sandbox,
        "echo -500 > /proc/self/oom_score_adj && echo ok; true",
    )
    .await?;
    expect(!lower.output.ends_with("ok\n"), &lower.output)?;
    still_works(&sandbox).await
}

async fn tracing(host: &Host) -> TestResult {
    let (ptrace, read, write) = (
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
    );
    let attempts = [
        format!("call({ptrace}, 0, 0, 0, 0)"),
        format!("call({ptrace}, 16, os.getppid(), 0, 0)"),
        format!("call({ptrace}, 16, 1, 0, 0)"),
        format!("call({read}, 1, 0, 0, 0, 0, 0)"),
        format!("call({write}, 1, 0, 0, 0, 0, 0)"),
        format!("call({}, 1, 1, 0, 0, 0)", libc::SYS_kcmp),
        format!(
            "call({}, os.pidfd_open(os.getpid()), 0, 0)",
            libc::SYS_pidfd_getfd
        ),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["EPERM"]).await
}
