//! Starts processes: the runtime, by its bootstrap, its command or the function's wrapper script, and extensions;
//! and says as AWS does why one could not be started.

use std::ffi::CString;

use sandbox::{Exit, Outlet, Process};

use crate::environment::Environment;
use crate::outcome::Failure;
use crate::plan;
use crate::platform::Event;

/// Where a function's own runtime is looked for, in order.
const BOOTSTRAPS: [&str; 2] = ["/var/task/bootstrap", "/opt/bootstrap"];
/// What a runtime is called that cannot be started.
const ENTRYPOINT: &str = "Runtime.InvalidEntrypoint";
/// What it is called when the folder cannot be entered where it should run.
const DIRECTORY: &str = "Runtime.InvalidWorkingDir";
/// `ENOENT`.
const NOT_FOUND: i32 = 2;
/// `ENOEXEC`.
const NO_PROGRAM: i32 = 8;
/// `EACCES`.
const NOT_PERMITTED: i32 = 13;

impl Environment {
    pub(super) async fn start_runtime(&self) -> Result<sandbox::Started, Failure> {
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

    pub(super) async fn start(
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

    /// An extension that could not be started ends the init; the log says which it was.
    pub(super) fn not_launched(&self, name: &str, error: &sandbox::Error) -> Failure {
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

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
}
