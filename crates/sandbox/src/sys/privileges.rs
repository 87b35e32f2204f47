//! What a process may do: identity, capabilities, limits, seccomp.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use super::check;

/// The highest capability number that is tried. The kernel refuses those it doesn't know, which ends
/// the loop; 63 is what its 64-bit sets can hold at most.
const LAST_CAPABILITY: libc::c_ulong = 63;

/// Keep these capabilities out of reach permanently: no rights from being user 0 at exec, no ambient
/// set, no keeping of capabilities across a change of user; each locked.
const SECURE_BITS: libc::c_ulong = 0x01 | 0x02 | 0x20 | 0x40 | 0x80;

/// Becomes one user and one group in all three senses, with no other groups.
pub(crate) fn become_user(uid: libc::uid_t, gid: libc::gid_t) -> io::Result<()> {
    // SAFETY: a count of zero means that the null pointer is not read.
    check(unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) })?;
    // SAFETY: takes integers. The process has one thread, so the raw call is the whole process's.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })?;
    Ok(())
}

/// Empties the bounding set: nothing this process or its children execute can gain a capability.
pub(crate) fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..=LAST_CAPABILITY {
        match control(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && capability > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Locks the rules by which exec could give capabilities back.
pub(crate) fn lock_secure_bits() -> io::Result<()> {
    control(libc::PR_SET_SECUREBITS, SECURE_BITS)
}

/// The capabilities that survive: a set of bits by capability number. Nothing is inheritable.
pub(crate) fn set_capabilities(kept: u64) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let (low, high) = (kept as u32, (kept >> 32) as u32);
    let data = [
        Data {
            effective: low,
            permitted: low,
            inheritable: 0,
        },
        Data {
            effective: high,
            permitted: high,
            inheritable: 0,
        },
    ];
    // SAFETY: version 3 of the call reads one header and two data records, which these are.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

/// Nothing this process or its children execute can gain rights.
pub(crate) fn no_new_privileges() -> io::Result<()> {
    control(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Only a process with rights over this process's user namespace may look into it.
pub(crate) fn not_inspectable() -> io::Result<()> {
    control(libc::PR_SET_DUMPABLE, 0)
}

/// The kernel kills this process when the thread that forked it ends. A change of user undoes it.
pub(crate) fn die_with_parent() -> io::Result<()> {
    control(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
}

/// The name that tools for listing processes show: 15 bytes at most.
pub(crate) fn set_process_name(name: &std::ffi::CStr) -> io::Result<()> {
    control(libc::PR_SET_NAME, name.as_ptr() as libc::c_ulong)
}

fn control(operation: libc::c_int, argument: libc::c_ulong) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: callers give operations that take an integer, or a pointer that outlives the call.
    check(unsafe { libc::prctl(operation, argument, zero, zero, zero) })?;
    Ok(())
}

/// Which resource a limit is of.
#[derive(Clone, Copy)]
pub(crate) enum Resource {
    /// Open descriptors of a process.
    OpenFiles,
    /// Bytes of a core dump.
    Core,
    /// The highest real-time priority.
    RealTimePriority,
    /// How far below zero "nice" may go.
    Niceness,
    /// Bytes of memory kept from being moved.
    LockedMemory,
    /// Processes and threads of one user.
    Processes,
}

/// The limits that are lifted for functions, as on Lambda: what counts is the cgroup's memory, and the
/// time of an invoke. Not pending signals: the kernel makes room for them whatever a cgroup's limit is.
/// Not the size of files: an operator who limits that for the server means shared folders, to which
/// functions write.
const UNLIMITED: [libc::__rlimit_resource_t; 7] = [
    libc::RLIMIT_CPU,
    libc::RLIMIT_DATA,
    libc::RLIMIT_RSS,
    libc::RLIMIT_AS,
    libc::RLIMIT_LOCKS,
    libc::RLIMIT_MSGQUEUE,
    libc::RLIMIT_RTTIME,
];
/// Bytes of a stack at first (AWS). It may be made larger.
const STACK_BYTES: u64 = 8 << 20;

/// Removes the limits that the server's parent process set, and gives stacks those of Lambda. Needs the
/// host's rights; on a host that does not give them, the limits stay.
pub(crate) fn lift_limits() -> io::Result<()> {
    let all = UNLIMITED.map(|resource| (resource, libc::RLIM_INFINITY));
    for (resource, soft) in all.into_iter().chain([(libc::RLIMIT_STACK, STACK_BYTES)]) {
        match set(resource, soft, libc::RLIM_INFINITY) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            done => done?,
        }
    }
    Ok(())
}

/// Sets both the soft and the hard limit.
pub(crate) fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let resource = match resource {
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::RealTimePriority => libc::RLIMIT_RTPRIO,
        Resource::Niceness => libc::RLIMIT_NICE,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
    };
    set(resource, value, value)
}

fn set(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: limit is a valid rlimit for the whole call.
    check(unsafe { libc::setrlimit(resource, &raw const limit) })?;
    Ok(())
}

/// Neither this process nor its children leave a core dump, nor start the machine's program that takes
/// them: it runs as the machine's root and reads the memory of an untrusted process. A limit of zero
/// does not keep the kernel from starting that program; a limit of one byte, which the kernel treats as
/// the mark of that program itself, does.
pub(crate) fn no_core_dumps() -> io::Result<()> {
    limit(Resource::Core, 1)
}

/// Raises the soft limit of open descriptors to the hard one; returns that.
pub(crate) fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: limit is a valid place for the kernel to write to.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: limit is a valid rlimit for the whole call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_max)
}

/// The process that waits can be killed, and is not disturbed otherwise. Since Linux 5.19.
const WAIT_UNDISTURBED: libc::c_ulong = 1 << 5;

/// Installs a filter on every system call this process and its children will ever make. Returns the
/// listener for the calls that wait for an answer; `None` if the kernel offers none, or another
/// listener around this process exists already: such calls are absent then.
pub(crate) fn install_filter(program: &[libc::sock_filter]) -> io::Result<Option<OwnedFd>> {
    let listening = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    for flags in [listening | WAIT_UNDISTURBED, listening] {
        match install(program, flags) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EBUSY)) => {}
            // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
            done => return done.map(|fd| Some(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })),
        }
    }
    install(program, 0).map(|_| None)
}

fn install(program: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<i64> {
    let length = u16::try_from(program.len())
        .map_err(|_| io::Error::other("the filter is longer than the kernel takes"))?;
    let program = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    let operation = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: program names a valid array of its length; the kernel copies and never writes it.
    check(unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const program) })
}
