//! What a confined process needs to read one file and to create others below its root.
//!
//! No new processes or threads, no program to execute, no socket, no signal to others, no mounts, no other
//! namespaces, no device controls.

use std::collections::BTreeMap;

use libc::sock_filter;

use super::program::{Fate, compile};

/// Calls from this number on (Linux 5.1) are absent rather than refused, so that libraries fall back.
const FIRST_NEW: u32 = 424;

const CALLS: &[libc::c_long] = &[
    // For open files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_ftruncate,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    // For what is below the root.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_getdents64,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_mkdirat,
    libc::SYS_symlinkat,
    libc::SYS_readlinkat,
    libc::SYS_linkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // The process itself.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The filter for a confined process.
pub(crate) fn filter() -> Vec<sock_filter> {
    let number = |call: &libc::c_long| u32::try_from(*call).expect("a call's number is small");
    let fates: BTreeMap<u32, Fate> = CALLS
        .iter()
        .map(|call| (number(call), Fate::Allow))
        .collect();
    compile(&fates, FIRST_NEW)
}
