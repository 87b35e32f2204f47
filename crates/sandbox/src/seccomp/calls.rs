//! The list itself: what Python, Node.js, the JVM, Go, Rust and a shell need, and no more.
//!
//! Left out, each because it reaches beyond the process or into rarely walked parts of the kernel:
//! tracing and reading other processes, mounts and namespaces, keys, BPF, performance counters,
//! `userfaultfd`, `io_uring` (answered as absent, so that libraries do without), file handles,
//! modules, swap, quotas, clocks, I/O ports, raw and packet sockets, pushing input to a terminal; and
//! because all sandboxes would share it: asynchronous I/O contexts, flushing whole file systems, and
//! filter programs of a function's own, whose compiled code fills a budget of the whole machine.
//! `clone3` is absent since its flags are in memory that a filter cannot see; libraries fall back to
//! `clone`, whose flags are checked. The routing socket, which tells a program its interfaces, is
//! handed out by init, a few at once: what waits in one is charged to nobody. Watching files is refused
//! as if no watch were left: a watch on a file that sandboxes share reveals what the others do.
//!
//! Where the answer to a call depends on its arguments, they are checked: [`options`] has those of
//! sockets.

use std::collections::BTreeMap;

use libc::sock_filter;

use super::options::OPTIONS;
use super::program::{Fate, SocketRule, compile};

/// From this number on (Linux 5.1, where the architectures' numbers became one) what we don't list
/// is absent rather than refused, so that libraries fall back to what came before.
const FIRST_NEW: u32 = 424;

/// Every flag by which clone makes a namespace.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Push input to a terminal; the console's selection and paste; where a file's blocks are on the
/// machine's disk.
const DEVICE_CONTROLS: &[u32] = &[0x5412, 0x541C, 0x1, 0xC020_660B];

/// Linux as usual, and asking what it is. Others switch address space randomisation off.
const PERSONALITIES: &[u32] = &[0, 0xFFFF_FFFF];

/// A function's own filters, answered as by a kernel without them. Strict mode needs no memory.
const SECCOMP_FILTERS: &[u32] = &[libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_GET_NOTIF_SIZES];
/// As [`SECCOMP_FILTERS`], by the older call; memory maps that only tools like CRIU need; keeping
/// others off a processor's core; and [`SHARED_PAGES`] for a whole process.
const PROCESS_CONTROLS: &[u32] = &[
    libc::PR_SET_SECCOMP as u32,
    libc::PR_SET_MM as u32,
    libc::PR_SCHED_CORE as u32,
    67, // PR_SET_MEMORY_MERGE
];

/// Having the kernel merge pages of the same content across processes, answered as by a kernel that
/// cannot: how long a write takes then reveals whether there is one.
const SHARED_PAGES: &[u32] = &[libc::MADV_MERGEABLE as u32];

/// Watching a folder (`F_NOTIFY`) reveals what other sandboxes do, as inotify does; leases make others
/// wait.
const FILE_CONTROLS: &[u32] = &[1026, 1024];

/// Pages of the machine's reserve of large ones, which no limit of a sandbox counts: by call, the
/// argument that asks for them and its bit.
const LARGE_PAGES: &[(libc::c_long, u8, u32)] = &[
    (libc::SYS_mmap, 3, libc::MAP_HUGETLB as u32),
    (libc::SYS_memfd_create, 1, libc::MFD_HUGETLB),
    (libc::SYS_shmget, 2, libc::SHM_HUGETLB as u32),
];

/// A memory policy costs some hundred bytes that are charged to nobody, and an empty file can have one
/// for each of its pages. Libraries then assume that there is one node.
const NODES: &[libc::c_long] = &[
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_get_mempolicy,
];

/// Advice to drop a file from the cache, which sandboxes share: others would have to read it again.
const DROP_FROM_CACHE: Fate = Fate::Unheeded {
    argument: 3,
    value: libc::POSIX_FADV_DONTNEED as u32,
    pointer: None,
};

/// Setting limits. That of core dumps stays: see [`crate::sys::privileges::no_core_dumps`]. By call,
/// the argument that names the limit, and the one that says whether it is set or only read.
const CORE_LIMITS: &[(libc::c_long, u8, Option<u8>)] = &[
    (libc::SYS_setrlimit, 0, None),
    (libc::SYS_prlimit64, 1, Some(2)),
];

/// What sockets may be made of: what programs use, and no family or protocol for which a kernel would
/// load a module.
const SOCKETS: &[SocketRule] = &[
    SocketRule {
        family: libc::AF_UNIX as u32,
        kinds: &[1, 2, 5],
        protocols: &[0, 1],
        by_init: false,
    },
    SocketRule {
        family: libc::AF_INET as u32,
        kinds: &[1, 2],
        protocols: INTERNET_PROTOCOLS,
        by_init: false,
    },
    SocketRule {
        family: libc::AF_INET6 as u32,
        kinds: &[1, 2],
        protocols: INTERNET_PROTOCOLS,
        by_init: false,
    },
    // The list of the machine's interfaces and addresses, which resolvers ask for.
    SocketRule {
        family: libc::AF_NETLINK as u32,
        kinds: &[2, 3],
        protocols: &[libc::NETLINK_ROUTE as u32],
        by_init: true,
    },
];

/// The kind's own, TCP and UDP.
const INTERNET_PROTOCOLS: &[u32] = &[0, 6, 17];

/// Pairs are local: every other family's answer is the kernel's "not supported", after it has
/// loaded a module to say so.
const SOCKET_PAIRS: &[u32] = &[libc::AF_UNIX as u32];

/// The filter for a function's processes.
pub(crate) fn filter() -> Vec<sock_filter> {
    let mut fates = BTreeMap::new();
    let mut set = |calls: &[libc::c_long], fate: Fate| {
        for call in calls {
            fates.insert(
                u32::try_from(*call).expect("a call's number is small"),
                fate,
            );
        }
    };
    set(FILES, Fate::Allow);
    set(MEMORY, Fate::Allow);
    set(PROCESSES, Fate::Allow);
    set(WAITING, Fate::Allow);
    set(NETWORK, Fate::Allow);
    set(LEGACY, Fate::Allow);
    set(NEW_BUT_REFUSED, Fate::Refuse);
    set(
        &[libc::SYS_clone],
        Fate::NoBits {
            argument: 0,
            bits: NEW_NAMESPACES,
            errno: libc::EPERM,
        },
    );
    set(
        &[libc::SYS_ioctl],
        Fate::NoneOf {
            argument: 1,
            values: DEVICE_CONTROLS,
            errno: libc::EPERM,
        },
    );
    set(
        &[libc::SYS_personality],
        Fate::OneOf {
            argument: 0,
            values: PERSONALITIES,
        },
    );
    let none_of = |argument, values, errno| Fate::NoneOf {
        argument,
        values,
        errno,
    };
    set(
        &[libc::SYS_seccomp],
        none_of(0, SECCOMP_FILTERS, libc::EINVAL),
    );
    set(
        &[libc::SYS_prctl],
        none_of(0, PROCESS_CONTROLS, libc::EINVAL),
    );
    set(&[libc::SYS_madvise], none_of(2, SHARED_PAGES, libc::EINVAL));
    set(&[libc::SYS_fcntl], none_of(1, FILE_CONTROLS, libc::EINVAL));
    for (call, argument, bits) in LARGE_PAGES {
        // As if none were free.
        let (argument, bits, errno) = (*argument, *bits, libc::ENOMEM);
        set(
            &[*call],
            Fate::NoBits {
                argument,
                bits,
                errno,
            },
        );
    }
    set(NODES, Fate::Absent);
    set(&[libc::SYS_fadvise64], DROP_FROM_CACHE);
    for (call, argument, pointer) in CORE_LIMITS {
        let (value, argument, pointer) = (libc::RLIMIT_CORE, *argument, *pointer);
        set(
            &[*call],
            Fate::Unheeded {
                argument,
                value,
                pointer,
            },
        );
    }
    set(&[libc::SYS_inotify_add_watch], Fate::Error(libc::ENOSPC));
    set(
        &[libc::SYS_socketpair],
        Fate::OneOf {
            argument: 0,
            values: SOCKET_PAIRS,
        },
    );
    set(&[libc::SYS_socket], Fate::Socket(SOCKETS));
    set(&[libc::SYS_setsockopt], Fate::SocketOption(OPTIONS));
    compile(&fates, FIRST_NEW)
}

#[rustfmt::skip] // one to a line, it would be three pages
const FILES: &[libc::c_long] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64,
    libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2,
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_close, libc::SYS_close_range, libc::SYS_lseek,
    libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_statfs, libc::SYS_fstatfs,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_mkdirat, libc::SYS_mknodat, libc::SYS_unlinkat, libc::SYS_symlinkat,
    libc::SYS_linkat, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_truncate,
    libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_readahead,
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchmodat2, libc::SYS_fchown,
    libc::SYS_fchownat, libc::SYS_utimensat, libc::SYS_umask, libc::SYS_chdir, libc::SYS_fchdir,
    libc::SYS_getcwd, libc::SYS_dup, libc::SYS_dup3, libc::SYS_flock,
    libc::SYS_fsync, libc::SYS_fdatasync,
    libc::SYS_sync_file_range, libc::SYS_sendfile, libc::SYS_splice, libc::SYS_tee,
    libc::SYS_vmsplice, libc::SYS_copy_file_range, libc::SYS_pipe2,
    libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr, libc::SYS_listxattr,
    libc::SYS_llistxattr, libc::SYS_flistxattr, libc::SYS_setxattr, libc::SYS_lsetxattr,
    libc::SYS_fsetxattr, libc::SYS_removexattr, libc::SYS_lremovexattr, libc::SYS_fremovexattr,
    libc::SYS_inotify_init1, libc::SYS_inotify_rm_watch,
];

#[rustfmt::skip] // one to a line, it would be three pages
const MEMORY: &[libc::c_long] = &[
    libc::SYS_brk, libc::SYS_munmap, libc::SYS_mprotect, libc::SYS_mremap,
    libc::SYS_mincore, libc::SYS_msync, libc::SYS_mlock, libc::SYS_mlock2,
    libc::SYS_munlock, libc::SYS_mlockall, libc::SYS_munlockall, libc::SYS_membarrier,
    libc::SYS_shmat, libc::SYS_shmdt, libc::SYS_shmctl, libc::SYS_semget, libc::SYS_semop,
    libc::SYS_semtimedop, libc::SYS_semctl, libc::SYS_msgget, libc::SYS_msgsnd, libc::SYS_msgrcv,
    libc::SYS_msgctl, libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_pkey_mprotect,
];

#[rustfmt::skip] // one to a line, it would be three pages
const PROCESSES: &[libc::c_long] = &[
    libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_wait4,
    libc::SYS_waitid, libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_gettid, libc::SYS_getpgid, libc::SYS_setpgid, libc::SYS_getsid,
    libc::SYS_setsid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
    libc::SYS_getgroups, libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_setuid,
    libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setresuid,
    libc::SYS_setresgid, libc::SYS_setgroups, libc::SYS_setfsuid, libc::SYS_setfsgid,
    libc::SYS_capget, libc::SYS_capset, libc::SYS_uname,
    libc::SYS_sysinfo, libc::SYS_getrusage, libc::SYS_times, libc::SYS_getrlimit,
    libc::SYS_getpriority, libc::SYS_setpriority,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam, libc::SYS_sched_setparam, libc::SYS_sched_getscheduler,
    libc::SYS_sched_setscheduler, libc::SYS_sched_getattr, libc::SYS_sched_setattr,
    libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min,
    libc::SYS_sched_rr_get_interval, libc::SYS_ioprio_get, libc::SYS_ioprio_set, libc::SYS_getcpu,
    libc::SYS_set_tid_address, libc::SYS_set_robust_list, libc::SYS_get_robust_list,
    libc::SYS_rseq, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending, libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo, libc::SYS_sigaltstack,
    libc::SYS_restart_syscall, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal,
    libc::SYS_getrandom,
];

#[rustfmt::skip] // one to a line, it would be three pages
const WAITING: &[libc::c_long] = &[
    libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_nanosleep, libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_getitimer,
    libc::SYS_setitimer, libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_delete, libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime, libc::SYS_eventfd2, libc::SYS_signalfd4,
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2,
    libc::SYS_ppoll, libc::SYS_pselect6,
];

#[rustfmt::skip] // one to a line, it would be three pages
const NETWORK: &[libc::c_long] = &[
    libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4,
    libc::SYS_connect, libc::SYS_shutdown, libc::SYS_sendto, libc::SYS_recvfrom,
    libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt,
];

/// What only x86-64 has: older forms of the above.
#[rustfmt::skip] // one to a line, it would be three pages
#[cfg(target_arch = "x86_64")]
const LEGACY: &[libc::c_long] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access,
    libc::SYS_readlink, libc::SYS_getdents, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_mknod,
    libc::SYS_unlink, libc::SYS_symlink, libc::SYS_link, libc::SYS_rename, libc::SYS_chmod,
    libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat,
    libc::SYS_dup2, libc::SYS_pipe, libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_create,
    libc::SYS_epoll_wait, libc::SYS_epoll_ctl_old, libc::SYS_epoll_wait_old,
    libc::SYS_eventfd, libc::SYS_signalfd, libc::SYS_inotify_init, libc::SYS_fork, libc::SYS_vfork,
    libc::SYS_getpgrp, libc::SYS_alarm, libc::SYS_pause, libc::SYS_time, libc::SYS_arch_prctl,
];

#[cfg(target_arch = "aarch64")]
const LEGACY: &[libc::c_long] = &[];

/// Above [`FIRST_NEW`], but "absent" would be a wrong answer on which programs act.
#[rustfmt::skip] // one to a line, it would be three pages
const NEW_BUT_REFUSED: &[libc::c_long] = &[
    libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_fsconfig,
    libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_mount_setattr, libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise, libc::SYS_process_mrelease, libc::SYS_quotactl_fd,
];

#[cfg(test)]
mod tests;
