//! From a copy of the spawner to a sandbox: everything up to the first message to the owner.
//!
//! First what any sandbox has, then what this one is to have, both of which need the host's rights,
//! then giving them up. Afterwards neither this process nor any it forks can get them back.

use std::fs::{self, File};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use super::function::{Launch, enter_users};
use crate::error::Error;
use crate::message::{Furnish, Mount};
use crate::spawner::{EMPTY, PRIVATE};
use crate::sys::processes::{self, Reaped, SingleThreaded};
use crate::sys::{files, mounts, namespaces, privileges, signals};
use crate::users::{self, Maps};

/// What init keeps, over its own user namespace alone: to become the function's user (`SETGID`,
/// `SETUID`), to empty its capabilities (`SETPCAP`), to kill it (`KILL`) and to give it a cgroup
/// namespace (`SYS_ADMIN`). As bits by capability number.
const INIT_CAPABILITIES: u64 = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 21;

/// Files of `/proc` that reveal something about the host or change it. Most belong to the host's root
/// to begin with, and this is the second lock. The last four do not: interrupt and disk counters from
/// one moment to the next reveal what others do.
const MASKED: &[&str] = &[
    "kcore",
    "keys",
    "key-users",
    "kallsyms",
    "kmsg",
    "timer_list",
    "sysrq-trigger",
    "cmdline",
    "diskstats",
    "interrupts",
    "softirqs",
];

/// How long others wait, and a way to have the kernel watch that.
const PRESSURE: &str = "pressure";

/// What does not depend on which sandbox it will be. Returns `/dev/null`.
pub(super) fn begin(network: OwnedFd) -> Result<OwnedFd, Error> {
    signals::heed_children();
    // Waiting in the pool it must not outlive its spawner either.
    privileges::die_with_parent().map_err(Error::step("tie an init's life to its spawner's"))?;
    privileges::set_process_name(c"lambent-init").map_err(Error::step("name an init"))?;
    namespaces::enter_network(network.as_fd()).map_err(Error::step("enter the network"))?;
    proc().map_err(Error::step("mount /proc"))?;
    let null = File::open("/dev/null").map_err(Error::step("open /dev/null"))?;
    Ok(null.into())
}

/// Makes this process the init of a sandbox. `uid` is the host's user that it will be, `trees` the
/// mounts that came along. Returns the root of `/tmp`, as a path only.
pub(super) fn finish(
    wanted: &Furnish,
    trees: Vec<OwnedFd>,
    launch: &Launch<'_>,
    uid: u32,
) -> Result<OwnedFd, Error> {
    let mut trees = trees.into_iter();
    mount_all(wanted, &mut trees, uid)?;
    share_all(&wanted.shares, trees.collect(), uid + 1, launch.alone)?;
    namespaces::set_host_name(&wanted.hostname).map_err(Error::step("set the host name"))?;
    let tmp = files::open_directory(Path::new("/tmp")).map_err(Error::step("open /tmp"))?;
    give_up_rights(launch.users).map_err(Error::step("give up the host's rights"))?;
    Ok(tmp)
}

/// Mounts what differs from sandbox to sandbox. `root` is the host's user that is 0 inside, whose `/tmp` it is,
/// open to all.
fn mount_all(
    wanted: &Furnish,
    trees: &mut impl Iterator<Item = OwnedFd>,
    root: u32,
) -> Result<(), Error> {
    let mut attach = |at: &str, step| {
        let tree = trees.next().ok_or(Error::Protocol)?;
        mounts::attach(tree.as_fd(), Path::new(at)).map_err(Error::step(step))
    };
    attach("/var/task", "show /var/task")?;
    if wanted.opt {
        attach("/opt", "show /opt")?;
    }
    if let Some(runtime) = &wanted.runtime {
        show_runtime(runtime).map_err(Error::step("show /var/runtime"))?;
    }
    let options = format!("size={},mode=1777,uid={root},gid={root}", wanted.tmp_bytes);
    mounts::mount("tmpfs", Path::new("/tmp"), libc::MS_NODEV, &options)
        .map_err(Error::step("mount /tmp"))?;
    // Permanently: nobody inside can remove the cover. To unmount would wait for all processors.
    mounts::bind(Path::new(EMPTY), Path::new(PRIVATE))
        .map_err(Error::step("cover the folders mounted from"))
}

/// Mounts one of the private folder's runtimes. Its mount is read-only, without setuid and devices,
/// since the one it is copied from is.
fn show_runtime(path: &str) -> std::io::Result<()> {
    let folder = files::open_directory(&Path::new(PRIVATE).join("runtimes"))?;
    let place = files::open_beneath(folder.as_fd(), Path::new(path))?;
    let tree = mounts::clone_mount(place.as_fd())?;
    mounts::attach(tree.as_fd(), Path::new("/var/runtime"))
}

/// Mounts the shared folders below `/mnt`, to which nothing else can then be added. `user` is the
/// host's that the function is.
fn share_all(
    shares: &[Mount],
    trees: Vec<OwnedFd>,
    user: u32,
    alone: SingleThreaded,
) -> Result<(), Error> {
    if shares.is_empty() {
        return Ok(());
    }
    if shares.len() != trees.len() {
        return Err(Error::Protocol);
    }
    let folder = Path::new("/mnt");
    mounts::mount("tmpfs", folder, libc::MS_NODEV, "size=64k,mode=0755")
        .map_err(Error::step("mount /mnt"))?;
    for (share, tree) in shares.iter().zip(trees) {
        share_one(share, &tree, user, alone).map_err(|source| Error::Share {
            name: share.name.clone(),
            source,
        })?;
    }
    mounts::make_read_only(folder, libc::MS_NODEV).map_err(Error::step("make /mnt read-only"))
}

fn share_one(
    share: &Mount,
    tree: &OwnedFd,
    user: u32,
    alone: SingleThreaded,
) -> std::io::Result<()> {
    let users = match share.user {
        None => None,
        Some(owner) => {
            let maps = Maps::of_mount(owner, user);
            let (users, process) = users::make(alone, Path::new("/proc"), &maps)?;
            collect(process)?;
            Some(users)
        }
    };
    mounts::restrict(
        tree.as_fd(),
        share.read_only,
        users.as_ref().map(File::as_fd),
    )?;
    let place = Path::new("/mnt").join(&share.name);
    fs::create_dir(&place)?;
    mounts::attach(tree.as_fd(), &place)
}

/// Waits for a child's end, so that it is not mistaken for one of the function's. Another child that
/// ends meanwhile is the standby, and whatever starts it will notice.
fn collect(process: i32) -> std::io::Result<()> {
    loop {
        match processes::reap(true)? {
            Reaped::Ended(ended, _) if ended != process => {}
            Reaped::Ended(..) | Reaped::Nothing | Reaped::NoChild => return Ok(()),
        }
    }
}

/// `/proc` of the new pid namespace. A process sees those of its own user only, and so not init.
fn proc() -> std::io::Result<()> {
    let proc = Path::new("/proc");
    let flags = libc::MS_NODEV | libc::MS_NOEXEC;
    mounts::mount("proc", proc, flags, "hidepid=2")?;
    let masks = MASKED.iter().map(|name| ("/dev/null", *name));
    for (mask, name) in masks.chain([(EMPTY, PRESSURE)]) {
        match mounts::bind(Path::new(mask), &proc.join(name)) {
            // Kernels differ in what they have there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    let sys = proc.join("sys");
    // Shared memory ends with the processes that share it: otherwise a killed function's would stay
    // charged.
    fs::write(sys.join("kernel/shm_rmid_forced"), "1")?;
    mounts::bind(&sys, &sys)?;
    mounts::make_read_only(&sys, flags)
}

fn give_up_rights(users: &File) -> std::io::Result<()> {
    enter_users(users)?;
    privileges::become_user(0, 0)?;
    privileges::set_capabilities(INIT_CAPABILITIES)?;
    privileges::no_new_privileges()?;
    // Both last: the change of user undoes them.
    privileges::not_inspectable()?;
    privileges::die_with_parent()
}
