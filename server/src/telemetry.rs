//! The service's own log: readable text on a terminal, JSON otherwise.
//!
//! An error is logged with its causes. What is in a line may come from anybody, so it stays on its line
//! and a terminal does not obey it. A place in the code that has more and more to tell says how much it
//! left out: a failing disk or a busy tenant does not fill whatever keeps the log.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Debug};
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use types::words::with_causes;

use crate::terminal::{is_hidden, one_line};

/// Lines of one place that come at once, and how many a second after that: errors and warnings,
const TROUBLE: (f64, f64) = (10.0, 0.5);
/// and the rest. Debug messages have no limit.
const NEWS: (f64, f64) = (100.0, 10.0);

/// Starts logging to standard error. `LAMBENT_LOG` sets the level: `info`, `debug`, `worker=trace`.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("LAMBENT_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(Lines {
            for_people: std::io::stderr().is_terminal(),
            places: Mutex::default(),
        })
        .init();
}

/// See the module.
struct Lines {
    for_people: bool,
    /// Order never matters.
    places: Mutex<HashMap<Identifier, Place>>,
}

/// A place in the code, and what it may still say.
struct Place {
    left: f64,
    at: Instant,
    /// Lines left out since the last one that was not.
    omitted: u64,
}

impl Lines {
    /// Whether a line may be said, and how many were left out before it.
    fn turn(&self, event: &Event<'_>, now: Instant) -> Option<u64> {
        let (burst, rate) = match *event.metadata().level() {
            Level::ERROR | Level::WARN => TROUBLE,
            Level::INFO => NEWS,
            _ => return Some(0),
        };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(event.metadata().callsite());
        let place = place.or_insert(Place {
            left: burst,
            at: now,
            omitted: 0,
        });
        let passed = now.saturating_duration_since(place.at).as_secs_f64();
        place.left = (place.left + passed * rate).min(burst);
        place.at = now;
        if place.left < 1.0 {
            place.omitted += 1;
            return None;
        }
        place.left -= 1.0;
        Some(std::mem::take(&mut place.omitted))
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(omitted) = self.turn(event, Instant::now()) else {
            return Ok(());
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        if omitted > 0 {
            fields.put("omitted", omitted.into());
        }
        match self.for_people {
            true => to_people(writer, event.metadata().level(), fields),
            false => to_programs(writer, event, fields),
        }
    }
}

fn to_people(mut writer: Writer<'_>, level: &Level, fields: Fields) -> fmt::Result {
    let colour = match (writer.has_ansi_escapes(), *level) {
        (false, _) => "",
        (true, Level::ERROR) => "\x1b[31m",
        (true, Level::WARN) => "\x1b[33m",
        (true, Level::INFO) => "\x1b[32m",
        (true, _) => "\x1b[34m",
    };
    let plain = if colour.is_empty() { "" } else { "\x1b[0m" };
    SystemTime.format_time(&mut writer)?;
    let message = one_line(&fields.message);
    write!(writer, " {colour}{level:>5}{plain} {message}")?;
    for (name, value) in fields.others {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        write!(writer, " {name}={}", one_line(&text))?;
    }
    writeln!(writer)
}

fn to_programs(mut writer: Writer<'_>, event: &Event<'_>, fields: Fields) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let level = event.metadata().level().as_str();
    let first = [
        ("timestamp", time.as_str()),
        ("level", level),
        ("message", &fields.message),
    ];
    let first = first.map(|(name, text)| (name.to_owned(), Value::from(text)));
    let last = ("target".to_owned(), event.metadata().target().into());
    let pairs = first.into_iter().chain(fields.others).chain([last]);
    let pairs = pairs.map(|(name, value)| format!("{}:{value}", Value::from(name)));
    let line = pairs.collect::<Vec<_>>().join(",");
    // JSON has a way of its own for what a terminal would obey, and uses it for the first set alone.
    for c in format!("{{{line}}}").chars() {
        match is_hidden(c) {
            true => write!(writer, "\\u{:04x}", u32::from(c))?,
            false => writer.write_char(c)?,
        }
    }
    writeln!(writer)
}

/// What an event says.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(String, Value)>,
}

impl Fields {
    fn put(&mut self, name: &str, value: Value) {
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.others.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), with_causes(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of what `say` says.
    fn logged(for_people: bool, say: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(Lines {
                for_people,
                places: Mutex::default(),
            })
            .finish();
        tracing::subscriber::with_default(log, say);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the store does not answer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn an_error_is_told_with_its_cause() {
        let error = Outer(io::Error::other("disk full"));
        let log = logged(false, || {
            let error = &error as &dyn Error;
            tracing::error!(error, commands = 3, "not written");
        });
        let line: Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["error"], "the store does not answer: disk full");
        assert_eq!(line["message"], "not written");
        assert_eq!(
            (&line["level"], &line["commands"]),
            (&"ERROR".into(), &3.into())
        );
    }

    #[test]
    fn what_comes_from_anybody_stays_on_its_line_and_is_not_obeyed() {
        let name = "f\n{\"level\":\"ERROR\"}\u{1b}]52;c;AA\u{7}\u{9b}2J\u{202e}";
        for for_people in [true, false] {
            let log = logged(for_people, || tracing::info!(name, "of {name}"));
            assert_eq!(log.lines().count(), 1, "{log:?}");
            assert!(!log.trim_end().contains(is_hidden), "{log:?}");
        }
        let log = logged(false, || tracing::info!(name, "said"));
        let line: Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["name"], name, "to a program it is what it was");
    }

    #[test]
    fn a_place_that_goes_on_and_on_is_cut_short() {
        let log = logged(true, || {
            for _ in 0..1_000 {
                tracing::warn!("again");
            }
            tracing::warn!("another");
        });
        assert!((10..20).contains(&log.matches("again").count()), "{log}");
        assert_eq!(log.matches("another").count(), 1);
    }
}
