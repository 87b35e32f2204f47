//! The one time format of signatures, `YYYYMMDDTHHMMSSZ`.

use jiff::civil::{Date, Time};
use types::Timestamp;

/// Reads `20150830T123600Z`.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_i16, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i16::from(byte - b'0'))
        })
    };
    let small = |from: usize| number(from, from + 2).and_then(|n| i8::try_from(n).ok());
    let date = Date::new(number(0, 4)?, small(4)?, small(6)?).ok()?;
    let time = Time::new(small(9)?, small(11)?, small(13)?, 0).ok()?;
    let instant = date
        .to_datetime(time)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?
        .timestamp();
    Some(Timestamp::from_millis(
        u64::try_from(instant.as_millisecond()).ok()?,
    ))
}

/// Reads a `Date` header: RFC 1123, or the format above.
pub(super) fn parse_header(text: &str) -> Option<Timestamp> {
    parse(text).or_else(|| {
        let instant = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Some(Timestamp::from_millis(
            u64::try_from(instant.as_millisecond()).ok()?,
        ))
    })
}

/// Writes `20150830T123600Z`.
pub(super) fn format(time: Timestamp) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_its_text() {
        let time = parse("20150830T123600Z").unwrap();
        assert_eq!(time, Timestamp::from_millis(1_440_938_160_000));
        assert_eq!(format(time), "20150830T123600Z");
        assert_eq!(parse_header("Sun, 30 Aug 2015 12:36:00 GMT"), Some(time));
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "20150830T123600",
            "20151330T123600Z",
            "20150830T250000Z",
            "2015083éT12360Z",
            "99999999T999999Z",
            "-0150830T123600Z",
            "19600830T123600Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_header("yesterday"), None);
    }
}
