//! What the platform reports about an environment: the events that are lines of its log, in text or in
//! JSON, and that extensions can subscribe to. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use types::{RequestId, Timestamp, Version};

use crate::report::{self, Report};

/// An event of the platform's.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    InitStart(Init),
    /// The runtime is through with its init, or failed.
    InitRuntimeDone(Init, Outcome),
    InitReport(Init, Duration, Outcome),
    Start {
        request: RequestId,
        version: Version,
        trace_id: String,
    },
    /// The runtime asked for the next event, or failed.
    RuntimeDone(RuntimeDone),
    /// A sentence about what went wrong, for people.
    Fault(String),
    /// What may be behind a failure, for people. Not AWS's, so it is in the log alone.
    Hint(&'static str),
    /// The invoke is over: `END` in text.
    End(RequestId),
    Report(Report),
    Extension {
        name: String,
        events: Vec<&'static str>,
        /// Why it could not be started; it is ready if nothing is said.
        error_type: Option<&'static str>,
    },
    Subscription {
        api: Api,
        name: String,
        types: Vec<&'static str>,
    },
    /// A subscriber did not take what it had asked for.
    LogsDropped {
        reason: &'static str,
        records: u64,
        bytes: u64,
    },
}

/// What an event is written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Api {
    /// The Telemetry API and the log in JSON.
    Telemetry,
    /// The older Logs API.
    Logs,
}

/// How something of the platform's ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    /// `success`, `failure`, `error` or `timeout`.
    pub(crate) status: &'static str,
    pub(crate) error_type: Option<String>,
}

/// What all events of an init phase say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Init {
    /// `on-demand` and others.
    pub(crate) kind: String,
    /// `init`, or `invoke` when it is run again within an invoke.
    pub(crate) phase: &'static str,
    pub(crate) function: String,
    pub(crate) version: Version,
    pub(crate) runtime_version: String,
    pub(crate) runtime_arn: String,
}

/// See [`Event::RuntimeDone`].
#[derive(Clone, Debug)]
pub(crate) struct RuntimeDone {
    pub(crate) request: RequestId,
    pub(crate) outcome: Outcome,
    pub(crate) duration: Duration,
    /// Of the answer, if it came whole.
    pub(crate) produced_bytes: Option<u64>,
    /// Name, beginning and length.
    pub(crate) spans: Vec<(&'static str, Timestamp, Duration)>,
}

/// How much a line matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Outcome {
    pub(crate) fn success() -> Self {
        let status = "success";
        Self {
            status,
            error_type: None,
        }
    }

    fn or_warn(&self, level: Level) -> Level {
        match self.status {
            "success" => level,
            _ => Level::Warn,
        }
    }
}

impl Level {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "TRACE" => Self::Trace,
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARN" | "WARNING" => Self::Warn,
            "ERROR" => Self::Error,
            "FATAL" | "CRITICAL" => Self::Fatal,
            _ => return None,
        })
    }
}

impl Event {
    /// The line of a log in text; most events have none.
    pub(crate) fn line(&self) -> Option<String> {
        Some(match self {
            Self::InitStart(init) if init.phase == "init" => {
                report::init_start(&init.runtime_version, &init.runtime_arn)
            }
            Self::InitReport(init, duration, outcome) if init.phase == "init" => {
                let error_type = outcome.error_type.as_deref();
                match outcome.status {
                    // Only for provisioned environments, whose init ended long ago.
                    "success" if init.kind == "on-demand" => return None,
                    status => report::init_report(*duration, status, error_type),
                }
            }
            Self::Start {
                request, version, ..
            } => report::start(*request, *version),
            Self::Fault(line) => line.clone(),
            Self::Hint(text) => format!("{text}\n"),
            Self::End(request) => report::end(*request),
            Self::Report(report) => report.line(),
            Self::Extension {
                name,
                events,
                error_type,
            } => report::extension(name, events, *error_type),
            Self::Subscription { api, name, types } => report::subscription(*api, name, types),
            Self::LogsDropped { .. }
            | Self::InitStart(_)
            | Self::InitRuntimeDone(..)
            | Self::InitReport(..)
            | Self::RuntimeDone(_) => return None,
        })
    }

    /// The least `SystemLogLevel` at which a log in JSON has this (AWS's table of events).
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::InitRuntimeDone(_, outcome) => outcome.or_warn(Level::Debug),
            Self::InitReport(init, _, outcome) => outcome.or_warn(match init.kind.as_str() {
                "on-demand" => Level::Debug,
                _ => Level::Info,
            }),
            Self::RuntimeDone(done) => done.outcome.or_warn(Level::Debug),
            Self::Report(report) => report.outcome.or_warn(Level::Info),
            Self::InitStart(_)
            | Self::Start { .. }
            | Self::Extension { .. }
            | Self::Subscription { .. } => Level::Info,
            Self::LogsDropped { .. } | Self::Fault(_) | Self::Hint(_) => Level::Warn,
            Self::End(_) => Level::Debug,
        }
    }

    /// The event as JSON, `{"time", "type", "record"}`; `None` if that API does not have it.
    pub(crate) fn json(&self, api: Api, time: Timestamp) -> Option<Value> {
        let (kind, record) = self.record(api)?;
        Some(json!({
            "time": time.to_iso_text(),
            "type": format!("platform.{kind}"),
            "record": record,
        }))
    }

    fn record(&self, api: Api) -> Option<(&'static str, Value)> {
        let logs = api == Api::Logs;
        Some(match self {
            Self::InitStart(init) if !logs => ("initStart", init.start()),
            Self::InitRuntimeDone(init, outcome) if !logs => {
                ("initRuntimeDone", with(init.record(), outcome))
            }
            Self::InitReport(init, duration, outcome) if !logs => {
                let mut record = init.record();
                record["metrics"] = json!({"durationMs": millis(*duration)});
                ("initReport", with(record, outcome))
            }
            Self::Start {
                request,
                version,
                trace_id,
            } => {
                let mut record =
                    json!({"requestId": request.to_string(), "version": version.to_string()});
                if !logs && !trace_id.is_empty() {
                    record["tracing"] = json!({"type": "X-Amzn-Trace-Id", "value": trace_id});
                }
                ("start", record)
            }
            Self::RuntimeDone(done) => ("runtimeDone", done.record(api)),
            Self::Fault(line) if logs => ("fault", json!(line)),
            Self::End(request) if logs => ("end", json!({"requestId": request.to_string()})),
            Self::Report(report) => ("report", report.record(api)),
            Self::Extension {
                name,
                events,
                error_type,
            } => {
                let state = report::extension_state(*error_type);
                let mut record = json!({"name": name, "state": state, "events": events});
                if let Some(error_type) = error_type {
                    record["errorType"] = json!(error_type);
                }
                ("extension", record)
            }
            Self::Subscription {
                api: of,
                name,
                types,
            } if *of == api => {
                let kind = match of {
                    Api::Telemetry => "telemetrySubscription",
                    Api::Logs => "logsSubscription",
                };
                let record = json!({"name": name, "state": "Subscribed", "types": types});
                (kind, record)
            }
            Self::LogsDropped {
                reason,
                records,
                bytes,
            } => (
                "logsDropped",
                json!({"reason": reason, "droppedRecords": records, "droppedBytes": bytes}),
            ),
            Self::InitStart(_)
            | Self::InitRuntimeDone(..)
            | Self::InitReport(..)
            | Self::Fault(_)
            | Self::Hint(_)
            | Self::End(_)
            | Self::Subscription { .. } => return None,
        })
    }
}

impl Init {
    fn record(&self) -> Value {
        json!({"initializationType": self.kind, "phase": self.phase})
    }

    fn start(&self) -> Value {
        let mut record = self.record();
        record["functionName"] = json!(self.function);
        record["functionVersion"] = json!(self.version.to_string());
        record["runtimeVersion"] = json!(self.runtime_version);
        record["runtimeVersionArn"] = json!(self.runtime_arn);
        record
    }
}

impl RuntimeDone {
    fn record(&self, api: Api) -> Value {
        let record = with(
            json!({"requestId": self.request.to_string()}),
            &self.outcome,
        );
        if api == Api::Logs {
            return record;
        }
        let mut record = record;
        record["metrics"] = json!({"durationMs": millis(self.duration)});
        if let Some(bytes) = self.produced_bytes {
            record["metrics"]["producedBytes"] = json!(bytes);
        }
        record["spans"] = spans(&self.spans);
        record
    }
}

/// Spans as events tell them.
pub(crate) fn spans(spans: &[(&'static str, Timestamp, Duration)]) -> Value {
    let spans = spans.iter().map(|(name, start, duration)| {
        json!({"name": name, "start": start.to_iso_text(), "durationMs": millis(*duration)})
    });
    spans.collect()
}

/// Adds how something ended.
pub(crate) fn with(mut record: Value, outcome: &Outcome) -> Value {
    record["status"] = json!(outcome.status);
    if let Some(error_type) = &outcome.error_type {
        record["errorType"] = json!(error_type);
    }
    record
}

/// Milliseconds to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests;
