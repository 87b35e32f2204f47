//! Attempts to get out, each of which must fail and leave the sandbox and the host as they were.
//!
//! The attempts are Python programs that print what the kernel answered: an error's name, or `ok` where
//! the attempt would have got through.

mod calls;

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;

use sandbox::{Engine as _, Error, Exit, Instance};

use crate::host::{Host, TestResult, expect, python, run, shell, start};
use crate::{Case, cases};

pub(crate) use calls::CASES as CALLS;

pub(crate) const CASES: &[Case] = cases![
    it_has_no_rights,
    reading_the_hosts_files,
    seeing_other_processes,
    looking_into_init,
    signalling_init_and_the_host,
    raising_its_own_limits,
    tracing,
    mounting_and_changing_roots,
    making_and_entering_namespaces,
    raw_and_strange_sockets,
    reaching_the_hosts_sockets,
    reaching_another_sandbox,
    writing_what_is_read_only,
    making_devices,
    executing_setuid_programs,
    inherited_descriptors,
    images_outside_the_folder,
    leaving_core_dumps,
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

async fn reading_the_hosts_files(host: &Host) -> TestResult {
    let secret = format!("attempt(open, {:?})", host.secret().display().to_string());
    let attempts = [
        secret.as_str(),
        "attempt(open, '/etc/shadow')",
        "attempt(open, '/etc/hostname')",
        "attempt(os.listdir, '/root')",
        "attempt(os.listdir, '/home')",
        "attempt(os.listdir, '/run')",
        "attempt(os.listdir, '/sys')",
        "attempt(os.listdir, '/var/lib')",
        "attempt(os.listdir, '/.private')",
        "attempt(os.listdir, '/.private/images')",
        "attempt(os.listdir, '/.empty')",
        "attempt(os.listdir, '/boot')",
        "attempt(os.listdir, '/dev/shm')",
        "attempt(os.listdir, '/proc/1/root')",
        "attempt(os.listdir, '/proc/pressure')",
        "attempt(open, '/proc/pressure/memory', 'r+')",
        "attempt(open, '/dev/mem')",
        "attempt(open, '/dev/kmsg')",
    ];
    all_refused(host, &attempts, &["ENOENT", "EACCES"]).await?;
    let sandbox = host.sandbox().await?;
    let shown = shell(&sandbox, "cat /etc/passwd; ls -A / /var /dev")
        .await?
        .output;
    expect(
        shown.lines().filter(|line| line.contains(":x:")).count() == 3,
        &shown,
    )?;
    let empty = "for f in kcore keys key-users kallsyms kmsg timer_list cmdline diskstats interrupts softirqs; do cat /proc/$f; done; true";
    let ended = shell(&sandbox, empty).await?;
    let nothing = ended
        .output
        .lines()
        .all(|line| line.contains("No such file"));
    expect(nothing, &ended.output)?;
    let outside = attempt(
        &sandbox,
        "os.chdir('/'); [os.chdir('..') for _ in range(20)]; print(os.getcwd(), *sorted(os.listdir('.')))",
    );
    let expected = ["etc", "proc", "tmp", "usr", "var"];
    let outside = outside.await?;
    expect(
        expected
            .iter()
            .all(|name| outside.iter().any(|o| o == name)),
        format!("{outside:?}"),
    )?;
    expect(
        !outside.iter().any(|name| name == "root"),
        format!("{outside:?}"),
    )?;
    still_works(&sandbox).await
}

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

async fn raw_and_strange_sockets(host: &Host) -> TestResult {
    let attempts = [
        "attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)",
        "attempt(socket.socket, socket.AF_INET6, socket.SOCK_RAW, 58)",
        "attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 768)",
        "attempt(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 768)",
        "attempt(socket.socket, socket.AF_INET, 10, 768)",
        "attempt(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, 1)",
        "attempt(socket.socket, socket.AF_INET, socket.SOCK_STREAM, 132)",
        "attempt(socket.socket, socket.AF_INET6, socket.SOCK_STREAM, 262)",
        "attempt(socket.socketpair, socket.AF_INET)",
        "attempt(socket.socketpair, 30, socket.SOCK_SEQPACKET)",
        "attempt(socket.socketpair, 40)",
        "attempt(socket.socket, 38, socket.SOCK_SEQPACKET, 0)",
        "attempt(socket.socket, 40, socket.SOCK_STREAM, 0)",
        "attempt(socket.socket, 44, socket.SOCK_RAW, 0)",
    ];
    all_refused(host, &attempts, &["EPERM"]).await?;
    let netlink = [4, 9, 12].map(|protocol| {
        format!("attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, {protocol})")
    });
    let netlink: Vec<&str> = netlink.iter().map(String::as_str).collect();
    all_refused(host, &netlink, &["EPERM"]).await
}

async fn reaching_the_hosts_sockets(host: &Host) -> TestResult {
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let name = format!("sandbox-test-{}", std::process::id());
    let unix = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let port = tcp.local_addr()?.port();
    let attempts = [
        format!("attempt(socket.socket().connect, ('127.0.0.1', {port}))"),
        format!("attempt(socket.socket(socket.AF_INET6).connect, ('::1', {port}))"),
        format!("attempt(socket.socket(socket.AF_UNIX).connect, '\\0{name}')"),
        "attempt(socket.socket().connect, ('169.254.169.254', 80))".to_owned(),
        "attempt(socket.socket().connect, ('192.0.2.1', 80))".to_owned(),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["ECONNREFUSED", "ENETUNREACH"]).await?;
    tcp.set_nonblocking(true)?;
    unix.set_nonblocking(true)?;
    expect(
        tcp.accept().is_err() && unix.accept().is_err(),
        "somebody got through",
    )
}

async fn reaching_another_sandbox(host: &Host) -> TestResult {
    let (one, other) = (host.sandbox().await?, host.sandbox().await?);
    shell(&one, "echo mine > /tmp/secret; chmod 777 /tmp/secret").await?;
    let keep = format!(
        "
s = socket.socket(socket.AF_UNIX); s.bind('\\0shared'); s.listen()
t = socket.socket(); t.bind(('127.0.0.1', 4567)); t.listen()
print(call({}, 42, 4096, 0o1666), flush=True)
import time; time.sleep(1000)",
        libc::SYS_shmget
    );
    let serving = start(
        &one,
        &["/usr/bin/python3", "-I", "-c", &format!("{PRELUDE}{keep}")],
    )
    .await?;
    serving.says("ok").await?;
    let program = format!(
        "
print(attempt(open, '/tmp/secret'), len(os.listdir('/tmp')))
print(attempt(socket.socket(socket.AF_UNIX).connect, '\\0shared'))
print(attempt(socket.socket().connect, ('127.0.0.1', 4567)))
print(call({}, 42, 4096, 0))",
        libc::SYS_shmget
    );
    let answers = attempt(&other, &program).await?;
    let expected = ["ENOENT", "0", "ECONNREFUSED", "ECONNREFUSED", "ENOENT"];
    expect(answers == expected, format!("{answers:?}"))?;
    // From within it all is there, so the attempts were not in vain.
    let answers = attempt(&one, &program).await?;
    expect(
        answers == ["ok", "1", "ok", "ok", "ok"],
        format!("{answers:?}"),
    )?;
    one.destroy().await;
    drop(serving);
    still_works(&other).await
}

async fn writing_what_is_read_only(host: &Host) -> TestResult {
    let folders = [
        "/",
        "/var",
        "/var/task",
        "/var/runtime",
        "/opt",
        "/usr",
        "/usr/bin",
        "/etc",
        "/dev",
        "/proc",
        "/proc/sys",
    ];
    let mut attempts: Vec<String> = folders
        .iter()
        .map(|folder| format!("attempt(open, '{folder}/new', 'w')"))
        .collect();
    attempts.extend([
        "attempt(open, '/var/task/code.txt', 'a')".to_owned(),
        "attempt(os.unlink, '/var/task/code.txt')".to_owned(),
        "attempt(os.chmod, '/var/task/code.txt', 0o777)".to_owned(),
        "attempt(os.rename, '/var/task', '/tmp/task')".to_owned(),
        "attempt(open, '/etc/passwd', 'a')".to_owned(),
        "attempt(open, '/usr/bin/env', 'r+b')".to_owned(),
    ]);
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(
        host,
        &attempts,
        &["EROFS", "EACCES", "ENOENT", "EPERM", "EXDEV", "EBUSY"],
    )
    .await?;
    let code = fs::read_to_string(host.config.images.join("task/code.txt"))?;
    expect(code == "the function's code\n", code)
}

async fn making_devices(host: &Host) -> TestResult {
    let attempts = [
        "attempt(os.mknod, '/tmp/mem', 0o20666, os.makedev(1, 1))",
        "attempt(os.mknod, '/tmp/disk', 0o60666, os.makedev(8, 0))",
        "attempt(os.mknod, '/dev/mem', 0o20666, os.makedev(1, 1))",
    ];
    all_refused(host, &attempts, &["EPERM", "EROFS"]).await?;
    let sandbox = host.sandbox().await?;
    let ended = shell(&sandbox, "ls /dev | tr '\\n' ' '").await?;
    expect(
        ended.output == "fd full null random stderr stdin stdout urandom zero ",
        &ended.output,
    )?;
    still_works(&sandbox).await
}

async fn executing_setuid_programs(host: &Host) -> TestResult {
    let folder = host.config.images.join("setuid");
    fs::create_dir_all(&folder)?;
    let program = folder.join("id");
    fs::copy("/usr/bin/id", &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755))?;
    let mut spec = host.spec();
    spec.task = folder;
    let sandbox = host.engine().create(spec).await?;
    let ended = run(&sandbox, &["/var/task/id"]).await?;
    expect(
        ended
            .output
            .starts_with("uid=993(sbx_user1051) gid=990(sbx_user1051)"),
        &ended.output,
    )?;
    expect(!ended.output.contains("euid"), &ended.output)?;
    let copied = "cp /var/task/id /tmp/id && chmod 6755 /tmp/id; /tmp/id; su -c id; true";
    let ended = shell(&sandbox, copied).await?;
    expect(
        !ended.output.contains("euid") && !ended.output.contains("uid=0"),
        &ended.output,
    )?;
    let attempts =
        "print(attempt(os.setuid, 0), attempt(os.setgid, 0), attempt(os.setgroups, [0]))";
    let answers = attempt(&sandbox, attempts).await?;
    expect(
        answers.iter().all(|answer| answer == "EPERM"),
        format!("{answers:?}"),
    )?;
    sandbox.destroy().await;
    Ok(())
}

async fn inherited_descriptors(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let program = "
fds = sorted(int(f) for f in os.listdir('/proc/self/fd'))
print(*fds, *[os.readlink(f'/proc/self/fd/{f}').split(':')[0] for f in range(3)])";
    for _ in 0..2 {
        let answers = attempt(&sandbox, program).await?;
        // The fourth is the listing's own.
        expect(
            answers == ["0", "1", "2", "3", "/dev/null", "pipe", "pipe"],
            format!("{answers:?}"),
        )?;
    }
    still_works(&sandbox).await
}

async fn images_outside_the_folder(host: &Host) -> TestResult {
    let link = host.config.images.join("link");
    std::os::unix::fs::symlink("/etc", &link)?;
    let mut spec = host.spec();
    spec.task = link.clone();
    let refused = host.engine().create(spec).await;
    expect(
        matches!(refused, Err(Error::Step { .. })),
        "a link is not followed",
    )?;
    fs::remove_file(link)?;
    for outside in ["/etc", "/"] {
        let mut spec = host.spec();
        spec.task = outside.into();
        let refused = host.engine().create(spec).await;
        expect(matches!(refused, Err(Error::Invalid { .. })), outside)?;
    }
    let mut spec = host.spec();
    spec.task = host.config.images.join("task/../../secret.txt");
    let refused = host.engine().create(spec).await;
    expect(matches!(refused, Err(Error::Invalid { .. })), "climbing")
}

async fn leaving_core_dumps(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let ended = shell(&sandbox, "cd /tmp; ulimit -c; kill -ABRT $$").await?;
    expect(
        ended.output == "0\n" && ended.exit == Exit::Signal(6),
        format!("{ended:?}"),
    )?;
    // The one limit at which the kernel does not start the machine's program for dumps either.
    let program = "
import resource
for limits in ((0, 0), (1, 1)):
    resource.setrlimit(resource.RLIMIT_CORE, limits)
    print(*resource.getrlimit(resource.RLIMIT_CORE))
class Limit(ctypes.Structure): _fields_ = [('soft', ctypes.c_ulong), ('hard', ctypes.c_ulong)]
none = Limit(0, 0)
print(call(SETRLIMIT, 4, ctypes.addressof(none)), *resource.getrlimit(resource.RLIMIT_CORE))";
    let program = program.replace("SETRLIMIT", &libc::SYS_setrlimit.to_string());
    let answers = attempt(&sandbox, &program).await?;
    expect(
        answers == ["1", "1", "1", "1", "ok", "1", "1"],
        format!("{answers:?}"),
    )?;
    still_works(&sandbox).await
}
