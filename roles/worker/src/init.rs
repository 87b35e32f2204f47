//! The init phase: start the extensions and the runtime, wait until all have asked for an event.

mod extensions;
mod launch;

use std::sync::Arc;
use std::time::Duration;

use environment::InitEnd;
use sandbox::Exit;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::environment::{Alive, Environment, Who};
use crate::outcome::Failure;
use crate::platform::{Event, Init, Outcome};
use crate::{plan, runtimes};

impl Environment {
    /// Starts the processes and waits for them, and tells of it. When it fails nothing runs any
    /// more, and it may be tried again. `phase` is `init`, or `invoke` if it is tried again there.
    pub(crate) async fn initialise(
        self: &Arc<Self>,
        phase: &'static str,
        limit: Duration,
    ) -> Result<Duration, Failure> {
        let began = Instant::now();
        let init = self.init_facts(phase);
        self.log.telemetry().begin_init();
        self.log.platform([Event::InitStart(init.clone())]);
        let result = match tokio::time::timeout(limit, self.attempt()).await {
            Ok(result) => result,
            Err(_) => Err(Failure::timeout()),
        };
        let took = began.elapsed().min(limit);
        let outcome = match &result {
            Ok(()) => Outcome::success(),
            Err(failure) => failure.outcome(),
        };
        if result.is_ok() {
            self.lock().initialised = true;
        }
        let done = Event::InitRuntimeDone(init.clone(), outcome.clone());
        self.log.platform([done]);
        if result.is_ok() {
            for (name, events) in self.session.extensions().all {
                self.log.platform([Event::Extension {
                    name,
                    events,
                    error_type: None,
                }]);
            }
        }
        self.log.platform([Event::InitReport(init, took, outcome)]);
        self.log.telemetry().end_init();
        match result {
            Ok(()) => Ok(took),
            Err(failure) => {
                self.reset().await;
                Err(failure)
            }
        }
    }

    /// What events of an init phase say of it.
    fn init_facts(&self, phase: &'static str) -> Init {
        let configuration = &self.function.configuration;
        let runtime = configuration.runtime.as_deref().unwrap_or_default();
        let kind = self.variables.get("AWS_LAMBDA_INITIALIZATION_TYPE");
        Init {
            kind: kind.cloned().unwrap_or_default(),
            phase,
            function: self.function.name.to_string(),
            version: configuration.version,
            runtime_version: runtimes::version_text(runtime),
            runtime_arn: types::runtime_version_arn(runtime, &self.function.scope.region),
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
        self.log.telemetry().close();
        self.alive.send_replace(Alive::default());
        if let Err(error) = self.sandbox.kill_all().await {
            if !matches!(error, sandbox::Error::Gone) {
                tracing::warn!(environment = %self.id, %error, "a sandbox could not be emptied");
            }
            // What may still run in there must not get another event. The next user finds the environment
            // gone.
            self.sandbox.destroy().await;
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
        if !externals.is_empty() {
            self.log.telemetry().expect();
        }
        let init = self.session.begin_init(externals.clone());
        let variables = plan::to_environ(&plan::extension_variables(&self.variables));
        for name in externals {
            let path = format!("/opt/extensions/{name}");
            let output = self.log.extension_output(|| self.sandbox.outlet());
            let started = match output {
                Ok(output) => self.start(vec![path], variables.clone(), output).await,
                Err(error) => Err(error),
            };
            let started = started.map_err(|error| self.not_launched(&name, &error))?;
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
}
