//! The init phase: start the extensions and the runtime, wait until all have asked for an event.

use std::ffi::CString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use beneath::{Folder, Kind};
use environment::InitEnd;
use sandbox::{Exit, Outlet, Process};
use tokio::sync::oneshot;
use tokio::time::Instant;
use types::limits::EXTENSIONS_MAX;

use crate::environment::{Alive, Environment, Who};
use crate::outcome::Failure;
use crate::platform::{Event, Init, Outcome};
use crate::{plan, runtimes};

/// Where a function's own runtime is looked for, in order.
const BOOTSTRAPS: [&str; 2] = ["/var/task/bootstrap", "/opt/bootstrap"];
/// Names in `/opt/extensions` at most; with more there are none that count.
const ENTRIES_MAX: usize = 1_024;

/// What a runtime is called that cannot be started.
const ENTRYPOINT: &str = "Runtime.InvalidEntrypoint";
/// What it is called when the folder cannot be entered where it should run.
const DIRECTORY: &str = "Runtime.InvalidWorkingDir";

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
            // What may still run in there must not meet another event. Whoever uses it next finds it
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

    /// An extension that could not be started ends the init; the log says which it was.
    fn not_launched(&self, name: &str, error: &sandbox::Error) -> Failure {
        let error_type = match error {
            sandbox::Error::Exec { errno, .. } if *errno == NOT_PERMITTED => "PermissionDenied",
            _ => "UnknownError",
        };
        self.log.platform([Event::Extension {
            name: name.to_owned(),
            events: Vec::new(),
            error_type: Some(error_type),
        }]);
        not_started("Extension.LaunchError", error)
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
            return self.start_managed(variables).await;
        }
        for path in BOOTSTRAPS {
            let (argv, output) = (vec![path.to_owned()], self.log.output());
            match self.start(argv, variables.clone(), output).await {
                Ok(started) => return Ok(started),
                Err(sandbox::Error::Exec { errno, .. }) if errno == NOT_FOUND => {}
                Err(error) => return Err(not_started(ENTRYPOINT, &error)),
            }
        }
        let message = format!(
            "Couldn't find valid bootstrap(s): [{}]",
            BOOTSTRAPS.join(" ")
        );
        Err(Failure::message(ENTRYPOINT, message))
    }

    /// Managed runtimes may be started by a script of the function's, which gets the command.
    async fn start_managed(&self, variables: Vec<CString>) -> Result<sandbox::Started, Failure> {
        let command = plan::command(&self.launch, &self.variables);
        let wrapper = self.variables.get("AWS_LAMBDA_EXEC_WRAPPER");
        let Some(wrapper) = wrapper.filter(|wrapper| !wrapper.is_empty()) else {
            let started = self.start(command, variables, self.log.output()).await;
            // What runs it is ours, wherever that is.
            return started.map_err(|error| Failure::ours(&error));
        };
        let mut wrapped = vec![wrapper.clone()];
        wrapped.extend(command);
        let started = self.start(wrapped.clone(), variables.clone(), self.log.output());
        let errno = match started.await {
            Ok(started) => return Ok(started),
            // A script that does not name its shell, which shells take for one of theirs.
            Err(sandbox::Error::Exec { errno, .. }) if errno == NO_PROGRAM => {
                wrapped.insert(0, "/bin/sh".to_owned());
                let started = self.start(wrapped, variables, self.log.output()).await;
                return started.map_err(|error| Failure::ours(&error));
            }
            Err(sandbox::Error::Exec { errno, .. }) => errno,
            Err(error) => return Err(not_started(ENTRYPOINT, &error)),
        };
        // As the shell tells it that starts AWS's runtimes.
        let (why, status) = match errno {
            NOT_FOUND => ("does not exist", 127),
            _ => ("is not an executable", 126),
        };
        self.log
            .platform([Event::Fault(format!("{wrapper}: {why}\n"))]);
        Err(Failure::exit(Exit::Status(status), false))
    }

    async fn start(
        &self,
        argv: Vec<String>,
        env: Vec<CString>,
        output: Outlet,
    ) -> Result<sandbox::Started, sandbox::Error> {
        let argv = argv
            .into_iter()
            .filter_map(|word| CString::new(word).ok())
            .collect();
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

    /// Files directly in `/opt/extensions`.
    fn external_extensions(&self) -> Vec<String> {
        let opt = self.opt.as_deref().map(Folder::open);
        opt.and_then(Result::ok)
            .and_then(|opt| files(&opt, Path::new("extensions")).ok())
            .unwrap_or_default()
    }
}

/// A program of the function's that could not be started, in the words of AWS's supervisor, which is written
/// in Go.
fn not_started(error_type: &str, error: &sandbox::Error) -> Failure {
    let (error_type, call, path, errno) = match error {
        sandbox::Error::Exec { path, errno } => (error_type, "fork/exec", path, *errno),
        sandbox::Error::Directory { path, errno } => (DIRECTORY, "chdir", path, *errno),
        error => return Failure::ours(error),
    };
    Failure::message(error_type, format!("{call} {path}: {}", why(errno)))
}

/// As Go says it.
fn why(errno: i32) -> &'static str {
    match errno {
        NOT_FOUND => "no such file or directory",
        NO_PROGRAM => "exec format error",
        NOT_PERMITTED => "permission denied",
        1 => "operation not permitted",
        5 => "input/output error",
        7 => "argument list too long",
        11 => "resource temporarily unavailable",
        12 => "cannot allocate memory",
        20 => "not a directory",
        21 => "is a directory",
        22 => "invalid argument",
        26 => "text file busy",
        36 => "file name too long",
        40 => "too many levels of symbolic links",
        _ => "cannot be executed",
    }
}

/// The first files of a folder that a layer may have filled, by name: whether they can be executed turns out when
/// they are. The folder must be one, and no link to one; a link in it counts if it leads to a file within `opt`.
fn files(opt: &Folder, path: &Path) -> io::Result<Vec<String>> {
    let entries = opt.folder(path)?.entries(ENTRIES_MAX)?;
    let mut names: Vec<String> = entries
        .into_iter()
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    names.sort();
    let is_file = |name: &String| {
        let found = opt.in_root(&path.join(name));
        found.is_ok_and(|facts| facts.kind == Kind::File)
    };
    Ok(names
        .into_iter()
        .filter(is_file)
        .take(EXTENSIONS_MAX)
        .collect())
}

/// `ENOENT`.
const NOT_FOUND: i32 = 2;
/// `ENOEXEC`.
const NO_PROGRAM: i32 = 8;
/// `EACCES`.
const NOT_PERMITTED: i32 = 13;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn file(path: &Path, mode: u32) {
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_failure_names_what_the_function_brings_and_nothing_of_the_machine() {
        let request = "00000000-0000-0000-0000-000000000001".parse().unwrap();
        let told = |error: &sandbox::Error| {
            let failure = not_started(ENTRYPOINT, error);
            let body = failure.body(request, Duration::from_secs(3));
            let line = failure.log_line(request, Duration::from_secs(3), Default::default());
            (
                String::from_utf8(body.to_vec()).unwrap() + &line.unwrap(),
                failure,
            )
        };
        let path = || "/var/task/bootstrap".to_owned();
        for errno in 0..=140 {
            for error in [
                sandbox::Error::Exec {
                    path: path(),
                    errno,
                },
                sandbox::Error::Directory {
                    path: path(),
                    errno,
                },
            ] {
                let (text, failure) = told(&error);
                assert!(text.contains(&format!(" {}: ", path())), "{text}");
                assert!(
                    !text.contains("os error") && !text.contains(&format!("({errno})")),
                    "{text}"
                );
                assert_eq!(failure.reason_for_log(), None);
            }
        }
        let secret = "/var/lib/lambent/images";
        let source = || io::Error::other(secret);
        let ours = [
            sandbox::Error::Step {
                step: format!("mount {secret}"),
                source: source(),
            },
            sandbox::Error::Share {
                name: secret.to_owned(),
                source: source(),
            },
            sandbox::Error::NoSuchRoot {
                name: secret.to_owned(),
            },
            sandbox::Error::Gone,
            sandbox::Error::Protocol,
        ];
        for error in &ours {
            let (text, failure) = told(error);
            assert_eq!(
                text.matches("Error: The execution environment failed")
                    .count(),
                2,
                "{text}"
            );
            assert!(
                !text.contains(secret) && !text.to_lowercase().contains("sandbox:"),
                "{text}"
            );
            let logged = failure.reason_for_log().unwrap();
            assert!(logged.starts_with(&error.to_string()), "{logged}");
        }
    }

    #[test]
    fn extensions_are_looked_for_within_the_layers_alone() {
        let root = tempfile::tempdir().unwrap();
        let (opt, host) = (root.path().join("opt"), root.path().join("host"));
        for folder in [&opt, &host, &opt.join("bin"), &opt.join("extensions")] {
            std::fs::create_dir(folder).unwrap();
        }
        file(&host.join("backup-of-acme.sh"), 0o755);
        for (name, mode) in [("b", 0o755), ("a", 0o111), ("text", 0o644)] {
            file(&opt.join("extensions").join(name), mode);
        }
        file(&opt.join("bin/tool"), 0o755);
        for (name, target) in [
            ("inside", "../bin/tool"),
            ("probe", "../../host/backup-of-acme.sh"),
            ("root", "/bin/sh"),
        ] {
            symlink(target, opt.join("extensions").join(name)).unwrap();
        }
        let folder = Folder::open(&opt).unwrap();
        let found = files(&folder, Path::new("extensions")).unwrap();
        assert_eq!(found, ["a", "b", "inside", "text"]);
        for target in ["../host", "/usr/bin", "bin"] {
            std::fs::remove_dir_all(opt.join("extensions"))
                .or_else(|_| std::fs::remove_file(opt.join("extensions")))
                .unwrap();
            symlink(target, opt.join("extensions")).unwrap();
            assert!(files(&folder, Path::new("extensions")).is_err(), "{target}");
        }
    }
}
