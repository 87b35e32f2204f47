//! The name of an environment's failure, and the error for its caller. Pure.

use std::time::Duration;

use bytes::Bytes;
use environment::error_body;
use sandbox::Exit;
use types::{Inner, RequestId, Timestamp};

use crate::platform::Outcome;

/// The message for what is not the function's fault.
const OURS: &str = "The execution environment failed";

/// An environment's failure, before it is known which request gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// `Runtime.ExitError`, …
    pub(crate) error_type: String,
    /// For the `REPORT` line: `error` or `timeout`.
    pub(crate) status: &'static str,
    /// What went wrong.
    pub(crate) cause: Cause,
}

/// See [`Failure`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// A sentence for the function's author.
    Message(String),
    /// Something of ours did not work, which is not the function's affair.
    Ours(Inner),
    /// The runtime's own error object.
    Body(Bytes),
    /// The function's time was over.
    Timeout,
}

impl Failure {
    /// A process of the runtime ended while it was needed.
    pub(crate) fn exit(exit: Exit, out_of_memory: bool) -> Self {
        let message = match exit {
            _ if out_of_memory => "Runtime exited with error: signal: killed".to_owned(),
            Exit::Status(0) => "Runtime exited without providing a reason".to_owned(),
            Exit::Status(status) => format!("Runtime exited with error: exit status {status}"),
            Exit::Signal(signal) => {
                format!("Runtime exited with error: signal: {}", signal_name(signal))
            }
        };
        let error_type = if out_of_memory {
            "Runtime.OutOfMemory"
        } else {
            "Runtime.ExitError"
        };
        Self::message(error_type, message)
    }

    /// An extension's process ended, which ends the environment.
    pub(crate) fn extension_exit(name: &str, exit: Exit) -> Self {
        let how = match exit {
            Exit::Status(status) => format!("exit status {status}"),
            Exit::Signal(signal) => format!("signal: {}", signal_name(signal)),
        };
        Self::message("Extension.Crash", format!("extension {name} exited: {how}"))
    }

    /// The processes could not be started or something else of that kind.
    pub(crate) fn message(error_type: &str, message: impl Into<String>) -> Self {
        // What is put before it says that it is one.
        let message: String = message.into();
        let message = message.strip_prefix("Error: ").unwrap_or(&message);
        let cause = Cause::Message(message.to_owned());
        Self {
            error_type: error_type.to_owned(),
            status: "error",
            cause,
        }
    }

    /// No fault of the function's.
    pub(crate) fn ours(error: &sandbox::Error) -> Self {
        Self {
            error_type: "Sandbox.Failure".to_owned(),
            status: "error",
            cause: Cause::Ours(Inner::of(error)),
        }
    }

    /// What lies beneath, for the server's own log.
    pub(crate) fn reason_for_log(&self) -> Option<&str> {
        match &self.cause {
            Cause::Ours(inner) => Some(inner.for_log()),
            Cause::Message(_) | Cause::Body(_) | Cause::Timeout => None,
        }
    }

    /// The runtime's own word.
    pub(crate) fn reported(error_type: String, body: Bytes) -> Self {
        Self {
            error_type,
            status: "error",
            cause: Cause::Body(body),
        }
    }

    /// Time is over.
    pub(crate) fn timeout() -> Self {
        let error_type = "Sandbox.Timedout".to_owned();
        Self {
            error_type,
            status: "timeout",
            cause: Cause::Timeout,
        }
    }

    /// As the platform's events tell it.
    pub(crate) fn outcome(&self) -> Outcome {
        let status = match &self.cause {
            Cause::Message(_) | Cause::Ours(_) => "failure",
            Cause::Body(_) | Cause::Timeout => self.status,
        };
        Outcome {
            status,
            error_type: Some(self.error_type.clone()),
        }
    }

    /// The error object the caller of `request` gets.
    pub(crate) fn body(&self, request: RequestId, limit: Duration) -> Bytes {
        let message = match &self.cause {
            Cause::Body(body) => return body.clone(),
            Cause::Message(message) => message.clone(),
            Cause::Ours(_) => OURS.to_owned(),
            Cause::Timeout => timed_out(limit),
        };
        let message = format!("RequestId: {request} Error: {message}");
        error_body(&self.error_type, &message)
    }

    /// The line the function's log gets, if the runtime has not written one itself.
    pub(crate) fn log_line(
        &self,
        request: RequestId,
        limit: Duration,
        now: Timestamp,
    ) -> Option<String> {
        let told = |message: &str| {
            format!(
                "RequestId: {request} Error: {message}\n{}\n",
                self.error_type
            )
        };
        match &self.cause {
            Cause::Body(_) => None,
            Cause::Message(message) => Some(told(message)),
            Cause::Ours(_) => Some(told(OURS)),
            Cause::Timeout => Some(format!("{}\n\n", timeout_text(request, limit, now))),
        }
    }
}

fn timeout_text(request: RequestId, limit: Duration, now: Timestamp) -> String {
    format!("{} {request} {}", now.to_iso_text(), timed_out(limit))
}

fn timed_out(limit: Duration) -> String {
    format!("Task timed out after {:.2} seconds", limit.as_secs_f64())
}

/// As Go's runtime names signals, which is what Lambda's messages show.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failure: &Failure, expected: &str) {
        let request: RequestId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
        let body = failure.body(request, Duration::from_secs(3));
        assert_eq!(String::from_utf8_lossy(&body), expected);
    }

    #[test]
    fn failures_are_told_as_lambda_tells_them() {
        check(
            &Failure::exit(Exit::Status(1), false),
            "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: \
             00000000-0000-0000-0000-000000000001 Error: Runtime exited with error: exit status 1\"}",
        );
        check(
            &Failure::exit(Exit::Signal(9), true),
            "{\"errorType\":\"Runtime.OutOfMemory\",\"errorMessage\":\"RequestId: \
             00000000-0000-0000-0000-000000000001 Error: Runtime exited with error: signal: killed\"}",
        );
        check(
            &Failure::exit(Exit::Status(0), false),
            "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: \
             00000000-0000-0000-0000-000000000001 Error: Runtime exited without providing a reason\"}",
        );
        // Once, whatever the message begins with.
        check(
            &Failure::message("Runtime.InvalidEntrypoint", "Error: no such file"),
            "{\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"RequestId: \
             00000000-0000-0000-0000-000000000001 Error: no such file\"}",
        );
        check(
            &Failure::timeout(),
            "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: \
             00000000-0000-0000-0000-000000000001 Error: Task timed out after 3.00 seconds\"}",
        );
        check(
            &Failure::ours(&sandbox::Error::Step {
                step: "mount /var/lib/lambent".to_owned(),
                source: std::io::Error::from_raw_os_error(28),
            }),
            "{\"errorType\":\"Sandbox.Failure\",\"errorMessage\":\"RequestId: \
             00000000-0000-0000-0000-000000000001 Error: The execution environment failed\"}",
        );
        check(
            &Failure::reported("Runtime.X".into(), Bytes::from_static(b"{}")),
            "{}",
        );
    }
}
