//! Limits where the host has its controllers in the v2 tree: on the sandbox's home group.
//!
//! Init is counted along with the function there (the kernel limits a group with all below it), so
//! limits have a little room for it.

use std::fs::{self, File};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use super::{
    CPU_PERIOD_US, Controllers, CpuWeight, Limits, Memory, cpu_quota_us, read_from_start,
    read_number, value_of, weigh, write_value,
};

/// What init itself may use over time: its copied pages and page tables, some hundred KiB.
const INIT_BYTES: u64 = 2 << 20;

/// What a group and all below it use.
pub(super) fn memory_of_all(group: &Path) -> io::Result<Memory> {
    let stat = fs::read_to_string(group.join("memory.stat"))?;
    Ok(Memory {
        used: read_number(&File::open(group.join("memory.current"))?)?,
        cache: value_of(&stat, "inactive_file") + value_of(&stat, "active_file"),
    })
}

/// Limits what a group and all below it use.
pub(super) fn limit_all(group: &Path, bytes: u64) -> io::Result<()> {
    write_value(&group.join("memory.max"), &bytes.to_string())
}

/// One sandbox's limits.
pub(super) struct V2 {
    home: PathBuf,
    current: File,
    peak: Option<File>,
    stat: File,
    events: File,
}

impl V2 {
    /// Takes over the group that exists at `home`.
    pub(super) fn open(home: &Path) -> io::Result<Self> {
        let open = |file: &str| File::open(home.join(file));
        Ok(Self {
            home: home.to_owned(),
            current: open("memory.current")?,
            // Since Linux 5.19.
            peak: open("memory.peak").ok(),
            stat: open("memory.stat")?,
            events: open("memory.events")?,
        })
    }
}

impl Controllers for V2 {
    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let bytes = (limits.memory_bytes + INIT_BYTES).to_string();
        write_value(&self.home.join("memory.max"), &bytes)?;
        match write_value(&self.home.join("memory.swap.max"), "0") {
            // A kernel without swap accounting: the host's own choice.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
        if let Some(millis) = limits.cpu_millis {
            self.limit_cpu(millis)?;
        }
        self.weigh_cpu(limits.cpu_weight)?;
        write_value(
            &self.home.join("pids.max"),
            &(limits.processes + 1).to_string(),
        )
    }

    fn limit_cpu(&self, cpu_millis: u32) -> io::Result<()> {
        let quota = cpu_quota_us(cpu_millis);
        write_value(
            &self.home.join("cpu.max"),
            &format!("{quota} {CPU_PERIOD_US}"),
        )
    }

    fn weigh_cpu(&self, weight: CpuWeight) -> io::Result<()> {
        // The sibling groups are sandboxes, too, so only their weights relative to each other matter.
        weigh(&self.home, "cpu.weight", weight, |share| {
            u64::from(share).clamp(1, 10_000)
        })
    }

    fn entrances(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn memory_used(&self) -> io::Result<u64> {
        Ok(read_number(&self.current)?.saturating_sub(INIT_BYTES))
    }

    fn processes(&self) -> io::Result<u64> {
        read_number(&File::open(self.home.join("pids.current"))?)
    }

    fn memory_kernel(&self) -> io::Result<u64> {
        Ok(value_of(&read_from_start(&self.stat)?, "kernel"))
    }

    fn memory(&self) -> io::Result<Memory> {
        let stat = read_from_start(&self.stat)?;
        let cache = value_of(&stat, "inactive_file") + value_of(&stat, "active_file");
        let used = self.memory_used()?;
        Ok(Memory {
            used,
            cache: cache.min(used),
        })
    }

    fn memory_peak(&self) -> io::Result<u64> {
        match &self.peak {
            Some(peak) => Ok(read_number(peak)?.saturating_sub(INIT_BYTES)),
            None => self.memory_used(),
        }
    }

    fn memory_kills(&self) -> io::Result<u64> {
        Ok(value_of(&read_from_start(&self.events)?, "oom_kill"))
    }

    fn folders(&self) -> &[PathBuf] {
        &[]
    }
}
