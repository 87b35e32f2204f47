//! The platform's own log lines: fields separated by tabs, as Lambda writes them. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use types::{RequestId, Version};

/// What a `REPORT` line tells.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) request: RequestId,
    pub(crate) duration: Duration,
    pub(crate) memory_mb: u32,
    pub(crate) peak_bytes: u64,
    /// The init phase before this invoke, if this is the environment's first.
    pub(crate) init: Option<Duration>,
    /// `("timeout", None)`, `("error", Some("Runtime.ExitError"))`.
    pub(crate) failure: Option<(&'static str, Option<String>)>,
}

pub(crate) fn init_start(runtime: &str, arn_hash: &str, region: &str) -> String {
    format!(
        "INIT_START Runtime Version: {runtime}\t\
         Runtime Version ARN: arn:aws:lambda:{region}::runtime:{arn_hash}\n"
    )
}

pub(crate) fn init_report(duration: Duration, status: &str, error_type: &str) -> String {
    let ms = millis(duration);
    let error = match status {
        "timeout" => String::new(),
        _ => format!("\tError Type: {error_type}"),
    };
    format!("INIT_REPORT Init Duration: {ms} ms\tPhase: init\tStatus: {status}{error}\n")
}

pub(crate) fn extension(name: &str, events: &[&str]) -> String {
    format!(
        "EXTENSION\tName: {name}\tState: Ready\tEvents: [{}]\n",
        events.join(", ")
    )
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
            billed_ms(self.duration + self.init.unwrap_or_default()),
            self.memory_mb,
            self.peak_bytes
                .div_ceil(1024 * 1024)
                .min(u64::from(self.memory_mb)),
        );
        // Writing to a string cannot fail.
        if let Some(init) = self.init {
            let _ = write!(line, "Init Duration: {} ms\t", millis(init));
        }
        if let Some((status, error_type)) = &self.failure {
            let _ = write!(line, "Status: {status}");
            if let Some(error_type) = error_type {
                let _ = write!(line, "\tError Type: {error_type}");
            }
        }
        line.push('\n');
        line
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

/// Rounded up to a millisecond; at least one.
fn billed_ms(duration: Duration) -> u128 {
    duration.as_micros().div_ceil(1000).max(1)
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
            failure: None,
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
        let failure = Some(("error", Some("Runtime.ExitError".to_owned())));
        let line = Report {
            failure,
            ..report()
        }
        .line();
        assert!(
            line.ends_with("\tStatus: error\tError Type: Runtime.ExitError\n"),
            "{line}"
        );
        let line = Report {
            failure: Some(("timeout", None)),
            ..report()
        }
        .line();
        assert!(line.ends_with("\tStatus: timeout\n"), "{line}");
    }

    #[test]
    fn a_failed_init_is_reported() {
        let line = init_report(Duration::from_secs(10), "timeout", "Sandbox.Timedout");
        assert_eq!(
            line,
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"
        );
    }
}
