//! The outer half: what needs the machine itself, and outlives the cluster.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::{folder, parts};
use crate::cli::Demo;
use crate::terminal::{complain, say};

/// How often the inner half is looked after.
const LOOKED_EVERY: Duration = Duration::from_millis(50);
/// Programs that it takes, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 4] = [
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

pub(super) fn run(options: &Demo) -> anyhow::Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("namespaces and sandboxes need root: run it with sudo");
    }
    for (program, package) in PROGRAMS {
        if !is_installed(program) {
            bail!("the program `{program}` is missing: apt-get install {package}");
        }
    }
    if options.delay_ms > 0 && !is_installed("tc") {
        bail!("--delay-ms needs the program `tc`: apt-get install iproute2");
    }
    folder::sweep()?;
    parts::fetch()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let folder = folder::Folder::make()?;
        let mut inside = start(folder.path())?;
        say!(
            "from another terminal, as root: nsenter --net --target {} COMMAND",
            inside.id()
        );
        let ended = loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => stop(&mut inside),
                _ = terminate.recv() => stop(&mut inside),
                () = tokio::time::sleep(LOOKED_EVERY) => {}
            }
            if let Some(status) = inside.try_wait()? {
                break status;
            }
        };
        folder.remove()?;
        anyhow::Ok(ended)
    })?;
    Ok(code(ended))
}

/// Asks it to end; a second time, ends it.
fn stop(inside: &mut Child) {
    if inside.stdin.take().is_some() {
        complain!("stopping; once more cuts it off");
    } else {
        // It may have ended by itself.
        let _ = inside.kill();
    }
}

fn code(status: ExitStatus) -> ExitCode {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => ExitCode::from(code),
        None => ExitCode::FAILURE,
    }
}

/// The same command in namespaces of its own, in a process group of its own: Ctrl-C is for us.
fn start(folder: &Path) -> anyhow::Result<Child> {
    let own = std::env::current_exe().context("this program cannot be found")?;
    Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--mount",
            "--pid",
        ])
        .args(["--fork", "--kill-child", "--mount-proc", "--"])
        .arg(own)
        .args(std::env::args_os().skip(1))
        .arg("--inside")
        .arg(folder)
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("namespaces cannot be made")
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
