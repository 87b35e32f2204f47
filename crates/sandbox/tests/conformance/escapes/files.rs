//! Attempts on files: the host's, those that are read-only, devices, setuid programs, open descriptors.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sandbox::{Engine as _, Error, Exit};

use super::{all_refused, attempt, still_works};
use crate::host::{Host, TestResult, expect, run, shell};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    reading_the_hosts_files,
    writing_what_is_read_only,
    making_devices,
    executing_setuid_programs,
    inherited_descriptors,
    images_outside_the_folder,
    leaving_core_dumps,
];

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
