//! Percent-coding as AWS's signatures define it, and query strings.
//!
//! AWS leaves `A-Z a-z 0-9 - . _ ~` as they are and writes every other byte as `%XX` in capitals;
//! a space is `%20` and never `+`. Readers of a query string nevertheless read a `+` as a space.

use std::borrow::Cow;

/// Whether `byte` stands for itself in a canonical request.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Hands on `text`, percent-encoded, piece by piece: it may be three times as long.
pub(crate) fn encode_pieces(text: &[u8], mut piece: impl FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.iter().take_while(|byte| is_unreserved(**byte)).count();
        if plain > 0 {
            piece(&rest[..plain]);
        }
        let Some(byte) = rest.get(plain) else { return };
        piece(&[
            b'%',
            HEX[usize::from(byte >> 4)],
            HEX[usize::from(byte & 15)],
        ]);
        rest = &rest[plain + 1..];
    }
}

/// `text`, percent-encoded.
pub fn encode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    encode_pieces(text.as_bytes(), |piece| out.extend_from_slice(piece));
    String::from_utf8(out).expect("percent-encoded text is ASCII")
}

/// `text` without its percent-coding; `None` if what results is not UTF-8.
/// A `%` that no two hex digits follow stands for itself, as most servers have it.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .ok()
}

/// The same for a name or a value of a query string, in which a `+` is a space: for signatures as
/// for readers, so that one cannot be turned into the other on the way.
pub(crate) fn decode_query(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode(text);
    }
    let spaced = text.replace('+', " ");
    Some(Cow::Owned(decode(&spaced)?.into_owned()))
}

/// The pairs of a query string in their order, decoded; those that are not UTF-8 are left out.
/// A name without `=` has an empty value.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode_query(name)?, decode_query(value)?))
        })
}

/// A name that a query string has more than once. Which of its values counts would depend on who
/// reads it, and a signature says nothing of their order.
pub(crate) fn repeated_name(query: &str) -> Option<Cow<'_, str>> {
    repeated(query_pairs(query).map(|(name, _)| name))
}

/// One of `names` that is there more than once.
pub(crate) fn repeated<'q>(names: impl Iterator<Item = Cow<'q, str>>) -> Option<Cow<'q, str>> {
    let mut names: Vec<Cow<'q, str>> = names.collect();
    names.sort_unstable();
    let twice = names.windows(2).position(|pair| pair[0] == pair[1])?;
    Some(names.swap_remove(twice))
}

/// The first value of `name` in a query string.
pub fn query_value<'q>(query: Option<&'q str>, name: &str) -> Option<Cow<'q, str>> {
    query_pairs(query?)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// The pairs of an `application/x-www-form-urlencoded` body.
pub fn form_pairs(body: &str) -> Vec<(String, String)> {
    query_pairs(body)
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
        assert_eq!(
            query_value(Some("a=1&b=x+y%2B"), "b").as_deref(),
            Some("x y+")
        );
        assert_eq!(repeated_name("a=1&b=2&A=1"), None);
        assert_eq!(repeated_name("a=1&b=2&%61=1").as_deref(), Some("a"));
        assert_eq!(form_pairs("b=x+y"), [("b".to_owned(), "x y".to_owned())]);
    }
}
