//! How a function wants its log: in text, or in JSON and from which level on. Pure.

use records::functions::{LogFormat, Logging};
use serde::Deserialize;

use crate::platform::Level;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Format {
    pub(crate) json: bool,
    /// The least important lines of the function that are kept.
    pub(crate) application: Level,
    /// The least important events of the platform that are kept.
    pub(crate) system: Level,
}

impl Format {
    pub(crate) fn of(logging: &Logging) -> Self {
        let level = |text: &Option<String>| text.as_deref().and_then(Level::parse);
        Self {
            json: logging.format == LogFormat::Json,
            application: level(&logging.application_level).unwrap_or(Level::Info),
            system: level(&logging.system_level).unwrap_or(Level::Info),
        }
    }

    /// Whether a line of the function's is kept. Runtimes filter what goes through their loggers;
    /// JSON with a `level` and a `timestamp` is filtered by level here, and
    /// anything else has none.
    pub(crate) fn keeps(&self, line: &str) -> bool {
        #[derive(Deserialize)]
        struct Told {
            level: String,
            timestamp: serde_json::Value,
        }
        if !self.json || self.application == Level::Trace || !line.starts_with('{') {
            return true;
        }
        let Ok(told) = serde_json::from_str::<Told>(line) else {
            return true;
        };
        // What tells no time counts as INFO (AWS).
        let level = match told.timestamp.is_string() {
            true => Level::parse(&told.level).unwrap_or(Level::Info),
            false => Level::Info,
        };
        level >= self.application
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_the_level_are_left_out_if_they_tell_one() {
        let logging = Logging {
            format: LogFormat::Json,
            application_level: Some("WARN".to_owned()),
            ..Logging::default()
        };
        let format = Format::of(&logging);
        let line = |level: &str| format!("{{\"timestamp\":\"t\",\"level\":\"{level}\"}}\n");
        assert!(!format.keeps(&line("INFO")));
        assert!(format.keeps(&line("WARN")) && format.keeps(&line("CRITICAL")));
        assert!(!format.keeps(&line("nonsense")), "it counts as INFO");
        assert!(format.keeps("plain\n") && format.keeps("{\"a\":1}\n") && format.keeps("{\n"));
        let text = Format::of(&Logging::default());
        assert!(!text.json && text.keeps(&line("DEBUG")));
    }
}
