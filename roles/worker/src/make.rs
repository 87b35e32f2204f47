//! Creates an environment: code, sandbox, log, conversation; then its init phase.

use std::path::Path;
use std::sync::{Arc, Mutex};

use api::logs::StreamName;
use api::preparation::{self, Prepare};
use api::worker::{Create, Error, Unsupported};
use environment::{Identity, Session};
use image::Unpacked;
use records::functions::{Configuration, FunctionVersion};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use types::{AccountId, Inner};

use crate::door::Door;
use crate::environment::{Alive, Environment, State};
use crate::file_systems;
use crate::log::{EnvironmentLog, Format};
use crate::plan::{self, Given};
use crate::runtimes;
use crate::service::Service;
use crate::telemetry::Hub;

impl Service {
    /// Makes the environment of a slot that is taken.
    pub(crate) async fn make(self: &Arc<Self>, request: Create) -> Result<Arc<Environment>, Error> {
        let configuration = &request.function.configuration;
        if configuration.architecture != runtimes::host_architecture() {
            return Err(Error::Unsupported {
                what: Unsupported::Architecture {
                    architecture: configuration.architecture.clone(),
                },
                reason: Inner::new("this machine has other processors"),
            });
        }
        let runtime = configuration.runtime.clone().unwrap_or_default();
        let handler = configuration.handler.as_deref().unwrap_or_default();
        let launch = self
            .with
            .runtimes
            .launch(&runtime, configuration.memory_mb, handler);
        let launch = launch.map_err(|reason| Error::Unsupported {
            what: Unsupported::Runtime {
                runtime: runtime.clone(),
            },
            reason,
        })?;
        let account = &request.function.scope.account;
        let image = &configuration.code.image;
        let task = self.with.folders.folder(account, image).await;
        let task = task.map_err(no_code)?;
        let opt = self.opt(account, configuration).await?;
        let paths = (task.to_path_buf(), opt.as_deref().map(Path::to_path_buf));
        let shares = file_systems::shares(&configuration.file_systems, &self.config.file_systems)
            .map_err(Error::FileSystem)?;
        let weight = self.first_weight(account, configuration.memory_mb);
        let spec = plan::sandbox_spec(
            request.environment,
            &request.function,
            &launch,
            paths,
            shares,
            weight,
        );
        let failed = |error: sandbox::Error| Error::Sandbox {
            reason: Inner::of(&error),
        };
        let sandbox = self
            .with
            .engine
            .create(spec)
            .await
            .map_err(|error| not_made(error, configuration))?;
        let listener = sandbox.take_listener().map_err(failed)?;
        let listener = listener.ok_or_else(|| Error::Sandbox {
            reason: Inner::new("it has no listener"),
        })?;
        let door = sandbox.take_door().map_err(failed)?;
        let door = door.zip(self.door.clone());
        let output = sandbox.outlet().map_err(failed)?;
        let log = EnvironmentLog::new(
            Arc::clone(&self.with.logs),
            Arc::clone(&self.with.clock),
            self.stream(&request.function),
            (
                Format::of(&configuration.logging),
                self.paces.of(&request.function.scope.account),
            ),
            (Hub::new(), output),
        );
        let variables = plan::variables(&Given {
            function: &request.function,
            launch: &launch,
            credentials: &request.credentials,
            log_stream: &log.stream().stream,
            ahead: request.ahead,
            common: &self.config.environment,
        });
        let environment = Arc::new(Environment {
            id: request.environment,
            session: Session::new(identity(&request.function)),
            function: request.function,
            ahead: request.ahead,
            lease_end: request.lease_end,
            launch,
            variables,
            _task: task,
            opt,
            sandbox,
            weight: Mutex::new(weight),
            log,
            clock: Arc::clone(&self.with.clock),
            lines: Arc::clone(&self.lines),
            tasks: TaskTracker::new(),
            turns_over: Notify::new(),
            ended: watch::Sender::new(false),
            alive: watch::Sender::new(Alive::default()),
            state: Mutex::new(State::new()),
        });
        environment.take_subscriptions();
        environment.serve(listener);
        if let Some((listener, door)) = door {
            environment.open(listener, door);
        }
        Ok(environment)
    }

    /// Unpacks what an environment would have to wait for.
    pub(crate) async fn prepare(&self, request: Prepare) -> Result<(), preparation::Error> {
        for package in &request.packages {
            let unpacked = self.with.folders.folder(&request.account, package).await;
            unpacked.map_err(|error| match error {
                image::Error::Damaged => preparation::Error::Damaged,
                error if error.is_package() => preparation::Error::Invalid {
                    reason: Inner::of(&error),
                },
                error => preparation::Error::Failed {
                    reason: Inner::of(&error),
                },
            })?;
        }
        Ok(())
    }

    /// The folder shown at `/opt`: what every function gets, and over it the function's layers.
    async fn opt(
        &self,
        account: &AccountId,
        configuration: &Configuration,
    ) -> Result<Option<Unpacked>, Error> {
        let layers = configuration.layers.iter().map(|layer| &layer.image);
        let images: Vec<&str> = self
            .config
            .opt
            .iter()
            .chain(layers)
            .map(String::as_str)
            .collect();
        let folder = self.with.folders.layers(account, &images).await;
        folder.map_err(no_code)
    }

    /// The init phase of a new environment. After a failure its first invoke tries again, unless
    /// it is provisioned.
    pub(crate) async fn initialise(&self, environment: &Arc<Environment>) -> Result<(), Error> {
        let configuration = &environment.function.configuration;
        let limit = plan::init_limit(environment.ahead, environment.timeout());
        let initialised = match environment.initialise("init", limit).await {
            // No invoke waited for it, so none reports it.
            Ok(_) if environment.ahead => Ok(()),
            Ok(took) => {
                environment.lock().init = Some(took);
                Ok(())
            }
            Err(failure) => {
                // An environment that has ended can only fail, and its end is reported elsewhere.
                if let Some(reason) = failure.reason_for_log()
                    && !environment.is_dead()
                {
                    tracing::error!(environment = %environment.id, reason, "an environment failed in its init");
                }
                Err(Error::Init {
                    error_type: failure.error_type,
                })
            }
        };
        let share = plan::cpu_millis(configuration.memory_mb);
        if let Err(error) = environment.sandbox.limit_cpu(share)
            && !environment.is_dead()
        {
            // It would run with the share of its init.
            tracing::error!(environment = %environment.id, %error, "a processor share is not set");
            return Err(Error::Sandbox {
                reason: Inner::of(&error),
            });
        }
        initialised.or_else(|failed| {
            if environment.ahead {
                Err(failed)
            } else {
                Ok(())
            }
        })
    }

    fn stream(&self, function: &FunctionVersion) -> StreamName {
        let date = self.with.clock.now().to_date_path();
        let random = self.with.random.uuid().simple().to_string();
        StreamName {
            scope: function.scope.clone(),
            group: function.configuration.logging.group.clone(),
            stream: format!("{date}/[{}]{random}", function.configuration.version),
        }
    }
}

impl Environment {
    /// Starts the tasks that answer its processes and take in what they print.
    fn serve(self: &Arc<Self>, listener: sandbox::Listener) {
        let environment = Arc::clone(self);
        let mut ended = self.ended.subscribe();
        self.tasks.spawn(async move {
            let session = Arc::clone(&environment.session);
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => {}
                () = session.serve(listener, Arc::clone(&environment.lines)) => {}
                () = environment.log.pump() => {}
            }
        });
    }

    /// Starts to hand on what its processes say to Lambent's own API.
    fn open(self: &Arc<Self>, listener: sandbox::Listener, door: Door) {
        let mut ended = self.ended.subscribe();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => {}
                () = door.serve(listener) => {}
            }
        });
    }
}

/// Why there is no sandbox. What a folder of this machine lacks is for its operator alone to read.
fn not_made(error: sandbox::Error, configuration: &Configuration) -> Error {
    match &error {
        sandbox::Error::Share { name, source } => {
            let told = &error as &dyn std::error::Error;
            tracing::warn!(error = told, "a file system cannot be shown to a function");
            Error::FileSystem(file_systems::failure(
                name,
                source,
                &configuration.file_systems,
            ))
        }
        _ => Error::Sandbox {
            reason: Inner::of(&error),
        },
    }
}

fn no_code(error: image::Error) -> Error {
    Error::Code {
        reason: Inner::of(&error),
    }
}

fn identity(function: &FunctionVersion) -> Identity {
    Identity {
        function_name: function.name.to_string(),
        function_version: function.configuration.version.to_string(),
        handler: function.configuration.handler.clone().unwrap_or_default(),
        account_id: function.scope.account.to_string(),
    }
}
