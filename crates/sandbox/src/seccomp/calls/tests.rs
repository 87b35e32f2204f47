//! What the filter answers to which call, by the interpreter of [`crate::seccomp::program`].

use super::*;
use crate::seccomp::program::tests::{ABSENT, ALLOW, BY_INIT, REFUSED, answer};

fn check(call: libc::c_long, args: &[u64], expected: u32) {
    let call = u32::try_from(call).unwrap();
    assert_eq!(
        answer(&filter(), call, args),
        expected,
        "call {call} with {args:?}"
    );
}

#[test]
fn ordinary_work_is_allowed() {
    for call in [
        libc::SYS_read,
        libc::SYS_openat,
        libc::SYS_futex,
        libc::SYS_execve,
    ] {
        check(call, &[], ALLOW);
    }
}

#[test]
fn reaching_out_is_refused() {
    for call in [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_acct,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_move_mount,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        libc::SYS_fanotify_init,
        libc::SYS_sync,
        libc::SYS_syncfs,
        libc::SYS_io_setup,
    ] {
        check(call, &[], REFUSED);
    }
}

#[test]
fn what_a_library_can_do_without_is_absent() {
    for call in [
        libc::SYS_clone3,
        libc::SYS_io_uring_setup,
        libc::SYS_landlock_create_ruleset,
    ] {
        check(call, &[], ABSENT);
    }
    check(0x4000_0000 | libc::SYS_read, &[], ABSENT);
}

#[test]
fn clone_makes_threads_and_processes_but_no_namespaces() {
    check(libc::SYS_clone, &[0x003D_0F00], ALLOW);
    check(libc::SYS_clone, &[libc::SIGCHLD as u64], ALLOW);
    check(libc::SYS_clone, &[libc::CLONE_NEWUSER as u64], REFUSED);
    check(
        libc::SYS_clone,
        &[libc::CLONE_NEWNET as u64 | libc::SIGCHLD as u64],
        REFUSED,
    );
}

#[test]
fn the_upper_half_of_an_argument_hides_nothing() {
    check(libc::SYS_ioctl, &[0, 0x1_0000_0000 | 0x5412], REFUSED);
    check(libc::SYS_ioctl, &[0, 0x5401], ALLOW);
}

#[test]
fn sockets_are_local_or_internet_streams_and_datagrams() {
    let cloexec = libc::SOCK_CLOEXEC as u64;
    check(libc::SYS_socket, &[2, 1 | cloexec, 6], ALLOW);
    check(libc::SYS_socket, &[10, 2, 17], ALLOW);
    check(libc::SYS_socket, &[1, 5, 0], ALLOW);
    check(libc::SYS_socket, &[2, 3, 1], REFUSED);
    check(libc::SYS_socket, &[10, 3, 58], REFUSED);
    check(libc::SYS_socket, &[17, 3, 768], REFUSED);
    check(libc::SYS_socket, &[38, 5, 0], REFUSED);
    check(libc::SYS_socket, &[40, 1, 0], REFUSED);
}

#[test]
fn the_internet_is_tcp_and_udp() {
    for family in [2, 10] {
        for (kind, protocol) in [(1, 0), (1, 6), (2, 0), (2, 17)] {
            check(libc::SYS_socket, &[family, kind, protocol], ALLOW);
        }
        // ICMP, SCTP, UDP-Lite, L2TP, SMC, MPTCP.
        for protocol in [1, 132, 136, 115, 256, 262] {
            check(libc::SYS_socket, &[family, 1, protocol], REFUSED);
            check(libc::SYS_socket, &[family, 2, protocol], REFUSED);
        }
    }
}

#[test]
fn the_routing_socket_is_inits_to_give() {
    for kind in [2, 3, 3 | libc::SOCK_CLOEXEC as u64] {
        check(libc::SYS_socket, &[16, kind, 0], BY_INIT);
    }
    for protocol in [4, 9, 12, 15, 16] {
        check(libc::SYS_socket, &[16, 3, protocol], REFUSED);
    }
}

#[test]
fn pairs_of_sockets_are_local() {
    check(libc::SYS_socketpair, &[1, 1, 0], ALLOW);
    for family in [2, 10, 16, 30, 40] {
        check(libc::SYS_socketpair, &[family, 1, 0], REFUSED);
    }
}

#[test]
fn a_function_filters_nothing_itself() {
    const INVALID: u32 = libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32;
    check(libc::SYS_seccomp, &[1, 0, 0], INVALID);
    check(libc::SYS_seccomp, &[0, 0, 0], ALLOW);
    check(libc::SYS_prctl, &[22, 2], INVALID);
    check(libc::SYS_prctl, &[15], ALLOW);
}

#[test]
fn files_are_not_watched() {
    const NONE_LEFT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSPC as u32;
    check(libc::SYS_inotify_add_watch, &[3], NONE_LEFT);
    check(libc::SYS_inotify_init1, &[0], ALLOW);
    check(
        libc::SYS_fcntl,
        &[3, 1026],
        libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32,
    );
    check(libc::SYS_fcntl, &[3, libc::F_SETLK as u64], ALLOW);
}

#[test]
fn pages_are_not_compared_with_those_of_others() {
    const INVALID: u32 = libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32;
    check(
        libc::SYS_madvise,
        &[0, 1, libc::MADV_DONTNEED as u64],
        ALLOW,
    );
    check(
        libc::SYS_madvise,
        &[0, 1, libc::MADV_MERGEABLE as u64],
        INVALID,
    );
    check(libc::SYS_prctl, &[67, 1], INVALID);
    check(libc::SYS_prctl, &[libc::PR_SCHED_CORE as u64, 1], INVALID);
}

#[test]
fn large_pages_are_not_to_be_had() {
    const NONE_FREE: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOMEM as u32;
    check(libc::SYS_mmap, &[0, 1, 3, 0x22], ALLOW);
    check(libc::SYS_mmap, &[0, 1, 3, 0x4_0022], NONE_FREE);
    check(libc::SYS_memfd_create, &[0, 3], ALLOW);
    check(libc::SYS_memfd_create, &[0, 4], NONE_FREE);
    check(libc::SYS_shmget, &[1, 1, 0o1600], ALLOW);
    check(libc::SYS_shmget, &[1, 1, 0o5600], NONE_FREE);
}

#[test]
fn what_others_have_in_the_cache_stays_there() {
    const UNHEEDED: u32 = libc::SECCOMP_RET_ERRNO;
    check(libc::SYS_fadvise64, &[3, 0, 0, 4], UNHEEDED);
    check(libc::SYS_fadvise64, &[3, 0, 0, 3], ALLOW);
}

#[test]
fn the_limit_of_core_dumps_stays() {
    const UNHEEDED: u32 = libc::SECCOMP_RET_ERRNO;
    let core = libc::RLIMIT_CORE.into();
    check(libc::SYS_setrlimit, &[core, 0x7fff_0000_1000], UNHEEDED);
    check(libc::SYS_setrlimit, &[7, 0x7fff_0000_1000], ALLOW);
    check(
        libc::SYS_prlimit64,
        &[0, core, 0x7fff_0000_1000, 0],
        UNHEEDED,
    );
    check(
        libc::SYS_prlimit64,
        &[0, core, 0x7fff_0000_0000, 0],
        UNHEEDED,
    );
    check(libc::SYS_prlimit64, &[0, core, 0, 0x7fff_0000_1000], ALLOW);
    check(libc::SYS_prlimit64, &[0, 7, 0x7fff_0000_1000, 0], ALLOW);
}

#[test]
fn there_is_one_node_of_memory() {
    for call in NODES {
        check(*call, &[], ABSENT);
    }
}

#[test]
fn socket_options_that_reach_further_are_absent() {
    const ABSENT_OPTION: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOPROTOOPT as u32;
    const UNHEEDED: u32 = libc::SECCOMP_RET_ERRNO;
    let check = |level: i32, option: i32, expected| {
        check(
            libc::SYS_setsockopt,
            &[3, level as u64, option as u64],
            expected,
        );
    };
    for (level, option) in [
        (libc::SOL_SOCKET, libc::SO_REUSEADDR),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT),
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
        (libc::IPPROTO_IP, libc::IP_TOS),
        (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT),
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
        (libc::IPPROTO_UDP, libc::UDP_SEGMENT),
    ] {
        check(level, option, ALLOW);
    }
    for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        check(libc::SOL_SOCKET, option, UNHEEDED);
    }
    for (level, option) in [
        (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER),
        (libc::SOL_SOCKET, libc::SO_ATTACH_BPF),
        (libc::SOL_SOCKET, 51), // SO_ATTACH_REUSEPORT_CBPF
        (libc::SOL_SOCKET, 52), // SO_ATTACH_REUSEPORT_EBPF
        (libc::SOL_SOCKET, 32), // SO_SNDBUFFORCE
        (libc::SOL_SOCKET, 33), // SO_RCVBUFFORCE
        (libc::SOL_SOCKET, 73), // SO_RESERVE_MEM
        (libc::SOL_SOCKET, 1_000),
        (libc::IPPROTO_TCP, libc::TCP_ULP),
        (libc::IPPROTO_TCP, libc::TCP_MD5SIG),
        (libc::IPPROTO_TCP, libc::TCP_REPAIR),
        (libc::IPPROTO_IP, libc::IP_OPTIONS),
        (libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP),
        (libc::IPPROTO_IP, 42), // MCAST_JOIN_GROUP
        (libc::IPPROTO_IP, 64), // IPT_SO_SET_REPLACE
        (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP),
        (libc::IPPROTO_IPV6, libc::IPV6_FLOWLABEL_MGR),
        (libc::IPPROTO_IPV6, libc::IPV6_HOPOPTS),
        (libc::IPPROTO_UDP, 100), // UDP_ENCAP
        (270, 1),                 // SOL_NETLINK
        (279, 1),                 // SOL_ALG
        (282, 1),                 // SOL_TLS
    ] {
        check(level, option, ABSENT_OPTION);
    }
}

#[test]
fn the_filter_stays_small() {
    assert!(filter().len() < 600, "{} steps", filter().len());
}
