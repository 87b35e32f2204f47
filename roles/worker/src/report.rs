//! The platform's own log lines: fields separated by tabs, as Lambda writes them. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use types::{RequestId, Timestamp, Version};

use crate::platform::{self, Api, Outcome};

/// What a `REPORT` line tells.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) request: RequestId,
    pub(crate) duration: Duration,
    pub(crate) memory_mb: u32,
    pub(crate) peak_bytes: u64,
    /// The init phase before this invoke, if this is the environment's first.
    pub(crate) init: Option<Duration>,
    pub(crate) outcome: Outcome,
    /// When the runtime was done and how long its extensions still took, if there are any.
    pub(crate) extensions: Option<(Timestamp, Duration)>,
}

pub(crate) fn init_start(runtime: &str, arn: &str) -> String {
    format!("INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {arn}\n")
}

pub(crate) fn init_report(duration: Duration, status: &str, error_type: Option<&str>) -> String {
    let mut line = format!(
        "INIT_REPORT Init Duration: {} ms\tPhase: init",
        millis(duration)
    );
    line += &failure(status, error_type);
    line.push('\n');
    line
}

/// `TELEMETRY\tName: …` or `LOGS\tName: …`.
pub(crate) fn subscription(api: Api, name: &str, types: &[&str]) -> String {
    let word = match api {
        Api::Telemetry => "TELEMETRY",
        Api::Logs => "LOGS",
    };
    let types: Vec<String> = types.iter().map(|kind| capitalised(kind)).collect();
    let types = types.join(", ");
    format!("{word}\tName: {name}\tState: Subscribed\tTypes: [{types}]\n")
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// How a failure is shown at the end of a line; a success is not.
fn failure(status: &str, error_type: Option<&str>) -> String {
    let error = error_type.map(|error_type| format!("\tError Type: {error_type}"));
    match status {
        "success" => String::new(),
        "timeout" => "\tStatus: timeout".to_owned(),
        _ => format!("\tStatus: error{}", error.unwrap_or_default()),
    }
}

pub(crate) fn extension(name: &str, events: &[&str], error_type: Option<&str>) -> String {
    let state = extension_state(error_type);
    let error = error_type.map(|error_type| format!("\tError Type: {error_type}"));
    format!(
        "EXTENSION\tName: {name}\tState: {state}\tEvents: [{}]{}\n",
        events.join(", "),
        error.unwrap_or_default()
    )
}

/// What an extension is that has been started, or could not be for that reason.
pub(crate) fn extension_state(error_type: Option<&str>) -> &'static str {
    match error_type {
        None => "Ready",
        Some(_) => "LaunchError",
    }
}

pub(crate) fn start(request: RequestId, version: Version) -> String {
    format!("START RequestId: {request} Version: {version}\n")
}

pub(crate) fn end(request: RequestId) -> String {
    format!("END RequestId: {request}\n")
}

impl Report {
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\t\
             Memory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request,
            millis(self.duration),
            self.billed_ms(),
            self.memory_mb,
            self.peak_mb(),
        );
        // Writing to a string cannot fail.
        if let Some(init) = self.init {
            let _ = write!(line, "Init Duration: {} ms\t", millis(init));
        }
        // The tab before it is there already.
        let failure = failure(self.outcome.status, self.outcome.error_type.as_deref());
        line += failure.trim_start_matches('\t');
        line.push('\n');
        line
    }

    /// The record of a `platform.report`.
    pub(crate) fn record(&self, api: Api) -> Value {
        let mut metrics = json!({
            "durationMs": platform::millis(self.duration),
            "billedDurationMs": self.billed_ms(),
            "memorySizeMB": self.memory_mb,
            "maxMemoryUsedMB": self.peak_mb(),
        });
        if let Some(init) = self.init {
            metrics["initDurationMs"] = json!(platform::millis(init));
        }
        let mut record = json!({"requestId": self.request.to_string(), "metrics": metrics});
        if api == Api::Logs {
            return record;
        }
        if let Some((start, duration)) = self.extensions {
            record["spans"] = platform::spans(&[("extensionOverhead", start, duration)]);
        }
        platform::with(record, &self.outcome)
    }

    fn billed_ms(&self) -> u64 {
        billed_ms(self.duration + self.init.unwrap_or_default())
    }

    fn peak_mb(&self) -> u64 {
        let peak = self.peak_bytes.div_ceil(1024 * 1024);
        peak.min(u64::from(self.memory_mb))
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

/// Rounded up to a millisecond; at least one.
fn billed_ms(duration: Duration) -> u64 {
    let ms = duration.as_micros().div_ceil(1000).max(1);
    u64::try_from(ms).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            request: "00000000-0000-0000-0000-000000000001".parse().unwrap(),
            duration: Duration::from_micros(1_230),
            memory_mb: 128,
            peak_bytes: 40 * 1024 * 1024,
            init: None,
            outcome: Outcome::success(),
            extensions: None,
        }
    }

    #[test]
    fn a_warm_report_has_lambdas_form() {
        assert_eq!(
            report().line(),
            "REPORT RequestId: 00000000-0000-0000-0000-000000000001\tDuration: 1.23 ms\t\
             Billed Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t\n"
        );
    }

    #[test]
    fn a_cold_report_names_and_bills_the_init() {
        let line = Report {
            init: Some(Duration::from_micros(120_450)),
            ..report()
        }
        .line();
        assert!(line.contains("Billed Duration: 122 ms\t"), "{line}");
        assert!(line.ends_with("\tInit Duration: 120.45 ms\t\n"), "{line}");
    }

    #[test]
    fn a_failed_report_names_its_status() {
        let outcome = |status, error_type: Option<&str>| Outcome {
            status,
            error_type: error_type.map(str::to_owned),
        };
        let line = Report {
            outcome: outcome("failure", Some("Runtime.ExitError")),
            ..report()
        }
        .line();
        assert!(
            line.ends_with("\tStatus: error\tError Type: Runtime.ExitError\n"),
            "{line}"
        );
        let line = Report {
            outcome: outcome("timeout", Some("Sandbox.Timedout")),
            ..report()
        }
        .line();
        assert!(line.ends_with("\tStatus: timeout\n"), "{line}");
    }

    #[test]
    fn a_failed_init_is_reported() {
        let line = init_report(Duration::from_secs(10), "timeout", Some("Sandbox.Timedout"));
        assert_eq!(
            line,
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"
        );
    }
}
