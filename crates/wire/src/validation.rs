//! The words in which Lambda refuses values that break its model's constraints.
//!
//! All that is wrong with a request is reported at once:
//!
//! ```text
//!   2 validation errors detected: Value '1' at 'memorySize' failed to satisfy constraint: Member must
//!   have value greater than or equal to 128; Value null at 'role' failed to satisfy constraint: …
//! ```
//!
//! Rules that need more than one member or any state are not constraints of the model; they are
//! refused with `InvalidParameterValueException` where they are decided.

use std::fmt::{self, Display, Write as _};

use crate::error::ApiError;

/// A pattern of the model: the text that refusals show, and what it means.
#[derive(Clone, Copy)]
pub struct Pattern {
    /// The regular expression, as the model has it.
    pub text: &'static str,
    /// Whether a value matches it as a whole.
    pub matches: fn(&str) -> bool,
}

/// Bytes of a refusal's text. A request may be wrong in a million ways, and each repeats a value;
/// they are counted, and told as far as this goes.
const TOLD_BYTES_MAX: usize = 64 * 1024;

/// Collects what is wrong with a request.
#[derive(Default, Debug)]
pub struct Violations {
    count: usize,
    told: Told,
}

/// A text that is cut off when it is long.
#[derive(Default, Debug)]
struct Told(String);

impl fmt::Write for Told {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = TOLD_BYTES_MAX - self.0.len();
        let part = crate::beginning(text, room);
        self.0.push_str(part);
        match part.len() < text.len() {
            true => Err(fmt::Error),
            false => Ok(()),
        }
    }
}

impl Violations {
    /// Nothing is wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The refusal, if anything was wrong.
    pub fn finish(self) -> Result<(), ApiError> {
        let count = self.count;
        let errors = if count == 1 { "error" } else { "errors" };
        if count == 0 {
            return Ok(());
        }
        let message = format!("{count} validation {errors} detected: {}", self.told.0);
        Err(ApiError::validation(message))
    }

    fn push(&mut self, violation: fmt::Arguments<'_>) {
        let separator = if self.count == 0 { "" } else { "; " };
        self.count += 1;
        // What has no room is left out.
        let _ = write!(self.told, "{separator}{violation}");
    }

    /// A member that must be there.
    pub fn required<T>(&mut self, at: &str, value: Option<&T>) {
        if value.is_none() {
            self.push(format_args!(
                "Value null at '{at}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// Bounds of a number, both inclusive.
    pub fn range<T: PartialOrd + Display>(
        &mut self,
        at: &str,
        value: Option<T>,
        min: Option<T>,
        max: Option<T>,
    ) {
        let Some(value) = value else { return };
        if let Some(min) = min.filter(|min| value < *min) {
            self.add(
                &value,
                at,
                &format!("Member must have value greater than or equal to {min}"),
            );
        }
        if let Some(max) = max.filter(|max| value > *max) {
            self.add(
                &value,
                at,
                &format!("Member must have value less than or equal to {max}"),
            );
        }
    }

    /// Bounds of a text's length in characters, both inclusive.
    pub fn length(&mut self, at: &str, value: Option<&str>, min: usize, max: usize) {
        let Some(value) = value else { return };
        let length = value.chars().count();
        if length < min {
            self.add(
                value,
                at,
                &format!("Member must have length greater than or equal to {min}"),
            );
        }
        if length > max {
            self.add(
                value,
                at,
                &format!("Member must have length less than or equal to {max}"),
            );
        }
    }

    /// Bounds of a list's length, both inclusive.
    pub fn count<T: Display>(&mut self, at: &str, value: Option<&[T]>, min: usize, max: usize) {
        let Some(value) = value else { return };
        let shown = || list(value.iter().map(T::to_string));
        if value.len() < min {
            self.add(
                shown(),
                at,
                &format!("Member must have length greater than or equal to {min}"),
            );
        }
        if value.len() > max {
            self.add(
                shown(),
                at,
                &format!("Member must have length less than or equal to {max}"),
            );
        }
    }

    /// A pattern that a text must match.
    pub fn pattern(&mut self, at: &str, value: Option<&str>, pattern: Pattern) {
        if let Some(value) = value.filter(|value| !(pattern.matches)(value)) {
            let rule = format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text
            );
            self.add(value, at, &rule);
        }
    }

    /// A closed set that a text must be of.
    pub fn one_of(&mut self, at: &str, value: Option<&str>, set: &[&str]) {
        if let Some(value) = value.filter(|value| !set.contains(value)) {
            self.add(
                value,
                at,
                &format!("Member must satisfy enum value set: {}", set_text(set)),
            );
        }
    }

    /// A rule in its own words that a value breaks.
    pub fn broken(&mut self, value: impl Display, at: &str, rule: &str) {
        self.add(value, at, rule);
    }

    /// A rule in its own words that a value breaks which is not shown.
    pub fn secret(&mut self, at: &str, rule: &str) {
        self.push(format_args!(
            "Value at '{at}' failed to satisfy constraint: {rule}"
        ));
    }

    fn add(&mut self, value: impl Display, at: &str, rule: &str) {
        self.push(format_args!(
            "Value '{value}' at '{at}' failed to satisfy constraint: {rule}"
        ));
    }
}

/// A set as refusals write it: `[a, b]`.
pub fn set_text(set: &[&str]) -> String {
    format!("[{}]", set.join(", "))
}

fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fill: impl FnOnce(&mut Violations), expected: &str) {
        let mut violations = Violations::new();
        fill(&mut violations);
        assert_eq!(violations.finish().unwrap_err().message, expected);
    }

    #[test]
    fn refusals_have_the_services_words() {
        check(
            |v| v.range("memorySize", Some(10_241), Some(128), Some(10_240)),
            "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy \
             constraint: Member must have value less than or equal to 10240",
        );
        check(
            |v| v.required::<u8>("role", None),
            "1 validation error detected: Value null at 'role' failed to satisfy constraint: \
             Member must not be null",
        );
        let digits = Pattern {
            text: "[0-9]+",
            matches: |text| text.bytes().all(|b| b.is_ascii_digit()),
        };
        check(
            |v| {
                v.pattern("version", Some("x"), digits);
                v.length("name", Some(""), 1, 3);
                v.one_of("mode", Some("Off"), &["Active", "PassThrough"]);
            },
            "3 validation errors detected: Value 'x' at 'version' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [0-9]+; Value '' at 'name' failed to \
             satisfy constraint: Member must have length greater than or equal to 1; Value 'Off' at \
             'mode' failed to satisfy constraint: Member must satisfy enum value set: [Active, \
             PassThrough]",
        );
    }

    #[test]
    fn a_refusal_repeats_no_more_than_one_can_read() {
        let long = "ä".repeat(TOLD_BYTES_MAX);
        let mut violations = Violations::new();
        for _ in 0..1_000 {
            violations.length("name", Some(&long), 1, 3);
        }
        let message = violations.finish().unwrap_err().message;
        assert!(message.starts_with("1000 validation errors detected: Value 'ää"));
        assert!(message.len() < TOLD_BYTES_MAX + 100);
    }

    #[test]
    fn what_is_absent_or_right_is_not_refused() {
        let mut violations = Violations::new();
        violations.range("a", None::<u32>, Some(1), None);
        violations.range("a", Some(1), Some(1), Some(1));
        violations.length("a", Some("äöü"), 3, 3);
        violations.count("a", Some(&["x"]), 1, 1);
        assert!(violations.finish().is_ok());
    }
}
