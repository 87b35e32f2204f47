//! Limits where the host has its controllers in v1 hierarchies, one folder in each.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use super::{
    CPU_PERIOD_US, Controllers, CpuWeight, Limits, Memory, cpu_quota_us, open_write,
    read_from_start, read_number, value_of, weigh, write_value,
};

/// The kernel's shares that correspond to one whole processor, and their bounds. The server, and other
/// programs of the machine, have 1024 and so get their turn four times as soon.
const SHARES: u64 = 256;
const SHARES_MIN: u64 = 2;
const SHARES_MAX: u64 = 262_144;

/// Limits what TCP and UDP sockets buffer, where the kernel can.
pub(super) fn limit_sockets(memory_group: &Path, bytes: u64) -> io::Result<()> {
    let file = memory_group.join("memory.kmem.tcp.limit_in_bytes");
    match write_value(&file, &bytes.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// What a memory group and all below it use.
pub(super) fn memory_of_all(group: &Path) -> io::Result<Memory> {
    let read = |file: &str| fs::read_to_string(group.join(file));
    let number = |file: &str| Ok::<u64, io::Error>(read(file)?.trim().parse().unwrap_or(0));
    let stat = read("memory.stat")?;
    let cache = value_of(&stat, "total_inactive_file") + value_of(&stat, "total_active_file");
    let sockets = number("memory.kmem.tcp.usage_in_bytes").unwrap_or(0);
    Ok(Memory {
        used: number("memory.usage_in_bytes")?.saturating_add(sockets),
        cache,
    })
}

/// Limits what a memory group and all below it use.
pub(super) fn limit_all(group: &Path, bytes: u64) -> io::Result<()> {
    write_value(&group.join("memory.limit_in_bytes"), &bytes.to_string())
}

/// One sandbox's groups.
pub(super) struct V1 {
    folders: [PathBuf; 3],
    entrances: [File; 3],
    usage: File,
    /// What sockets buffer, which v1 does not count with the rest. Where the kernel reports it.
    sockets: Option<File>,
    kernel: Option<File>,
    peak: File,
    stat: File,
    oom: File,
}

impl V1 {
    /// Makes the groups: memory, cpu, pids.
    pub(super) fn create(folders: [PathBuf; 3]) -> io::Result<Self> {
        for folder in &folders {
            fs::create_dir(folder)?;
        }
        let entrance = |folder: &Path| open_write(&folder.join("tasks"));
        let memory = |file: &str| File::open(folders[0].join(file));
        Ok(Self {
            entrances: [
                entrance(&folders[0])?,
                entrance(&folders[1])?,
                entrance(&folders[2])?,
            ],
            usage: memory("memory.usage_in_bytes")?,
            sockets: memory("memory.kmem.tcp.usage_in_bytes").ok(),
            kernel: memory("memory.kmem.usage_in_bytes").ok(),
            peak: memory("memory.max_usage_in_bytes")?,
            stat: memory("memory.stat")?,
            oom: memory("memory.oom_control")?,
            folders,
        })
    }
}

impl Controllers for V1 {
    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let [memory, cpu, pids] = &self.folders;
        let bytes = limits.memory_bytes.to_string();
        write_value(&memory.join("memory.limit_in_bytes"), &bytes)?;
        match write_value(&memory.join("memory.memsw.limit_in_bytes"), &bytes) {
            // The host does not count swap: then at least none of ours goes there by choice.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_value(&memory.join("memory.swappiness"), "0")?;
            }
            done => done?,
        }
        // Off unless asked for: what sockets buffer would otherwise be charged to nobody.
        limit_sockets(memory, limits.socket_bytes)?;
        // Always, since a share may be set later.
        write_value(&cpu.join("cpu.cfs_period_us"), &CPU_PERIOD_US.to_string())?;
        if let Some(millis) = limits.cpu_millis {
            self.limit_cpu(millis)?;
        }
        self.weigh_cpu(limits.cpu_weight)?;
        write_value(&pids.join("pids.max"), &limits.processes.to_string())
    }

    fn limit_cpu(&self, cpu_millis: u32) -> io::Result<()> {
        let quota = cpu_quota_us(cpu_millis).to_string();
        write_value(&self.folders[1].join("cpu.cfs_quota_us"), &quota)
    }

    fn weigh_cpu(&self, weight: CpuWeight) -> io::Result<()> {
        weigh(&self.folders[1], "cpu.shares", weight, |share| {
            (u64::from(share) * SHARES / 1_000).clamp(SHARES_MIN, SHARES_MAX)
        })
    }

    fn entrances(&self) -> Vec<BorrowedFd<'_>> {
        self.entrances.iter().map(|file| file.as_fd()).collect()
    }

    fn memory_used(&self) -> io::Result<u64> {
        let sockets = self.sockets.as_ref().map_or(Ok(0), read_number)?;
        Ok(read_number(&self.usage)?.saturating_add(sockets))
    }

    fn processes(&self) -> io::Result<u64> {
        read_number(&File::open(self.folders[2].join("pids.current"))?)
    }

    fn memory_kernel(&self) -> io::Result<u64> {
        self.kernel.as_ref().map_or(Ok(0), read_number)
    }

    fn memory(&self) -> io::Result<Memory> {
        let stat = read_from_start(&self.stat)?;
        let cache = value_of(&stat, "inactive_file") + value_of(&stat, "active_file");
        Ok(Memory {
            used: self.memory_used()?,
            cache,
        })
    }

    fn memory_peak(&self) -> io::Result<u64> {
        read_number(&self.peak)
    }

    fn memory_kills(&self) -> io::Result<u64> {
        Ok(value_of(&read_from_start(&self.oom)?, "oom_kill"))
    }

    fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}
