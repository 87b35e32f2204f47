//! The cgroups of a sandbox: its limits, and the means to freeze it.
//!
//! ```text
//!   <v2 tree>/lambent-<tag>/<n>/            the sandbox's init lives here
//!   <v2 tree>/lambent-<tag>/<n>/function/   the function's processes: frozen as one
//! ```
//!
//! Where the host has the controllers in the v2 tree, `<n>` carries the limits. Where they are in v1
//! hierarchies, each has a `lambent-<tag>/<n>` that function processes enter as they start; that of
//! processors, a `lambent-<tag>.<n>`. Either way init is not frozen, not killed and not throttled
//! along with the function.
//!
//! A process enters the v2 group as it is forked, and a v1 group by writing "0" to its `tasks`: both
//! spare the lock that moving another process takes, which can cost milliseconds. Init may put
//! its children from `<n>` to `function` since it owns both `cgroup.procs` files; no function sees
//! a cgroup file system at all.
//!
//! Killing is init's business, not `cgroup.kill`'s: after that was used once, Linux 6.18 kills every
//! process that is later forked into the group from outside it, before it has run at all.

mod hierarchies;
mod v1;
mod v2;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::spec::CpuWeight;

pub(crate) use hierarchies::{Hierarchies, candidates, parent_name};

/// The kernel's processor quota is per this many microseconds: Lambda's own period, as measured
/// from inside it. A function that has used up its share waits for milliseconds, and not for the
/// tenth of a second of the kernel's default.
const CPU_PERIOD_US: u64 = 20_000;
/// The kernel's least quota.
const CPU_QUOTA_US_MIN: u64 = 1_000;

/// What a sandbox may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes that the kernel itself enforces; the finer rule is [`crate::process`]'s.
    pub(crate) memory_bytes: u64,
    /// Bytes that sockets may buffer, where the kernel counts them on their own.
    pub(crate) socket_bytes: u64,
    /// Thousandths of a CPU; `None` where more than the host has was asked for.
    pub(crate) cpu_millis: Option<u32>,
    /// Its priority over other sandboxes when there are not enough processors.
    pub(crate) cpu_weight: CpuWeight,
    /// Processes and threads.
    pub(crate) processes: u32,
}

/// Microseconds of processor time in each period for a share of `cpu_millis` thousandths of a CPU.
fn cpu_quota_us(cpu_millis: u32) -> u64 {
    (u64::from(cpu_millis) * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_US_MIN)
}

/// What the sandbox holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Everything charged to it.
    pub(crate) used: u64,
    /// The part of that which the kernel would reclaim if memory ran short: cached files.
    pub(crate) cache: u64,
}

/// The limiting part, which depends on where the host has its controllers.
pub(crate) trait Controllers: Send + Sync {
    /// Sets all limits.
    fn limit(&self, limits: &Limits) -> io::Result<()>;
    /// Changes only the processor's share, thousandths of a CPU.
    fn limit_cpu(&self, cpu_millis: u32) -> io::Result<()>;
    /// Changes its priority over other sandboxes, see [`Limits::cpu_weight`].
    fn weigh_cpu(&self, weight: CpuWeight) -> io::Result<()>;
    /// Files to which a process writes "0" to come under the limits.
    fn entrances(&self) -> Vec<BorrowedFd<'_>>;
    /// Reads how much is in use, which is cheaper than [`Controllers::memory`].
    fn memory_used(&self) -> io::Result<u64>;
    /// The part of it that the kernel took for what processes had it do.
    fn memory_kernel(&self) -> io::Result<u64>;
    /// How many processes and threads there are.
    fn processes(&self) -> io::Result<u64>;
    /// Reads what is in use.
    fn memory(&self) -> io::Result<Memory>;
    /// The most that was in use at once.
    fn memory_peak(&self) -> io::Result<u64>;
    /// How many processes the kernel killed for lack of memory.
    fn memory_kills(&self) -> io::Result<u64>;
    /// The folders to remove, which by then contain no processes and no folders.
    fn folders(&self) -> &[PathBuf];
}

/// The cgroups of one sandbox. Dropping it removes them, which works only when nothing lives there.
pub(crate) struct Group {
    home: PathBuf,
    function: PathBuf,
    home_folder: File,
    function_folder: File,
    freeze: File,
    controllers: Box<dyn Controllers>,
}

impl Group {
    /// Creates them. `home` is in the v2 tree; `init_uid` will own the entrance to `function`.
    fn create(
        home: PathBuf,
        init_uid: u32,
        controllers: impl FnOnce(&Path) -> io::Result<Box<dyn Controllers>>,
    ) -> io::Result<Self> {
        use std::os::unix::fs::chown;
        let function = home.join("function");
        fs::create_dir(&home)?;
        fs::create_dir(&function)?;
        chown(home.join("cgroup.procs"), Some(init_uid), None)?;
        chown(function.join("cgroup.procs"), Some(init_uid), None)?;
        Ok(Self {
            home_folder: File::open(&home)?,
            function_folder: File::open(&function)?,
            freeze: open_write(&function.join("cgroup.freeze"))?,
            controllers: controllers(&home)?,
            function,
            home,
        })
    }

    /// The limiting part.
    pub(crate) fn controllers(&self) -> &dyn Controllers {
        &*self.controllers
    }

    /// Where init is forked into.
    pub(crate) fn home(&self) -> BorrowedFd<'_> {
        self.home_folder.as_fd()
    }

    /// Where init forks functions into.
    pub(crate) fn function(&self) -> BorrowedFd<'_> {
        self.function_folder.as_fd()
    }

    /// The processor time it has used, which the kernel counts in the v2 tree wherever the controllers are.
    pub(crate) fn cpu_used(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(self.home.join("cpu.stat"))?;
        Ok(Duration::from_micros(value_of(&stat, "usage_usec")))
    }

    /// Freezes the function's processes, or thaws them. The kernel does it as each next enters or
    /// leaves it, which takes microseconds; asking whether it has costs far more than that.
    pub(crate) fn set_frozen(&self, frozen: bool) -> io::Result<()> {
        self.freeze
            .write_all_at(if frozen { b"1" } else { b"0" }, 0)
    }

    /// Removes the folders. Busy while a process is still exiting: try again then.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for folder in [&self.function, &self.home]
            .into_iter()
            .chain(self.controllers.folders())
        {
            remove_folder(folder)?;
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // After a clean end they no longer exist; after another, the next sweep finds them.
        let _ = self.remove();
    }
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn open_write(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Writes one of the kernel's files, which must exist.
pub(crate) fn write_value(path: &Path, value: &str) -> io::Result<()> {
    open_write(path)?.write_all_at(value.as_bytes(), 0)
}

/// Sets a group's weight in the kernel's file of weights, in which a share is the number that `kernels`
/// gives.
fn weigh(
    group: &Path,
    file: &str,
    weight: CpuWeight,
    kernels: impl Fn(u32) -> u64,
) -> io::Result<()> {
    let idle = group.join("cpu.idle");
    let share = match weight {
        CpuWeight::Share(share) => share,
        CpuWeight::Rest => match write_value(&idle, "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            done => return done,
        },
    };
    let file = group.join(file);
    let number = kernels(share).to_string();
    match write_value(&file, &number) {
        // As long as it is idle.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            write_value(&idle, "0")?;
            write_value(&file, &number)
        }
        done => done,
    }
}

/// Reads a small file from its start, as the kernel generates it for each read.
pub(crate) fn read_from_start(file: &File) -> io::Result<String> {
    // The longest, memory.stat, has some 70 lines.
    let mut buffer = [0; 8192];
    let length = file.read_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn read_number(file: &File) -> io::Result<u64> {
    let text = read_from_start(file)?;
    text.trim()
        .parse()
        .map_err(|_| io::Error::other("the kernel's file holds no number"))
}

/// The value of one line of `key value` lines; zero when there is none of that key.
fn value_of(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(key)?
                .strip_prefix(' ')?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_key() {
        let text = "total_inactive_file 9\ninactive_file 4096\nactive_file 12\n";
        assert_eq!(value_of(text, "inactive_file"), 4096);
        assert_eq!(value_of(text, "active_file"), 12);
        assert_eq!(value_of(text, "file"), 0);
    }

    #[test]
    fn a_share_of_a_cpu_is_that_share_of_the_period() {
        assert_eq!(cpu_quota_us(72), 1_440);
        assert_eq!(cpu_quota_us(10), CPU_QUOTA_US_MIN);
    }
}
