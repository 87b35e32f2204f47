//! A sandbox's share of the processors: in force while the function runs, lifted while it dies.

use std::io;

use super::locked;
use super::supervisor::Inside;
use crate::cgroup::Limits;

/// The share, and whether it is lifted.
pub(super) struct Cpu {
    /// What the host has, thousandths of a CPU.
    host_millis: u32,
    /// What the function may use; `None` where that is more than the host has.
    share: Option<u32>,
    lifted: bool,
}

impl Cpu {
    /// Without a limit yet.
    pub(super) fn new(host_millis: u32) -> Self {
        Self {
            host_millis,
            share: None,
            lifted: false,
        }
    }
}

impl Inside {
    /// Sets all limits of a sandbox in which nothing runs yet.
    pub(super) fn limit(&self, limits: &Limits) -> io::Result<()> {
        let mut cpu = locked(&self.cpu);
        self.group.controllers().limit(limits)?;
        cpu.share = limits.cpu_millis;
        Ok(())
    }

    /// Changes the share.
    pub(super) fn limit_cpu(&self, millis: u32) -> io::Result<()> {
        let mut cpu = locked(&self.cpu);
        self.group.controllers().limit_cpu(millis)?;
        cpu.share = Some(millis);
        cpu.lifted = false;
        Ok(())
    }

    /// Lets killed processes use all of the host's processors, so that they end soon. Without effect on
    /// what is started later: see [`Inside::restore_cpu`].
    pub(super) fn lift_cpu(&self) {
        let mut cpu = locked(&self.cpu);
        if cpu.share.is_none() || cpu.lifted {
            return;
        }
        // Noted first: what may be lifted is restored.
        cpu.lifted = true;
        // Twice what exists limits nobody, and unlike no quota at all has no other cost.
        let all = cpu.host_millis.saturating_mul(2);
        if let Err(error) = self.group.controllers().limit_cpu(all) {
            // It then takes its time.
            let error = &error as &dyn std::error::Error;
            tracing::debug!(sandbox = self.id, error, "a processor share is not lifted");
        }
    }

    /// Sets the share again if it was lifted. After this was called for each requested start of a
    /// program, none runs with more than its share.
    pub(super) fn restore_cpu(&self) -> io::Result<()> {
        let mut cpu = locked(&self.cpu);
        if let (true, Some(share)) = (cpu.lifted, cpu.share) {
            self.group.controllers().limit_cpu(share)?;
            cpu.lifted = false;
        }
        Ok(())
    }
}
