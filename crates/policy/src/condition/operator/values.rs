//! Values as operators read them: truths, numbers, dates and ARNs. What is none of these is
//! not guessed at.

/// `true` or `false`, in any case.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Digits with a sign and a fraction, as JSON has numbers: no words, no hexadecimals.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Seconds since 1970: from that number itself, or from the forms of ISO 8601 that the W3C lists,
/// from the year alone to fractions of a second.
pub(super) fn date(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.:TZ".contains(&byte);
    if !text.bytes().all(plain) {
        return None;
    }
    let is_number = text
        .strip_prefix('-')
        .unwrap_or(text)
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number && text.len() > 4 {
        return number(text);
    }
    let full = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z"),
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        17 if text.ends_with('Z') => format!("{}:00Z", text.get(..16)?),
        _ => text.to_owned(),
    };
    let time: jiff::Timestamp = full.parse().ok()?;
    Some(time.as_microsecond() as f64 / 1e6)
}

/// `*`, or six components after `arn`, of which a star at the end may stand for the last ones.
pub(super) fn is_arn(text: &str) -> bool {
    let whole = text.splitn(6, ':').count() == 6;
    text == "*" || (text.starts_with("arn:") && (whole || text.ends_with('*')))
}
