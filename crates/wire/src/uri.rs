//! Percent-coding as AWS's signatures define it, and query strings.
//!
//! AWS leaves `A-Z a-z 0-9 - . _ ~` as they are and writes every other byte as `%XX` in capitals;
//! a space is `%20` and never `+`. Form bodies are the exception: there `+` is a space.

use std::borrow::Cow;

/// Whether `byte` stands for itself in a canonical request.
pub const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends `text` to `out`, percent-encoded.
pub fn encode_into(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if is_unreserved(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// `text`, percent-encoded.
pub fn encode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    encode_into(text.as_bytes(), &mut out);
    String::from_utf8(out).expect("percent-encoded text is ASCII")
}

/// `text` without its percent-coding; `None` if what results is not UTF-8.
/// A `%` that no two hex digits follow stands for itself, as most servers have it.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .ok()
}

/// The pairs of a query string in their order, decoded; those that are not UTF-8 are left out.
/// A name without `=` has an empty value.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
}

/// The first value of `name` in a query string.
pub fn query_value<'q>(query: Option<&'q str>, name: &str) -> Option<Cow<'q, str>> {
    query_pairs(query?)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// The pairs of an `application/x-www-form-urlencoded` body, decoded, `+` being a space.
pub fn form_pairs(body: &str) -> Vec<(String, String)> {
    let spaced = body.replace('+', " ");
    query_pairs(&spaced)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_bytes_stand_for_themselves() {
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode("a b/c:+ü"), "a%20b%2Fc%3A%2B%C3%BC");
    }

    #[test]
    fn decoding_never_panics_and_refuses_what_is_not_text() {
        assert_eq!(decode("a%20b").as_deref(), Some("a b"));
        assert_eq!(decode("%").as_deref(), Some("%"));
        assert_eq!(decode("%zz").as_deref(), Some("%zz"));
        assert_eq!(decode("%ff"), None);
    }

    #[test]
    fn queries_are_read_in_order() {
        let pairs: Vec<_> = query_pairs("a=1&&b&a=%32").collect();
        assert_eq!(pairs.len(), 3);
        assert_eq!(query_value(Some("a=1&b=x+y"), "b").as_deref(), Some("x+y"));
        assert_eq!(form_pairs("b=x+y"), [("b".to_owned(), "x y".to_owned())]);
    }
}
