//! One sandbox made, used and ended before any is needed: so that a host that cannot run them is
//! reported at the start, and not by every invoke.

use std::ffi::CString;

use super::{ProcessEngine, Shared};
use crate::config::Config;
use crate::engine::Instance as _;
use crate::error::Error;
use crate::spec::{CpuWeight, Process, Spec};

/// A name that no root has.
const ABSENT: &str = "/lambent-probe";

impl ProcessEngine {
    /// Makes a sandbox of each root and does everything with it that is ever done to one.
    pub(super) async fn probe(&self, config: &Config) -> Result<(), Error> {
        for root in &config.roots {
            let spec = Spec {
                id: "probe".to_owned(),
                root: root.name.clone(),
                task: config.images.clone(),
                opt: None,
                runtime: None,
                shares: Vec::new(),
                memory_bytes: 64 << 20,
                cpu_millis: 500,
                cpu_weight: CpuWeight::Share(500),
                processes_max: 16,
                open_files_max: 64,
                tmp_bytes: 1 << 20,
                hostname: "probe".to_owned(),
            };
            let sandbox = Shared::create(&self.shared, spec).await?;
            run_nothing(&sandbox).await?;
            sandbox.limit_cpu(250)?;
            sandbox.weigh_cpu(CpuWeight::Share(250))?;
            sandbox.freeze()?;
            sandbox.kill_all().await?;
            sandbox.destroy().await;
        }
        Ok(())
    }
}

/// Starts a program that does not exist: the error comes from a process that has taken every step that
/// every program takes.
async fn run_nothing(sandbox: &super::Handle) -> Result<(), Error> {
    let (output, _) = sandbox.outlet()?;
    let started = sandbox.start(Process {
        argv: vec![CString::new(ABSENT).unwrap_or_default()],
        env: Vec::new(),
        directory: c"/".to_owned(),
        output,
    });
    match started.await {
        Err(Error::Exec { errno, .. }) if errno == libc::ENOENT => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Protocol),
    }
}

/// What `error` means for the operator of this host.
pub(super) fn explain(error: Error) -> Error {
    let advice = advice(&error);
    Error::NoSandboxes {
        advice,
        source: Box::new(error),
    }
}

fn advice(error: &Error) -> &'static str {
    let Error::Step { step, source } = error else {
        return "see docs/running.md for what a host needs";
    };
    let step = step.as_str();
    let errno = source.raw_os_error().unwrap_or(0);
    let about = |words: &[&str]| words.iter().any(|word| step.contains(word));
    match errno {
        libc::EMFILE | libc::ENFILE => "raise the limit of open files",
        _ if about(&["cgroup", "limits", "processor"]) => {
            "the memory, cpu and pids cgroups must be there and writable \
             (a service needs Delegate=yes, a container its own writable cgroups)"
        }
        libc::ENOSPC => {
            "the kernel's limits of namespaces are too low (sysctl user.max_*_namespaces)"
        }
        _ if about(&[
            "user namespace",
            "fork",
            "mount namespace",
            "enter the root",
        ]) =>
        {
            "namespaces are not allowed here: start it as root, outside of a chroot, where user \
             namespaces are not forbidden (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)"
        }
        libc::EPERM | libc::EACCES | libc::EROFS => {
            "start it as root with all capabilities; a container must be privileged"
        }
        _ => "see docs/running.md for what a host needs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_cannot_have_sandboxes_is_told_what_it_lacks() {
        let check = |step: &'static str, errno, words: &str| {
            let error = explain(Error::step(step)(std::io::Error::from_raw_os_error(errno)));
            assert!(error.to_string().contains(words), "{error}");
        };
        check("make a parent cgroup", libc::EROFS, "writable");
        check("make a user namespace", libc::EPERM, "outside of a chroot");
        check("make a user namespace", libc::ENOSPC, "max_*_namespaces");
        check("set the limits", libc::EACCES, "Delegate=yes");
        check("mount /proc", libc::EPERM, "as root");
        check("make a pipe", libc::EMFILE, "open files");
    }
}
