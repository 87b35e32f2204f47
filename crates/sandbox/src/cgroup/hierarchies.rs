//! Where the host has its cgroup controllers, and our parent folder in each hierarchy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::v1::{self, V1, limit_sockets};
use super::v2::{self, V2};
use super::{Controllers, Group, Memory, remove_folder, write_value};
use crate::error::Error;
use crate::machine;

/// The controllers without which there is no isolation.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// A limit for all sockets together that is never reached: an exbibyte.
const SOCKET_BYTES_UNBOUND: u64 = 1 << 60;

/// Where processes of our parent's parent are moved if they are in the way. It stays.
const OWNERS: &str = "lambent-owners";

/// The folder of all sandboxes with one tag, in each hierarchy but v1's of processors.
pub(crate) fn parent_name(tag: &str) -> String {
    format!("lambent-{tag}")
}

/// The prefix of sandboxes' folders where they have no common parent. No tag has a dot.
fn names_begin(tag: &str) -> String {
    format!("lambent-{tag}.")
}

/// What all sandboxes use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Together {
    pub(crate) memory: Memory,
    /// Processes and threads.
    pub(crate) processes: u64,
    pub(crate) processes_max: u64,
}

/// Where cgroup file systems are mounted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mounts {
    v2: Option<PathBuf>,
    /// In the order of [`CONTROLLERS`].
    v1: [Option<PathBuf>; 3],
}

impl Mounts {
    /// Reads the text of `/proc/self/mountinfo`. The first mount of a kind counts.
    fn parse(mountinfo: &str) -> Self {
        let mut mounts = Self::default();
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else {
                continue;
            };
            let Some(place) = left.split(' ').nth(4) else {
                continue;
            };
            let mut right = right.split(' ');
            let (kind, options) = (right.next(), right.nth(1).unwrap_or_default());
            if kind == Some("cgroup2") {
                mounts.v2.get_or_insert_with(|| place.into());
            } else if kind == Some("cgroup") {
                for (slot, controller) in mounts.v1.iter_mut().zip(CONTROLLERS) {
                    if options.split(',').any(|option| option == controller) {
                        slot.get_or_insert_with(|| place.into());
                    }
                }
            }
        }
        mounts
    }

    fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/mountinfo")?))
    }
}

/// This process's own path in each hierarchy: the v2 tree's, then in the order of [`CONTROLLERS`].
fn own_paths(cgroups: &str) -> [PathBuf; 4] {
    let find = |wanted: &str| {
        let path = cgroups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            controllers
                .split(',')
                .any(|one| one == wanted)
                .then_some(path)
        });
        PathBuf::from(path.unwrap_or("/").trim_start_matches('/'))
    };
    [
        find(""),
        find(CONTROLLERS[0]),
        find(CONTROLLERS[1]),
        find(CONTROLLERS[2]),
    ]
}

/// Every folder that [`Hierarchies::prepare`] with this tag may have created, v2's first.
pub(crate) fn candidates(tag: &str) -> io::Result<Vec<PathBuf>> {
    let mounts = Mounts::read()?;
    let own = own_paths(&fs::read_to_string("/proc/self/cgroup")?);
    let mut folders = Vec::new();
    for (mount, own) in [mounts.v2].into_iter().chain(mounts.v1).zip(own) {
        let Some(mount) = mount else { continue };
        for top in [mount.clone(), mount.join(own)] {
            folders.push(top.join(parent_name(tag)));
            folders.extend(without_parent(&top, tag)?);
        }
    }
    Ok(folders)
}

/// The folders of sandboxes that have no common parent, in a folder that may not exist.
fn without_parent(top: &Path, tag: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(top) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let begin = names_begin(tag);
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(begin.as_bytes()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Our parent folders, ready for sandboxes.
pub(crate) struct Hierarchies {
    v2: PathBuf,
    /// `None` where the v2 tree has the controllers.
    v1: Option<Parents>,
    next: AtomicU64,
}

/// Where the groups of sandboxes are in v1 hierarchies.
struct Parents {
    memory: PathBuf,
    pids: PathBuf,
    /// Those of processors have no parent of ours. The kernel would first decide between it and this
    /// server, and one hostile sandbox would use up the turn of all others: milliseconds, again and
    /// again.
    processors: PathBuf,
    /// How their names begin.
    begin: String,
}

impl Parents {
    /// The groups of one sandbox: memory, processors, pids.
    fn of(&self, name: &str) -> [PathBuf; 3] {
        let processors = self.processors.join(format!("{}{name}", self.begin));
        [self.memory.join(name), processors, self.pids.join(name)]
    }
}

impl Hierarchies {
    /// Finds the hierarchies and creates our parent in each: at the top, or if we may not write there,
    /// below the group this process is in. All sandboxes together may use `memory_bytes`.
    pub(crate) fn prepare(tag: &str, memory_bytes: u64) -> Result<Self, Error> {
        let read = Error::step("read where cgroups are mounted");
        let mounts = Mounts::read().map_err(read)?;
        let cgroups = fs::read_to_string("/proc/self/cgroup")
            .map_err(Error::step("read this process's cgroups"))?;
        let [own_v2, own_memory, own_cpu, own_pids] = own_paths(&cgroups);
        let Some(v2) = mounts.v2 else {
            return Err(Error::Unsupported {
                missing: "no cgroup2 file system is mounted",
            });
        };
        let make = Error::step("make a parent cgroup");
        let (top, v2) = make_parent(&v2, &own_v2, tag).map_err(make)?;
        let v1 = match mounts.v1 {
            [Some(memory), Some(cpu), Some(pids)] => {
                let parent = |mount: &Path, own: &Path| {
                    let made = make_parent(mount, own, tag);
                    made.map(|(_, parent)| parent)
                        .map_err(Error::step("make a parent cgroup"))
                };
                let memory = parent(&memory, &own_memory)?;
                // The kernel patches itself when the first such limit is set and when the last one
                // goes; this one stays, and spares sandboxes that.
                let sockets = machine::socket_bytes().unwrap_or(SOCKET_BYTES_UNBOUND);
                limit_sockets(&memory, sockets)
                    .map_err(Error::step("count the memory of sockets"))?;
                Some(Parents {
                    memory,
                    pids: parent(&pids, &own_pids)?,
                    processors: writable(&cpu, &own_cpu, tag)
                        .map_err(Error::step("find where cgroups of processors can be"))?,
                    begin: names_begin(tag),
                })
            }
            [None, None, None] => {
                let mut passed = pass_controllers_down(&top);
                if passed
                    .as_ref()
                    .is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
                {
                    passed = make_room(&top).and_then(|()| pass_controllers_down(&top));
                }
                passed
                    .and_then(|()| pass_controllers_down(&v2))
                    .map_err(Error::step("pass cgroup controllers down"))?;
                None
            }
            _ => {
                let missing = "memory, cpu and pids cgroups must be all v1 or all v2";
                return Err(Error::Unsupported { missing });
            }
        };
        let all = Self {
            v2,
            v1,
            next: AtomicU64::new(1),
        };
        all.limit_all(memory_bytes)
            .map_err(Error::step("limit all sandboxes together"))?;
        Ok(all)
    }

    /// Leaves the machine half of its process numbers, and all memory but `memory_bytes`, however many
    /// sandboxes there are.
    fn limit_all(&self, memory_bytes: u64) -> io::Result<()> {
        let processes = machine::processes()? / 2;
        write_value(&self.pids().join("pids.max"), &processes.to_string())?;
        match &self.v1 {
            Some(parents) => v1::limit_all(&parents.memory, memory_bytes),
            None => v2::limit_all(&self.v2, memory_bytes),
        }
    }

    /// Our parent folder where processes are counted.
    fn pids(&self) -> &Path {
        self.v1.as_ref().map_or(&self.v2, |parents| &parents.pids)
    }

    /// What all sandboxes use.
    pub(crate) fn together(&self) -> io::Result<Together> {
        let read = |file: &str| {
            let text = fs::read_to_string(self.pids().join(file))?;
            // Where there is no limit, the file says "max".
            Ok::<_, io::Error>(text.trim().parse().unwrap_or(u64::MAX))
        };
        let memory = match &self.v1 {
            Some(parents) => v1::memory_of_all(&parents.memory),
            None => v2::memory_of_all(&self.v2),
        };
        Ok(Together {
            memory: memory?,
            processes: read("pids.current")?,
            processes_max: read("pids.max")?,
        })
    }

    /// Creates the groups of one sandbox, whose init will be the host's user `init_uid`.
    pub(crate) fn create(&self, init_uid: u32) -> io::Result<Group> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let made = Group::create(self.v2.join(&name), init_uid, |home| {
            let controllers: Box<dyn Controllers> = match &self.v1 {
                Some(parents) => Box::new(V1::create(parents.of(&name))?),
                None => Box::new(V2::open(home)?),
            };
            Ok(controllers)
        });
        made.inspect_err(|_| self.discard(&name))
    }

    /// Removes what exists of groups that were only partly created.
    fn discard(&self, name: &str) {
        let home = self.v2.join(name);
        let v1 = self.v1.iter().flat_map(|parents| parents.of(name));
        for folder in [home.join("function"), home].into_iter().chain(v1) {
            // What cannot be removed now is found by the next sweep.
            let _ = remove_folder(&folder);
        }
    }

    /// Removes our parents. Groups that are still below one keep it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let v1 = self
            .v1
            .iter()
            .flat_map(|parents| [&parents.memory, &parents.pids]);
        [&self.v2]
            .into_iter()
            .chain(v1)
            .try_for_each(|path| remove_folder(path))
    }
}

/// Creates our parent at the top of a hierarchy or else below our own group; returns where and it.
fn make_parent(mount: &Path, own: &Path, tag: &str) -> io::Result<(PathBuf, PathBuf)> {
    let make = |top: PathBuf| {
        let parent = top.join(parent_name(tag));
        match fs::create_dir(&parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok((top, parent)),
        }
    };
    make(mount.to_owned()).or_else(|_| make(mount.join(own)))
}

/// The top of a hierarchy, or if we may not write there, our own group in it.
fn writable(mount: &Path, own: &Path, tag: &str) -> io::Result<PathBuf> {
    let (top, parent) = make_parent(mount, own, tag)?;
    remove_folder(&parent)?;
    Ok(top)
}

/// Allows the groups below `folder` to have limits.
fn pass_controllers_down(folder: &Path) -> io::Result<()> {
    let file = folder.join("cgroup.subtree_control");
    CONTROLLERS
        .iter()
        .try_for_each(|controller| write_value(&file, &format!("+{controller}")))
}

/// Moves every process of a group into one below it. A group that has processes itself cannot give
/// limits to others, unless it is the topmost of all: in a container, what looks like that one is not.
fn make_room(folder: &Path) -> io::Result<()> {
    let below = folder.join(OWNERS);
    match fs::create_dir(&below) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for member in fs::read_to_string(folder.join("cgroup.procs"))?.lines() {
        match write_value(&below.join("cgroup.procs"), member) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            done => done?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_found_in_either_kind_of_hierarchy() {
        let hybrid = "\
29 23 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
30 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
31 23 0:28 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset
32 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 23 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";
        let path = |name: &str| Some(PathBuf::from(format!("/sys/fs/cgroup/{name}")));
        assert_eq!(
            Mounts::parse(hybrid),
            Mounts {
                v2: path("unified"),
                v1: [path("memory"), path("cpu,cpuacct"), path("pids")]
            }
        );
        let pure = "25 23 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\nx";
        assert_eq!(
            Mounts::parse(pure),
            Mounts {
                v2: Some("/sys/fs/cgroup".into()),
                v1: [None, None, None]
            }
        );
    }

    #[test]
    fn groups_without_a_parent_are_found_by_their_tag() {
        let top = tempfile::tempdir().unwrap();
        for name in ["lambent-a.1", "lambent-a.22", "lambent-ab.1", "lambent-a"] {
            fs::create_dir(top.path().join(name)).unwrap();
        }
        let mut found = without_parent(top.path(), "a").unwrap();
        found.sort();
        let wanted = ["lambent-a.1", "lambent-a.22"].map(|name| top.path().join(name));
        assert_eq!(found, wanted);
        let none = without_parent(&top.path().join("none"), "a").unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn our_own_group_is_found_in_each_hierarchy() {
        let cgroups = "5:cpu,cpuacct:/a\n4:memory:/b/c\n3:pids:/\n0::/user.slice\n";
        let found = own_paths(cgroups).map(|path| path.display().to_string());
        assert_eq!(found, ["user.slice", "b/c", "a", ""]);
    }
}
