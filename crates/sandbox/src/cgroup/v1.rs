//! Limits where the host has its controllers in v1 hierarchies, one folder in each.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use super::{
    CPU_PERIOD_US, Controllers, Limits, Memory, cpu_quota_us, open_write, read_from_start,
    read_number, value_of, write_value,
};

/// Limits what TCP and UDP sockets buffer, where the kernel can.
pub(super) fn limit_sockets(memory_group: &Path, bytes: &str) -> io::Result<()> {
    match write_value(&memory_group.join("memory.kmem.tcp.limit_in_bytes"), bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// One sandbox's groups.
pub(super) struct V1 {
    folders: [PathBuf; 3],
    entrances: [File; 3],
    usage: File,
    peak: File,
    stat: File,
    oom: File,
}

impl V1 {
    /// Makes the group `name` below each of the parents: memory, cpu, pids.
    pub(super) fn create(parents: &[PathBuf; 3], name: &str) -> io::Result<Self> {
        let folders = parents.clone().map(|parent| parent.join(name));
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
        // Off unless asked for: what sockets buffer would else be nobody's.
        limit_sockets(memory, &bytes)?;
        // Always, since a share may be set later.
        write_value(&cpu.join("cpu.cfs_period_us"), &CPU_PERIOD_US.to_string())?;
        if let Some(millis) = limits.cpu_millis {
            self.limit_cpu(millis)?;
        }
        write_value(&pids.join("pids.max"), &limits.processes.to_string())
    }

    fn limit_cpu(&self, cpu_millis: u32) -> io::Result<()> {
        let quota = cpu_quota_us(cpu_millis).to_string();
        write_value(&self.folders[1].join("cpu.cfs_quota_us"), &quota)
    }

    fn entrances(&self) -> Vec<BorrowedFd<'_>> {
        self.entrances.iter().map(|file| file.as_fd()).collect()
    }

    fn memory_used(&self) -> io::Result<u64> {
        read_number(&self.usage)
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
