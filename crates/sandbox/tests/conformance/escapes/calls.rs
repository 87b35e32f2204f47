//! Attempts by system calls that no function needs, and by other ways to make them.

use sandbox::Exit;

use super::{PRELUDE, all_refused, attempt, still_works};
use crate::host::{Host, TestResult, expect, python, shell};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    rare_system_calls,
    system_calls_by_other_names,
    setting_the_host,
    pushing_terminal_input,
    filters_of_its_own,
    options_of_sockets,
    watching_what_others_do,
    policies_of_memory,
];

async fn rare_system_calls(host: &Host) -> TestResult {
    let calls = [
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_swapon,
        libc::SYS_quotactl,
        libc::SYS_reboot,
        libc::SYS_syslog,
        libc::SYS_acct,
        libc::SYS_fanotify_init,
        libc::SYS_move_pages,
        libc::SYS_migrate_pages,
        libc::SYS_lookup_dcookie,
        libc::SYS_vhangup,
        libc::SYS_memfd_secret,
        libc::SYS_landlock_create_ruleset,
    ];
    let attempts: Vec<String> = calls
        .iter()
        .map(|call| format!("call({call}, 0, 0, 0, 0, 0, 0)"))
        .collect();
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["EPERM", "ENOSYS"]).await
}

/// The x32 form of a call, and one of the 32-bit entrance: neither goes around the filter.
#[cfg(target_arch = "x86_64")]
async fn system_calls_by_other_names(host: &Host) -> TestResult {
    let x32 = format!("call(0x40000000 | {}, 0, 0, 0, 0)", libc::SYS_ptrace);
    all_refused(host, &[&x32], &["ENOSYS", "EPERM"]).await?;
    let sandbox = host.sandbox().await?;
    // mov eax, 20 (getpid); int 0x80; ret
    let program = "
import mmap
m = mmap.mmap(-1, 4096, prot=7)
m.write(bytes.fromhex('b814000000cd80c3'))
f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
f()
print('survived')";
    let ended = python(&sandbox, &format!("{PRELUDE}{program}")).await?;
    let killed = matches!(ended.exit, Exit::Signal(libc::SIGSYS | libc::SIGSEGV));
    expect(killed, format!("{ended:?}"))?;
    still_works(&sandbox).await
}

#[cfg(not(target_arch = "x86_64"))]
async fn system_calls_by_other_names(_: &Host) -> TestResult {
    Ok(())
}

async fn setting_the_host(host: &Host) -> TestResult {
    let attempts = [
        "attempt(socket.sethostname, 'other')",
        "attempt(open, '/proc/sys/kernel/core_pattern', 'w')",
        "attempt(open, '/proc/sys/kernel/hostname', 'w')",
        "attempt(open, '/proc/sys/net/ipv4/ip_forward', 'w')",
        "attempt(open, '/proc/sys/vm/drop_caches', 'w')",
        "attempt(os.sched_setscheduler, 0, 1, os.sched_param(1))",
        "attempt(os.setpriority, 0, 0, -10)",
    ];
    all_refused(host, &attempts, &["EPERM", "EROFS", "EACCES"]).await?;
    let clock = format!("call({}, 0, 0)", libc::SYS_clock_settime);
    all_refused(host, &[&clock], &["EPERM"]).await?;
    let sandbox = host.sandbox().await?;
    // Masked by /dev/null: it takes anything and does nothing.
    let ended = shell(&sandbox, "echo b > /proc/sysrq-trigger; echo still here").await?;
    expect(ended.output.ends_with("still here\n"), &ended.output)?;
    still_works(&sandbox).await
}

async fn pushing_terminal_input(host: &Host) -> TestResult {
    let tiocsti = format!("call({}, 0, 0x5412, 0)", libc::SYS_ioctl);
    let hidden = format!("call({}, 0, 0x100005412, 0)", libc::SYS_ioctl);
    all_refused(host, &[&tiocsti, &hidden], &["EPERM"]).await
}

async fn filters_of_its_own(host: &Host) -> TestResult {
    // A filter of one step that allows all: to the kernel there is nothing wrong with it.
    let program = "
class Step(ctypes.Structure):
    _fields_ = [('code', ctypes.c_ushort), ('jt', ctypes.c_ubyte),
                ('jf', ctypes.c_ubyte), ('k', ctypes.c_uint)]
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('steps', ctypes.POINTER(Step))]
steps = (Step * 1)(Step(6, 0, 0, 0x7fff0000))
program = Program(1, steps)
at = ctypes.addressof(program)
print(call(SECCOMP, 1, 0, at), call(PRCTL, 22, 2, at, 0, 0))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
raw = ctypes.string_at(at, ctypes.sizeof(program))
for option in (26, 51):
    print(attempt(s.setsockopt, socket.SOL_SOCKET, option, raw))";
    let program = program
        .replace("SECCOMP", &libc::SYS_seccomp.to_string())
        .replace("PRCTL", &libc::SYS_prctl.to_string());
    let sandbox = host.sandbox().await?;
    let answers = attempt(&sandbox, &program).await?;
    let expected = ["EINVAL", "EINVAL", "ENOPROTOOPT", "ENOPROTOOPT"];
    expect(answers == expected, format!("{answers:?}"))?;
    still_works(&sandbox).await
}

async fn options_of_sockets(host: &Host) -> TestResult {
    let sandbox = host.sandbox().await?;
    let program = "
s = socket.socket()
was = s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
print(attempt(s.setsockopt, socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 30))
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == was)
print(attempt(s.setsockopt, socket.SOL_SOCKET, 33, 1 << 20))
print(attempt(s.setsockopt, socket.IPPROTO_TCP, 31, b'tls'))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
group = socket.inet_aton('239.1.1.1') + socket.inet_aton('127.0.0.1')
print(attempt(u.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group))
print(attempt(s.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
print(attempt(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))";
    let answers = attempt(&sandbox, program).await?;
    let expected = [
        "ok",
        "True",
        "ENOPROTOOPT",
        "ENOPROTOOPT",
        "ENOPROTOOPT",
        "ok",
        "ok",
    ];
    expect(answers == expected, format!("{answers:?}"))?;
    still_works(&sandbox).await
}

async fn watching_what_others_do(host: &Host) -> TestResult {
    let watch = "
libc.inotify_init1.restype = ctypes.c_int
i = libc.inotify_init1(0)
def watch(path):
    watched = libc.inotify_add_watch(i, path, 0xfff) >= 0
    return 'ok' if watched else errno.errorcode[ctypes.get_errno()]
print(i >= 0, watch(b'/usr'), watch(b'/var/task'), watch(b'/var/runtime'), watch(b'/opt'))
import fcntl
print(attempt(fcntl.fcntl, os.open('/usr', 0), fcntl.F_NOTIFY, 1))";
    let sandbox = host.sandbox().await?;
    let answers = attempt(&sandbox, watch).await?;
    let expected = ["True", "ENOSPC", "ENOSPC", "ENOSPC", "ENOSPC", "EINVAL"];
    expect(answers == expected, format!("{answers:?}"))?;
    still_works(&sandbox).await
}

async fn policies_of_memory(host: &Host) -> TestResult {
    let attempts = [
        format!("call({}, 0, 4096, 0, 0, 0, 0)", libc::SYS_mbind),
        format!("call({}, 0, 0, 0)", libc::SYS_set_mempolicy),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    all_refused(host, &attempts, &["ENOSYS"]).await?;
    let large = format!("call({}, 0, 2 << 20, 3, 0x40022, -1, 0)", libc::SYS_mmap);
    all_refused(host, &[&large], &["ENOMEM"]).await
}
