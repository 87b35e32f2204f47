//! The error for a payload that is not JSON, in the words of AWS's parser. Pure.
//!
//! ```text
//!   "caf\xff"      Invalid UTF-8 start byte 0xff           line 1, column 6
//!   "\xe9"         Invalid UTF-8 middle byte 0x22          the byte that should have gone on
//!   \x99           Unexpected character ((CTRL-CHAR, …     where a value should begin
//! ```
//!
//! Only for what is not UTF-8 are the words exactly those; other mistakes are reported by our own parser.

use std::fmt::{self, Write as _};

use serde::de::IgnoredAny;
use types::ForCallers;
use types::json::Texts;

const VALUE: &str = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// The refusal's text.
pub(crate) fn message(payload: &[u8]) -> String {
    let (what, at) = match std::str::from_utf8(payload) {
        Ok(_) => syntax(payload),
        Err(error) => {
            let before = &payload[..error.valid_up_to()];
            match serde_json::from_slice::<IgnoredAny>(before) {
                Err(error) if !error.is_eof() => syntax(before),
                _ => encoding(payload, before.len()),
            }
        }
    };
    let (line, column) = place(payload, at);
    format!(
        "Could not parse request body into json: Could not parse payload into json: {what}\n at \
         [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, \
         column: {column}]"
    )
}

/// What a parser without types says: it describes only the text.
struct Syntax(serde_json::Error);

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ForCallers for Syntax {}

/// What is wrong with a text, and the offset of the byte at which it is noticed.
fn syntax(text: &[u8]) -> (String, usize) {
    let Err(error) = serde_json::from_slice::<IgnoredAny>(text) else {
        return ("Unexpected character".to_owned(), text.len());
    };
    let (line, column) = (error.line(), error.column());
    let mut what = Syntax(error).told();
    if let Some(at) = what.rfind(" at line ") {
        what.truncate(at);
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (what, before + column.saturating_sub(1))
}

/// What is wrong with the byte at `at`, which is none of UTF-8, and where it is noticed.
fn encoding(payload: &[u8], at: usize) -> (String, usize) {
    let first = payload[at];
    let before = &payload[..at];
    let begun = is_in_text(before) || before.last().is_some_and(u8::is_ascii_alphanumeric);
    if !begun {
        let letter = match first {
            0x80..=0x9f => format!("(CTRL-CHAR, code {first})"),
            _ => format!("'{}' (code {first})", char::from(first)),
        };
        return (format!("Unexpected character ({letter}): {VALUE}"), at);
    }
    let length = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => {
            let mut what = String::new();
            let _ = write!(what, "Invalid UTF-8 start byte {first:#x}");
            return (what, at + 1);
        }
    };
    let mut others = payload[at + 1..].iter().take(length - 1);
    match others.position(|byte| byte & 0xc0 != 0x80) {
        Some(wrong) => {
            let wrong = at + 1 + wrong;
            let byte = payload[wrong];
            (format!("Invalid UTF-8 middle byte {byte:#x}"), wrong + 1)
        }
        // It ends too early, or is a letter that UTF-8 does not have.
        None => (format!("Invalid UTF-8 start byte {first:#x}"), at + 1),
    }
}

fn is_in_text(json: &[u8]) -> bool {
    let mut texts = Texts::default();
    let within = json.iter().map(|byte| texts.step(char::from(*byte)));
    within.last().unwrap_or(false)
}

/// Line and column of an offset, both from 1.
fn place(payload: &[u8], at: usize) -> (usize, usize) {
    let before = &payload[..at.min(payload.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let begin = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |n| n + 1);
    (line, at - begin + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(payload: &[u8], what: &str, line: usize, column: usize) {
        let expected = format!(
            "Could not parse request body into json: Could not parse payload into json: {what}\n at \
             [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: \
             {line}, column: {column}]"
        );
        assert_eq!(message(payload), expected);
    }

    #[test]
    fn what_is_not_utf_8_is_told_as_aws_tells_it() {
        check(b"n\x87r\x9e", "Invalid UTF-8 start byte 0x87", 1, 3);
        let control = format!("Unexpected character ((CTRL-CHAR, code 153)): {VALUE}");
        check(b"\x99\xeb,j", &control, 1, 1);
        check(b"\"caf\xff\"", "Invalid UTF-8 start byte 0xff", 1, 6);
        check(b"\"caf\xe9\"", "Invalid UTF-8 middle byte 0x22", 1, 7);
        check(
            b"{\n \"a\": \"\xc3(\"}",
            "Invalid UTF-8 middle byte 0x28",
            2,
            10,
        );
        let letter = format!("Unexpected character ('\u{e9}' (code 233)): {VALUE}");
        check(b"[\xe9]", &letter, 1, 2);
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        check(b"not json", "expected ident", 1, 2);
        check(b"[1,\n x]", "expected value", 2, 2);
        check(b"[x,\"\xff\"]", "expected value", 1, 2);
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = message(&payload);
        }
    }
}
