//! The canonical request and the string to sign.
//!
//! ```text
//!   method \n path \n query \n header:value \n … \n \n signed headers \n payload hash
//!   AWS4-HMAC-SHA256 \n time \n scope \n SHA-256(canonical request)
//! ```

use std::borrow::Cow;

use http::request::Parts;
use ring::digest::{SHA256, digest};

use super::{ALGORITHM, UNSIGNED_PAYLOAD};
use crate::uri::{decode, encode_into, is_unreserved};

/// The canonical request. `signed_headers` is the list as the signer wrote it, `a;b;c`.
pub(super) fn request(parts: &Parts, signed_headers: &str, payload_hash: &str) -> Vec<u8> {
    written(parts, signed_headers, payload_hash, path)
}

/// The same for S3, which alone has the path signed just as it is sent: a key may have any form.
pub(super) fn s3_request(parts: &Parts, signed_headers: &str, payload_hash: &str) -> Vec<u8> {
    let as_sent = |path: &str, out: &mut Vec<u8>| out.extend_from_slice(path.as_bytes());
    written(parts, signed_headers, payload_hash, as_sent)
}

fn written(
    parts: &Parts,
    signed_headers: &str,
    payload_hash: &str,
    path: impl FnOnce(&str, &mut Vec<u8>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b'\n');
    path(parts.uri.path(), &mut out);
    out.push(b'\n');
    query(parts.uri.query().unwrap_or_default(), &mut out);
    out.push(b'\n');
    for name in signed_headers.split(';') {
        header(parts, name, &mut out);
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash.as_bytes());
    out
}

/// What is signed.
pub(super) fn string_to_sign(time: &str, scope: &str, canonical_request: &[u8]) -> String {
    let hash = hex(digest(&SHA256, canonical_request).as_ref());
    format!("{ALGORITHM}\n{time}\n{scope}\n{hash}")
}

/// The payload hash of a request. The body is hashed whatever `x-amz-content-sha256` says: if it
/// says otherwise, so does the signature. Only a payload declared unsigned is not looked at.
pub(super) fn payload_hash(parts: &Parts, body: &[u8]) -> Cow<'static, str> {
    match parts.headers.get("x-amz-content-sha256") {
        Some(value) if value == UNSIGNED_PAYLOAD => Cow::Borrowed(UNSIGNED_PAYLOAD),
        _ => Cow::Owned(hex(digest(&SHA256, body).as_ref())),
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// Dot segments and double slashes are resolved, and the path as sent is encoded once more: every
/// service but S3 signs it so.
fn path(path: &str, out: &mut Vec<u8>) {
    let mut segments: Vec<&str> = Vec::with_capacity(8);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        out.push(b'/');
        encode_into(segment.as_bytes(), out);
    }
    if segments.is_empty() || path.ends_with('/') {
        out.push(b'/');
    }
}

/// Names and values in canonical coding, sorted. A pre-signed request's own signature is left out.
fn query(query: &str, out: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (recoded(name), recoded(value)))
        .collect();
    pairs.sort_unstable();
    for (place, (name, value)) in pairs.iter().enumerate() {
        if place > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    }
}

/// `text` in canonical percent-coding, whatever its sender encoded.
fn recoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_unreserved) {
        return Cow::Borrowed(text);
    }
    // What is not UTF-8 is left as it was sent: its signature can only match byte by byte.
    let Some(plain) = decode(text) else {
        return Cow::Borrowed(text);
    };
    Cow::Owned(crate::uri::encode(&plain))
}

/// `name:value\n`, values trimmed, runs of spaces made one, several values joined by commas.
fn header(parts: &Parts, name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut first = true;
    for value in parts.headers.get_all(name) {
        if !first {
            out.push(b',');
        }
        first = false;
        trimmed(value.as_bytes(), out);
    }
    if first
        && name == "host"
        && let Some(authority) = parts.uri.authority()
    {
        out.extend_from_slice(authority.as_str().as_bytes());
    }
    out.push(b'\n');
}

fn trimmed(value: &[u8], out: &mut Vec<u8>) {
    let mut words = value
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    if let Some(word) = words.next() {
        out.extend_from_slice(word);
    }
    for word in words {
        out.push(b' ');
        out.extend_from_slice(word);
    }
}
