//! The init phase: start the extensions and the runtime, wait until all have asked for an event.

use std::ffi::CString;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use environment::InitEnd;
use sandbox::{Exit, Process};
use tokio::sync::oneshot;
use tokio::time::Instant;
use types::limits::EXTENSIONS_MAX;

use crate::environment::{Alive, Environment, Who};
use crate::outcome::Failure;
use crate::{plan, report};

/// Where a function's own runtime is looked for, in order.
const BOOTSTRAPS: [&str; 2] = ["/var/task/bootstrap", "/opt/bootstrap"];

impl Environment {
    /// Starts the processes and waits for them. When it fails nothing runs any more, and it may be
    /// tried again.
    pub(crate) async fn initialise(self: &Arc<Self>, limit: Duration) -> Result<Duration, Failure> {
        let began = Instant::now();
        match tokio::time::timeout(limit, self.attempt()).await {
            Ok(Ok(())) => {
                let took = began.elapsed();
                self.lock().initialised = true;
                for (name, events) in self.session.extensions().all {
                    self.log.platform([report::extension(&name, &events)]);
                }
                Ok(took)
            }
            Ok(Err(failure)) => {
                self.reset().await;
                Err(failure)
            }
            Err(_) => {
                self.reset().await;
                Err(Failure::timeout())
            }
        }
    }

    /// Kills every process; what is in `/tmp` stays. The next invoke runs init again.
    pub(crate) async fn reset(&self) {
        {
            let mut state = self.lock();
            state.attempt += 1;
            state.initialised = false;
            state.runtime = None;
        }
        self.session.stop();
        self.alive.send_replace(Alive::default());
        if let Err(error) = self.sandbox.kill_all().await {
            // A sandbox that is gone is found so by the next who uses it.
            tracing::debug!(environment = %self.id, %error, "a sandbox could not be emptied");
        }
    }

    async fn attempt(self: &Arc<Self>) -> Result<(), Failure> {
        let externals = self.external_extensions();
        let attempt = {
            let mut state = self.lock();
            state.attempt += 1;
            state.exit = None;
            state.attempt
        };
        let init = self.session.begin_init(externals.clone());
        let variables = plan::to_environ(&plan::extension_variables(&self.variables));
        for name in externals {
            let path = format!("/opt/extensions/{name}");
            let started = self.start(vec![path], variables.clone()).await;
            let started = started.map_err(|error| {
                Failure::message(
                    "Extension.LaunchError",
                    format!("extension {name}: {error}"),
                )
            })?;
            self.alive.send_modify(|alive| alive.extensions += 1);
            self.watch_exit(attempt, Who::Extension(name), started.exited);
        }
        if init.registered.await.is_err() {
            return self.ended(init.end.await);
        }
        let started = self.start_runtime().await?;
        self.lock().runtime = Some(started.id);
        self.alive.send_modify(|alive| alive.runtime = true);
        self.watch_exit(attempt, Who::Runtime, started.exited);
        self.ended(init.end.await)
    }

    fn ended(&self, end: Result<InitEnd, oneshot::error::RecvError>) -> Result<(), Failure> {
        match end {
            Ok(InitEnd::Ready) => Ok(()),
            Ok(InitEnd::Error { error_type, body }) => Err(Failure::reported(error_type, body)),
            Err(_) => Err(self.failure()),
        }
    }

    async fn start_runtime(&self) -> Result<sandbox::Started, Failure> {
        let variables = plan::to_environ(&self.variables);
        if !self.launch.command.is_empty() {
            // Managed runtimes may be started by a script of the function's, which gets the command.
            let wrapper = self.variables.get("AWS_LAMBDA_EXEC_WRAPPER").cloned();
            let command = wrapper
                .into_iter()
                .chain(self.launch.command.iter().cloned());
            let started = self.start(command.collect(), variables).await;
            return started.map_err(|error| {
                Failure::message("Runtime.InvalidEntrypoint", format!("Error: {error}"))
            });
        }
        for path in BOOTSTRAPS {
            match self.start(vec![path.to_owned()], variables.clone()).await {
                Ok(started) => return Ok(started),
                Err(sandbox::Error::Exec { errno, .. }) if errno == NOT_FOUND => {}
                Err(error) => {
                    return Err(Failure::message(
                        "Runtime.InvalidEntrypoint",
                        error.to_string(),
                    ));
                }
            }
        }
        let message = format!(
            "Couldn't find valid bootstrap(s): [{}]",
            BOOTSTRAPS.join(" ")
        );
        Err(Failure::message("Runtime.InvalidEntrypoint", message))
    }

    async fn start(
        &self,
        argv: Vec<String>,
        env: Vec<CString>,
    ) -> Result<sandbox::Started, sandbox::Error> {
        let argv = argv
            .into_iter()
            .filter_map(|word| CString::new(word).ok())
            .collect();
        let step = || "make a process's output".to_owned();
        let output = self.log.output();
        let output = output.map_err(|source| sandbox::Error::Step {
            step: step(),
            source,
        })?;
        let directory = c"/var/task".to_owned();
        self.sandbox
            .start(Process {
                argv,
                env,
                directory,
                output,
            })
            .await
    }

    /// When a process of this attempt ends, everything under way ends with it.
    fn watch_exit(self: &Arc<Self>, attempt: u64, who: Who, exited: oneshot::Receiver<Exit>) {
        let environment = Arc::clone(self);
        self.tasks.spawn(async move {
            // A sandbox that is gone has killed what was in it.
            let exit = exited.await.unwrap_or(Exit::Signal(9));
            let mut state = environment.lock();
            if state.attempt != attempt {
                return;
            }
            environment.alive.send_modify(|alive| match who {
                Who::Runtime => alive.runtime = false,
                Who::Extension(_) => alive.extensions = alive.extensions.saturating_sub(1),
            });
            if state.exit.is_none() {
                state.exit = Some((who, exit));
            }
            // During a shutdown processes are meant to end.
            if state.life != crate::environment::Life::Ending {
                state.initialised = false;
                environment.session.stop();
            }
        });
    }

    /// Executable files directly in `/opt/extensions`.
    fn external_extensions(&self) -> Vec<String> {
        let Some(opt) = &self.opt else {
            return Vec::new();
        };
        let Ok(entries) = std::fs::read_dir(opt.join("extensions")) else {
            return Vec::new();
        };
        let executable = |entry: &std::fs::DirEntry| {
            let metadata = std::fs::metadata(entry.path());
            metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        let names = entries.flatten().filter(executable);
        let mut names: Vec<String> = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names.truncate(EXTENSIONS_MAX);
        names
    }
}

/// `ENOENT`.
const NOT_FOUND: i32 = 2;
