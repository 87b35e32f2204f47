//! Attempts to get out, each of which must fail and leave the sandbox and the host as they were.
//!
//! The attempts are Python programs that print what the kernel answered: an error's name, or `ok` where
//! the attempt would have got through.

mod calls;
mod files;
mod processes;
mod sockets;

use std::sync::Arc;

use sandbox::{Exit, Instance};

use crate::host::{Host, TestResult, expect, python, run, shell};
use crate::{Case, cases};

pub(crate) use calls::CASES as CALLS;
pub(crate) use files::CASES as FILES;
pub(crate) use processes::CASES as PROCESSES;
pub(crate) use sockets::CASES as SOCKETS;

pub(crate) const CASES: &[Case] = cases![
    it_has_no_rights,
    mounting_and_changing_roots,
    making_and_entering_namespaces,
];

/// What every attempt can use: `call(number, ...)` makes a system call, `attempt(function)` calls one;
/// both tell the outcome as a word.
const PRELUDE: &str = "
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(*args):
    args = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in args]
    return 'ok' if libc.syscall(*args) >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(function, *args):
    try:
        function(*args)
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
";

/// Runs an attempt and gives the words it printed.
async fn attempt(sandbox: &Arc<dyn Instance>, program: &str) -> TestResult<Vec<String>> {
    let ended = python(sandbox, &format!("{PRELUDE}\n{program}")).await?;
    expect(
        ended.exit == Exit::Status(0),
        format!("the attempt itself failed: {ended:?}"),
    )?;
    Ok(ended.output.split_whitespace().map(str::to_owned).collect())
}

/// Runs attempts, one expression each, that must end with one of the given words.
async fn all_refused(host: &Host, attempts: &[&str], words: &[&str]) -> TestResult {
    let sandbox = host.sandbox().await?;
    for expression in attempts {
        let answers = attempt(&sandbox, &format!("print({expression})")).await?;
        let refused = answers.len() == 1 && words.contains(&answers[0].as_str());
        expect(refused, format!("{expression}: {answers:?}"))?;
    }
    still_works(&sandbox).await
}

async fn still_works(sandbox: &Arc<dyn Instance>) -> TestResult {
    let ended = shell(sandbox, "cat /var/task/code.txt").await?;
    expect(
        ended.output == "the function's code\n",
        format!("afterwards: {ended:?}"),
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn it_has_no_rights(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    // The first process waited for its program, later ones are forked for theirs.
    for _ in 0..2 {
        let status = run(&sandbox, &["/bin/cat", "/proc/self/status"])
            .await?
            .output;
        for line in [
            "CapInh:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "CapAmb:\t0000000000000000",
            "SigIgn:\t0000000000000000",
            "SigBlk:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
            "Uid:\t993\t993\t993\t993",
            "Gid:\t990\t990\t990\t990",
            "Groups:\t ",
        ] {
            expect(
                status.lines().any(|found| found == line),
                format!("{line} in\n{status}"),
            )?;
        }
    }
    still_works(&sandbox).await
}

async fn mounting_and_changing_roots(host: &Host) -> TestResult {
    let attempts = [
        format!(
            "call({}, b'none', b'/tmp', b'tmpfs', 0, 0)",
            libc::SYS_mount
        ),
        format!("call({}, b'/', b'/tmp', 0, 4096, 0)", libc::SYS_mount),
        format!(
            "call({}, 0, b'/var/task', 0, 32 | 4096, 0)",
            libc::SYS_mount
        ),
        format!("call({}, b'/var/task', 2)", libc::SYS_umount2),
        format!("call({}, b'/tmp', b'/tmp')", libc::SYS_pivot_root),
        format!("call({}, b'/tmp')", libc::SYS_chroot),
        format!("call({}, -100, b'/', 1)", libc::SYS_open_tree),
        format!("call({}, b'tmpfs', 0)", libc::SYS_fsopen),
        format!(
            "call({}, -100, b'/', -100, b'/tmp', 0)",
            libc::SYS_move_mount
        ),
        format!("call({}, -100, b'/', 0, 0, 0)", libc::SYS_mount_setattr),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["EPERM"]).await
}

async fn making_and_entering_namespaces(host: &Host) -> TestResult {
    let flags = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWUSER | libc::CLONE_NEWNS,
    ];
    let mut attempts = vec![
        format!(
            "call({}, os.open('/proc/self/ns/mnt', 0), 0)",
            libc::SYS_setns
        ),
        format!(
            "call({}, os.open('/proc/self/ns/user', 0), 0)",
            libc::SYS_setns
        ),
    ];
    for flag in flags {
        attempts.push(format!("call({}, {flag})", libc::SYS_unshare));
        attempts.push(format!(
            "call({}, {}, 0, 0, 0, 0)",
            libc::SYS_clone,
            flag | libc::SIGCHLD
        ));
    }
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["EPERM"]).await?;
    let clone3 = format!("call({}, 0, 0)", libc::SYS_clone3);
    all_refused(host, &[&clone3], &["ENOSYS"]).await
}
