//! The guard and the worker, from the first step of their program.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use libc::sock_filter;

use super::CALLED;
use crate::seccomp;
use crate::sys::privileges::{self, Resource};
use crate::sys::processes::{self, Reaped, Side, SingleThreaded};
use crate::sys::{confinement, files, mounts, namespaces, signals};
use crate::users::{self, Maps};

/// Open files of a worker: some for each level of folders.
const OPEN_FILES_MAX: u64 = 512;
/// Memory of a worker, bytes, its program's own included.
const MEMORY_BYTES_MAX: u64 = 2 << 30;

/// In a process that [`super::confine`] started, does `work` with its arguments, its root and its
/// input, and does not return; in any other, does nothing. To be called before everything else, as
/// [`crate::become_spawner_if_asked`].
pub fn become_confined_if_asked(work: impl FnOnce(&[String], OwnedFd, OwnedFd) -> Vec<u8>) {
    if !asked() {
        return;
    }
    // The program's own code must not continue in this process, whatever happens.
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| guard(work)));
    processes::exit_now(i32::from(!matches!(ended, Ok(Ok(())))));
}

pub(super) fn asked() -> bool {
    let mut words = std::env::args_os();
    words.next().as_deref() == Some(OsStr::new(CALLED)) && words.count() >= 3
}

/// A guard's arguments.
struct Told {
    user: u32,
    seconds: u64,
    file_bytes_max: u64,
    words: Vec<String>,
}

impl Told {
    fn read() -> Option<Self> {
        let words: Option<Vec<String>> = std::env::args_os()
            .skip(1)
            .map(|word| word.into_string().ok())
            .collect();
        let mut words = words?.into_iter();
        Some(Self {
            user: words.next()?.parse().ok()?,
            seconds: words.next()?.parse().ok()?,
            file_bytes_max: words.next()?.parse().ok()?,
            words: words.collect(),
        })
    }
}

/// What a worker is made of.
struct Worker {
    told: Told,
    users: File,
    tree: OwnedFd,
    input: OwnedFd,
    report: File,
    filter: Vec<sock_filter>,
}

fn guard(work: impl FnOnce(&[String], OwnedFd, OwnedFd) -> Vec<u8>) -> io::Result<()> {
    let broken = || io::Error::from(io::ErrorKind::InvalidInput);
    let alone = SingleThreaded::prove()?.ok_or_else(broken)?;
    let told = Told::read().ok_or_else(broken)?;
    privileges::die_with_parent()?;
    processes::new_session()?;
    privileges::set_process_name(c"lambent-confine")?;
    signals::reset();
    signals::forget_children();
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let report = io::stdout().as_fd().try_clone_to_owned()?;
    let root = io::stderr().as_fd().try_clone_to_owned()?;
    silence()?;
    files::close_all_but(&[
        0,
        1,
        2,
        input.as_raw_fd(),
        report.as_raw_fd(),
        root.as_raw_fd(),
    ])?;
    // Half the scale: if the machine runs out of memory, this is killed before its owner.
    fs::write("/proc/self/oom_score_adj", "500")?;
    files::set_creation_mask(0o022);
    // Of this mount namespace, and so copied with it.
    let tree = mounts::clone_mount(root.as_fd())?;
    mounts::restrict(tree.as_fd(), false, None)?;
    drop(root);
    let map = format!("0 {} 1\n", told.user);
    let maps = Maps {
        users: map.clone(),
        groups: map,
    };
    let (users, _) = users::make(alone, Path::new("/proc"), &maps)?;
    let worker = Worker {
        told,
        users,
        tree,
        input,
        report: report.into(),
        filter: seccomp::confined_filter(),
    };
    match processes::fork(alone, confinement::NAMESPACES, None)? {
        Side::Child => {
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| worker.run(work)));
            processes::exit_now(i32::from(!matches!(ended, Ok(Ok(())))));
        }
        Side::Parent(_) => {
            // Its end of the pipe must be the worker's alone.
            drop(worker);
            loop {
                match processes::reap(true)? {
                    Reaped::NoChild => return Ok(()),
                    Reaped::Ended(..) | Reaped::Nothing => {}
                }
            }
        }
    }
}

/// From here on nothing is read from or written to the standard streams.
fn silence() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for stream in 0..=2 {
        files::duplicate_onto(null.as_fd(), stream)?;
    }
    Ok(())
}

impl Worker {
    fn run(self, work: impl FnOnce(&[String], OwnedFd, OwnedFd) -> Vec<u8>) -> io::Result<()> {
        let Self {
            told,
            users,
            tree,
            input,
            mut report,
            filter,
        } = self;
        privileges::die_with_parent()?;
        mounts::unshare_into_private()?;
        // Any folder can serve as mount point; this one surely exists, and is covered only in here.
        let entrance = Path::new("/proc");
        mounts::attach(tree.as_fd(), entrance)?;
        drop(tree);
        mounts::pivot(entrance)?;
        limit(&told)?;
        namespaces::enter_users(users.as_fd())?;
        drop(users);
        privileges::drop_bounding_set()?;
        privileges::lock_secure_bits()?;
        signals::unblock_all();
        // The one user there is in here, which is not the host's 0.
        privileges::become_user(0, 0)?;
        privileges::set_capabilities(0)?;
        privileges::no_new_privileges()?;
        privileges::not_inspectable()?;
        // The change of user has undone it.
        privileges::die_with_parent()?;
        // As a path only: its owner may let others pass without letting them list it.
        let root = files::open_directory(Path::new("/"))?;
        let kept = [input.as_raw_fd(), report.as_raw_fd(), root.as_raw_fd()];
        files::close_all_but(&[&[0, 1, 2], &kept[..]].concat())?;
        privileges::install_filter(&filter).map(|_| ())?;
        report.write_all(&work(&told.words, root, input))
    }
}

fn limit(told: &Told) -> io::Result<()> {
    // Not 0: with a limit of one byte the kernel starts no program that takes dumps either.
    privileges::limit(Resource::Core, 1)?;
    privileges::limit(Resource::OpenFiles, OPEN_FILES_MAX)?;
    privileges::limit(Resource::RealTimePriority, 0)?;
    privileges::limit(Resource::Niceness, 0)?;
    confinement::limit(told.seconds, told.file_bytes_max, MEMORY_BYTES_MAX)
}
