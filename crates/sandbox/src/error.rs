//! What can go wrong with a sandbox.

use std::io;

/// What went wrong. Only [`Error::Exec`] and [`Error::Directory`] are caused by the function itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting or a part of a specification that is invalid.
    #[error("{field} must be {rule}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What it should have been.
        rule: &'static str,
    },
    /// [`crate::become_spawner_if_asked`] is not called, or not first.
    #[error("a program that makes sandboxes must first ask whether it is to be a spawner")]
    NotFirst,
    /// A root's spawner has ended, and so have its replacements. More are still being started.
    #[error(
        "sandboxes of the root {root} cannot be created at present: their spawner is not running"
    )]
    NoSpawner {
        /// The root's name.
        root: String,
    },
    /// The host lacks something without which there is no isolation.
    #[error("this host cannot run sandboxes: {missing}")]
    Unsupported {
        /// What is missing, in a few words.
        missing: &'static str,
    },
    /// The sandbox that is made at the start, as a check, failed.
    #[error("this host cannot run sandboxes; {advice}")]
    NoSandboxes {
        /// What its operator can do.
        advice: &'static str,
        /// What failed.
        #[source]
        source: Box<Error>,
    },
    /// The host refused a step in making or running a sandbox.
    #[error("sandbox: could not {step}")]
    Step {
        /// What was being done.
        step: String,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// A shared folder could not be mounted.
    #[error("the shared folder of /mnt/{name} cannot be shown")]
    Share {
        /// The share's name.
        name: String,
        /// The kernel's error (`ENOENT`, `ELOOP` for a symbolic link on the way, `ETIMEDOUT` ...).
        #[source]
        source: io::Error,
    },
    /// The program could not be executed: it does not exist, may not be executed, or is not a program.
    #[error("cannot execute {path}")]
    Exec {
        /// The program, as the sandbox sees it.
        path: String,
        /// The kernel's error (`ENOENT`, `EACCES`, `ENOEXEC` ...).
        errno: i32,
    },
    /// The working directory could not be entered.
    #[error("cannot enter {path}")]
    Directory {
        /// The directory, as the sandbox sees it.
        path: String,
        /// The kernel's error (`ENOENT`, `ENOTDIR`, `EACCES` ...).
        errno: i32,
    },
    /// No root of that name was configured.
    #[error("no root named {name}")]
    NoSuchRoot {
        /// The requested name.
        name: String,
    },
    /// No started process has that number, or it has ended.
    #[error("no such process in the sandbox")]
    NoSuchProcess,
    /// The sandbox has ended.
    #[error("the sandbox is gone")]
    Gone,
    /// One of our own processes sent something that it should not.
    #[error("a sandbox process broke the protocol")]
    Protocol,
}

impl Error {
    /// For `map_err`: names the step that failed.
    pub(crate) fn step(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Step {
            step: step.to_owned(),
            source,
        }
    }
}
