//! Processes of the demo: started, stopped, and seen to live.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

const LOOKED_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a log's end that are shown.
const TAIL_BYTES: usize = 2_000;

/// A program as it is started, the first time and again.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) words: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) log: PathBuf,
}

/// A program that was started.
pub(super) struct Process {
    program: Program,
    child: Child,
}

impl Process {
    pub(super) fn start(program: Program) -> anyhow::Result<Self> {
        let child = program.spawn()?;
        Ok(Self { program, child })
    }

    pub(super) fn name(&self) -> &str {
        &self.program.name
    }

    /// Whether it has ended by itself, and how.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to end.
    pub(super) fn tell_to_stop(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended; its number is its own until we have waited for it.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for its end, which was asked for.
    pub(super) async fn stopped(&mut self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.ended()? {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                bail!("{} does not end within {within:?}", self.name());
            }
            tokio::time::sleep(LOOKED_EVERY).await;
        };
        match status.success() {
            true => Ok(()),
            false => bail!("{} ended with {status}:\n{}", self.name(), self.told()),
        }
    }

    /// Starts it again, once it has ended.
    pub(super) fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = self.program.spawn()?;
        Ok(())
    }

    /// The end of its log.
    pub(super) fn told(&self) -> String {
        let log = std::fs::read(&self.program.log).unwrap_or_default();
        let end = &log[log.len().saturating_sub(TAIL_BYTES)..];
        String::from_utf8_lossy(end).into_owned()
    }
}

impl Program {
    fn spawn(&self) -> anyhow::Result<Child> {
        let log = File::options().append(true).create(true).open(&self.log);
        let log = log.with_context(|| format!("{} cannot be written", self.log.display()))?;
        let (program, arguments) = self.words.split_first().context("no program")?;
        // Nothing of the caller's environment names a setting by accident.
        let own = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            let ours = name.starts_with("LAMBENT_") && !KEPT.contains(&&*name);
            !ours && !name.starts_with("AWS_")
        });
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(own)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))
    }
}

/// Variables that are the caller's to say.
const KEPT: [&str; 2] = ["LAMBENT_RUNTIMES_DIRECTORY", "LAMBENT_LOG"];
